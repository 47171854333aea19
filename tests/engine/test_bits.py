"""The same bits in every run, on all threads and instruction sets.

This holds for instruction sets with fused multiply-add. The record is golden/hashes.json;
golden/renew.py says when and how to renew it.
"""

from __future__ import annotations

import numpy as np
import pytest
from tests.golden import runs
from tests.harness import OPTIMIZERS, same_bits

import fastmlp as fm
from fastmlp import _core
from fastmlp import reference as ref

each_run = pytest.mark.parametrize(("name", "dtype"), runs.CASES)


def test_the_golden_runs_use_every_activation_and_optimizer():
    every = runs.RUNS.values()
    assert {type(run.optimizer).__name__ for run in every} == set(OPTIMIZERS)
    assert {type(p).__name__ for run in every for p in run.penalty} == set(ref.PENALTIES)
    layers = {layer.describe()["type"] for run in every for layer in run.layers()}
    assert layers - {"Parameter"} == {
        name for name in fm.__all__ if is_layer(getattr(fm, name)) and name != "Custom"
    }


def is_layer(value):
    return isinstance(value, type) and issubclass(value, fm.Layer) and value is not fm.Layer


def test_the_golden_hashes_have_the_version_of_the_document():
    record = runs.recorded()
    assert record["version"] == runs.version()
    expected = {f"{name}, {dtype}" for name, dtype in runs.CASES}
    assert all(record[part].keys() == expected for part in ("initial", "portable", "fma"))


@each_run
def test_initial_weights(name, dtype, isa):
    assert runs.initial(name, dtype) == runs.recorded()["initial"][f"{name}, {dtype}"]


def test_losses(isa):
    recorded = runs.recorded()[f"losses, {runs.family(isa)}"]
    found = {**runs.losses("float32"), **runs.losses("float64")}
    assert found == recorded, "docs/numerics.md promises these bits"


@each_run
def test_trained_weights(name, dtype, isa, threads):
    recorded = runs.recorded()[runs.family(isa)][f"{name}, {dtype}"]
    assert runs.trained(name, dtype) == recorded, "docs/numerics.md promises these bits"


@each_run
def test_two_runs_have_the_same_bits(name, dtype):
    """With the default threads and instruction set."""
    assert runs.trained(name, dtype) == runs.trained(name, dtype)


@each_run
def test_predictions_do_not_depend_on_the_batch(name, dtype, isa, threads):
    net = runs.network(runs.RUNS[name], dtype)
    x = runs.data(runs.RUNS[name], net)[0].astype(dtype)
    whole = net.predict(x)
    assert same_bits(net.forward(x), whole)
    for size in (1, 13, 64, 1100):
        parts = [net.predict(x[i : i + size]) for i in range(0, min(len(x), 5 * size), size)]
        assert same_bits(np.concatenate(parts), whole[: 5 * size]), size


def test_steps_by_hand_equal_the_trainer(isa, threads):
    """Forward, loss, backward and update give the bits of one ``Trainer.step``."""
    run = runs.RUNS["few outputs, by lane sums"]
    ours, theirs = runs.network(run, "float32"), runs.network(run, "float32")
    x, y, _ = runs.data(run, ours)
    trainer = fm.Trainer(ours, run.loss, run.optimizer)
    by_hand = type(run.optimizer)(theirs, **run.optimizer.arguments())
    for _ in range(3):
        value = trainer.step(x, y)
        assert run.loss.forward(theirs.forward(x, training=True), y) == value
        theirs.backward(run.loss.backward())
        by_hand.step()
        assert same_bits(ours.params, theirs.params)


def test_training_stays_inside_its_arrays(isa, dtype, threads, guarded):
    """Epochs of shuffled batches give the same bits with sentinels around all arrays."""
    run = runs.RUNS["more rows than a chunk"]._replace(rows=70)
    found = []
    for place in (np.asarray, guarded.input):
        net = runs.network(run, dtype.name)
        x, y, weight = (place(array.astype(dtype)) for array in runs.data(run, net))
        core = _core.Trainer(
            net.core_net(), [(run.loss.core_spec(), 1.0)], run.optimizer.core_spec(), [], 0
        )
        order, rates = place(_core.permutation(70, 5, 0)), place(np.full(3, 0.01))
        found.append((core.epoch(x, y, weight, order, 30, rates), net.params))
        assert core.steps_done == 3
    assert found[0][0] == found[1][0]
    assert same_bits(found[0][1], found[1][1])


def test_random_numbers_are_the_references(isa):
    for seed, stream, step in [(0, 0, 0), (2**63 + 5, 2**32 - 2, 3), (2**32, 9, 2**32 - 1)]:
        uniform = _core.random_uniform(1000, seed, stream, step)
        assert same_bits(uniform, ref.uniform(1000, seed, stream, step))
        normal = _core.random_normal(1000, seed, stream, step)
        np.testing.assert_allclose(normal, ref.normal(1000, seed, stream, step), rtol=1e-14)
    for n, epoch in [(0, 0), (1, 0), (64, 1), (65, 2), (1000, 3)]:
        order = _core.permutation(n, 77, epoch)
        assert same_bits(order, ref.permutation(n, 77, epoch))


@pytest.mark.parametrize("classes", [1, 2, 7, 10, 15, 16, 17, 33])
def test_cross_entropy_of_a_row_does_not_depend_on_its_batch(classes, isa, dtype):
    """Rows with few classes are computed together in vectors, and the remaining rows one by one."""
    rng = np.random.default_rng(classes)
    scores = (3.0 * rng.normal(size=(53, classes))).astype(dtype)
    scores[5, 0], scores[20, -1], scores[33] = np.nan, np.inf, -np.inf
    labels, weight = rng.integers(0, classes, 53), rng.uniform(0.5, 2.0, 53).astype(dtype)
    loss = fm.CrossEntropyLoss(reduction="sum")
    loss.forward(scores, labels, weight)
    together = loss.backward()
    for row in range(53):
        loss.forward(scores[row : row + 1], labels[row : row + 1], weight[row : row + 1])
        np.testing.assert_array_equal(together[row], loss.backward()[0])


@pytest.mark.parametrize("outputs", [513, 520])
def test_products_of_large_matrices_have_the_bits_of_small_ones(outputs, isa, dtype, threads):
    """Large operands are packed into panels; single rows or few columns are read in place."""
    rng = np.random.default_rng(outputs)
    x, dy = (rng.normal(size=(600, n)).astype(dtype) for n in (600, outputs))
    layer = fm.Linear(600, outputs, dtype=dtype, seed=0)
    y, dx, dW = layer.forward(x), layer.backward(dy), layer.dW.copy()
    for row in (0, 299, 599):
        one = slice(row, row + 1)
        assert same_bits(layer.forward(x[one]), y[one])
        assert same_bits(layer.backward(dy[one]), dx[one])
    part = fm.Linear(600, 16, dtype=dtype)
    part.W[...] = layer.W[:, -16:]
    assert same_bits(part.forward(x), y[:, -16:])
    part.backward(dy[:, -16:])
    assert same_bits(part.dW, dW[:, -16:])
