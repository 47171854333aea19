"""Every loss, optimizer and penalty of the core against the NumPy reference.

On every instruction set and in both precisions. harness.py defines the rule of comparison.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tests import loss_problems as problems
from tests.harness import (
    LOSSES,
    OPTIMIZERS,
    SHAPES,
    check,
    column,
    generator,
    linear,
    make_net,
    reference_optimizer,
    rounding,
    same_bits,
    weights,
)

import fastmlp as fm
from fastmlp import _core
from fastmlp import reference as ref

# ---- losses ----

# Losses of fields have no common extreme scores; small slopes of a cosine are differences.
EXTREME = [name for name in problems.PLAIN if name != "CosineSimilarityLoss"]


def reference_loss(loss, reduction):
    return ref.LOSSES[type(loss).__name__](**{**loss.arguments(), "reduction": reduction})


def targets(loss, rng, rows, cols, dtype):
    """Every kind of target that a loss accepts."""
    first = problems.targets(loss, rows, cols, rng)
    yield first if first.dtype.kind == "i" else first.astype(dtype)
    if isinstance(loss, fm.CrossEntropyLoss):
        yield rng.dirichlet(np.ones(cols), size=rows).astype(dtype)
    elif isinstance(loss, fm.QuantileLoss) and len(loss.quantiles) > 1:
        yield rng.uniform(size=(rows, cols // len(loss.quantiles))).astype(dtype)


def loss_cases(name, dtype):
    """(loss, scores, target) for all shapes and kinds of targets."""
    shapes = [*SHAPES, (3, 256), (2, 300), (300, 3), (6, 48)]
    for loss, (rows, cols) in itertools.product(problems.cases([name]), shapes):
        rng = generator(name, repr(loss), rows, cols)
        if not problems.fits(loss, cols):
            continue
        scale = 1.0 if name in problems.FIELDS else 2.0
        for target in targets(loss, rng, rows, cols, dtype):
            scores = rng.normal(scale=scale, size=(rows, cols)).astype(dtype)
            if target.shape == scores.shape and name in problems.PLAIN:
                scores[:, ::4] = target[:, ::4]
            yield loss, scores, target


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", LOSSES)
def test_loss(name, reduction, isa, dtype, guarded):
    tolerance = column(LOSSES[name][1], dtype)
    for loss, scores, target in loss_cases(name, dtype):
        kind, params, _, _ = loss.core_spec()
        reference = reference_loss(loss, reduction)
        weight = generator(name, scores.shape).uniform(size=len(scores)).astype(dtype)
        for w in (None, weight, np.zeros_like(weight)):
            expected = reference.forward(scores, target, w)
            given = None if w is None else guarded.input(w)
            value, gradient = _core.loss_forward(
                kind, params, reduction, guarded.input(scores), guarded.input(target), given
            )
            what = f"{loss} {scores.shape} {target.shape} weighted: {w is not None}"
            # With scores and targets near 1, the terms of loss and slope are near 1 too.
            factor = factors(w, scores.shape, reduction, reference.elementwise)
            floor = scores.shape[1] // (reference.elementwise or scores.shape[1])
            size, slope = abs(expected) + floor * factor.sum(), reference.backward()
            check(np.float64(value), expected, tolerance, size, what)
            size = np.abs(slope) + factor[:, np.newaxis]
            check(gradient, slope, tolerance, size, f"gradient of {what}")


def factors(weight, shape, reduction, elementwise):
    """The factor of each row's loss."""
    weight = np.ones(shape[0]) if weight is None else weight.astype(float)
    if reduction == "sum" or not weight.sum():
        return weight
    return weight / (weight.sum() * (shape[1] // elementwise if elementwise else 1))


@pytest.mark.parametrize("name", EXTREME)
def test_loss_of_extreme_scores(name, isa, dtype):
    """Small values keep their relative accuracy; nothing overflows before the result does."""
    loss, row = problems.cases([name])[0], LOSSES[name][1]
    kind, params, _, _ = loss.core_spec()
    # exp(80) is finite in float32 too.
    scores = np.array([[80.0, -80.0, 3.0], [-80.0, 80.0, 0.0], [0.0, 79.0, 80.0]], dtype)
    classes = LOSSES[name][1]["target"] == "class"
    target = np.array([0, 0, 2]) if classes else np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1]], dtype)
    reference = reference_loss(loss, "sum")
    for row_number in range(3):
        part = scores[row_number : row_number + 1], target[row_number : row_number + 1]
        expected = reference.forward(*part)
        value, gradient = _core.loss_forward(kind, params, "sum", *part, None)
        check(np.float64(value), expected, column(row, dtype), None, name)
        check(gradient, reference.backward(), column(row, dtype), None, name)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_of_nan_and_infinity(name, isa, dtype):
    """NaN and infinities give the reference's results, in their own row only."""
    row = LOSSES[name][1]
    for loss, odd in itertools.product(problems.cases([name]), [np.nan, np.inf, -np.inf]):
        rows, cols = 5, problems.width_of(loss, 21)
        rng = generator(name, odd)
        kind, params, _, _ = loss.core_spec()
        reference = reference_loss(loss, "sum")
        scores = rng.normal(size=(rows, cols)).astype(dtype)
        for target in targets(loss, rng, rows, cols, dtype):
            clean = _core.loss_forward(kind, params, "sum", scores, target, None)[1]
            spoilt = scores.copy()
            spoilt[2, 17] = odd
            expected = reference.forward(spoilt, target)
            value, gradient = _core.loss_forward(kind, params, "sum", spoilt, target, None)
            what = f"{loss} with {odd}"
            tolerance, slope = column(row, dtype), reference.backward()
            check(np.float64(value), expected, tolerance, abs(expected) + scores.size, what)
            check(gradient[2], slope[2], tolerance, 1.0 + np.abs(slope[2]), what)
            assert same_bits(np.delete(gradient, 2, 0), np.delete(clean, 2, 0)), what


# ---- optimizers ----

# Values that enable every part of an update.
SWITCHED_ON = {"momentum": 0.9, "nesterov": 1.0, "weight_decay": 0.05, "beta1": 0.8, "beta2": 0.95,
               "eps": 1e-3, "alpha": 0.9, "lr_decay": 0.1}  # fmt: skip


def hyper_choices(name):
    """The defaults, each hyperparameter changed alone, and all changed together."""
    defaults = dict(OPTIMIZERS[name][1]["hyper"])
    changed = {key: SWITCHED_ON.get(key, 0.1) for key in defaults}
    yield tuple(defaults.values())
    yield tuple(changed.values())
    for key in defaults:
        yield tuple({**defaults, key: changed[key]}.values())


def updater(name, hyper, count, dtype, clip_norm=0.0):
    """A trainer whose network has ``count`` parameters, and the network."""
    net = make_net(count, [linear(-1, count, 1, bias=False)], dtype)
    head = (LOSSES["MSELoss"][0], (), "mean"), 1.0
    return _core.Trainer(net, [head], (OPTIMIZERS[name][0], hyper), [], clip_norm), net


@pytest.mark.parametrize("clip_norm", [0.0, 0.5])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name, clip_norm, isa, dtype):
    """One update and 20. Each rounds a few times by a part of the distance from the start."""
    row, eps = OPTIMIZERS[name][1], np.finfo(dtype).eps
    for hyper, count in itertools.product(hyper_choices(name), [1, 2, 15, 16, 17, 33, 257]):
        rng = generator(name, hyper, count)
        trainer, net = updater(name, hyper, count, dtype, clip_norm)
        reference = reference_optimizer(row, hyper, 0.05)
        trainer.lr = 0.05
        net.params[...] = rng.normal(size=count)
        params, way = net.params.astype(np.float64), np.zeros(count)
        for step in range(1, 21):
            net.grads[...] = rng.normal(size=count)
            grads, before = net.grads.astype(np.float64), params.copy()
            trainer.update()
            reference.step(params, ref.clip_by_norm(grads, clip_norm) if clip_norm else grads)
            way += np.abs(params - before)
            # Scalars, running averages, root and quotient: fewer than 16 roundings in a step.
            # Averages carry them to later steps; the sum rounds by a part of itself.
            room = step * eps * (np.abs(params).max() + 16 * way)
            if clip_norm:
                room = room + rounding(count, dtype) * way
            if step in (1, 20):
                what = f"{name}{hyper}, {count} parameters, step {step}"
                check(net.params, params, 1.0, room, what)
        assert trainer.t == 20


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_treats_every_parameter_alone(name, isa, dtype):
    hyper = list(hyper_choices(name))[1]
    results = []
    for odd in (0.0, np.nan):
        trainer, net = updater(name, hyper, 40, dtype)
        net.params[...] = generator(name).normal(size=40)
        for _ in range(3):
            net.grads[...] = np.linspace(-1.0, 1.0, 40)
            net.grads[17] += odd
            trainer.update()
        results.append(net.params.copy())
    assert np.isnan(results[1][17])
    assert same_bits(*(np.delete(params, 17) for params in results))


# ---- penalties ----


@pytest.mark.parametrize(("name", "p"), [("L2", 2.0), ("L1", 1.0), ("Lp", 0.5), ("Lp", 1.5),
                                         ("Lp", 3.0)])  # fmt: skip
def test_penalty(name, p, isa, dtype):
    lam = 0.3
    reference = ref.Lp(p, lam) if name == "Lp" else ref.PENALTIES[name](lam)
    for fan_in, fan_out in [(1, 1), (3, 5), (17, 31), (257, 33)]:
        net = make_net(fan_in, [linear(-1, fan_in, fan_out)], dtype)
        head = (LOSSES["MSELoss"][0], (), "mean"), 1.0
        sgd = (OPTIMIZERS["SGD"][0], (0.0, 0.0, 0.0))
        trainer = _core.Trainer(net, [head], sgd, [(p, lam)], 0.0)
        rng, (W, _, dW, db) = generator(fan_in), weights(net, 0, fan_in, fan_out)
        net.params[...] = rng.normal(size=net.params.size)
        W[::4, ::3] = 0.0
        net.grads[...] = 1.0
        # A power is right to 4 units; a lane of the sum has at most 4096 / 8 additions.
        bound = rounding(4 + min(W.size, 4096) / 8, dtype)
        check(np.float64(trainer.penalty()), reference.value(W), bound, None, f"{name} {W.shape}")
        trainer.add_penalty_gradient()
        slope = reference.gradient(W)
        check(dW, 1.0 + slope, rounding(6, dtype), 1.0 + np.abs(slope), f"slope of {name}")
        assert (db == 1.0).all()
