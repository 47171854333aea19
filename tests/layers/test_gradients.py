"""Backward against central differences in float64, for every layer with every loss."""

from __future__ import annotations

import numpy as np
import pytest
from tests.harness import ACTIVATIONS, LOSSES, generator

import fastmlp as fm
from fastmlp import reference as ref

ROWS, WIDTH = 4, 4
LAYERS = {name: getattr(fm, name, None) for name in ACTIVATIONS} | {
    "GELUTanh": lambda: fm.GELU(approximate="tanh"),
    "Softmax": fm.Softmax,
    "Dropout": lambda: fm.Dropout(0.3),
    "Linear": lambda: fm.Linear(WIDTH, WIDTH),
    "Linear without bias": lambda: fm.Linear(WIDTH, WIDTH, bias=False),
    "Linear with groups": lambda: fm.Linear(WIDTH, WIDTH, groups=2),
    "Linear with a fold": lambda: fm.Linear(WIDTH // 2, WIDTH // 2, fold=2),
}
# Other arguments than the defaults; "probabilities" concerns the target.
VARIANTS = {
    "CrossEntropyLoss": [{}, {"label_smoothing": 0.1}, "probabilities"],
    "HuberLoss": [{}, {"delta": 0.3}],
    "MultiMarginLoss": [{}, {"margin": 0.5}],
    "QuantileLoss": [{"quantiles": 0.3}, {"quantiles": [0.1, 0.8]}],
}
# A gradient that has left its loss is a gradient like any other: these kinds of losses are enough
# here, and tests/losses/test_every_loss.py has all of them.
KINDS = [
    "CrossEntropyLoss", "BCEWithLogitsLoss", "MSELoss", "L1Loss", "HuberLoss", "MultiMarginLoss",
    "PoissonNLLLoss", "QuantileLoss",
]  # fmt: skip
CASES = [(name, variant) for name in KINDS for variant in VARIANTS.get(name, [{}])]


def problem(name, variant):
    """A loss, inputs and targets."""
    rng = generator(name, repr(variant))
    given = {} if variant == "probabilities" else variant
    loss, x = getattr(fm, name)(**given), rng.normal(size=(ROWS, WIDTH))
    if variant == "probabilities":
        return loss, x, rng.dirichlet(np.ones(WIDTH), size=ROWS)
    if LOSSES[name][1]["target"] == "class":
        return loss, x, rng.integers(WIDTH, size=ROWS)
    columns = WIDTH // 2 if variant.get("quantiles") == [0.1, 0.8] else WIDTH
    return loss, x, rng.uniform(0.05, 0.95, size=(ROWS, columns))


def network(layer):
    """The layer first, in the middle and last: its position decides which kernels run."""
    net = fm.Sequential(layer(), fm.Linear(WIDTH, 5), fm.Linear(5, WIDTH), layer(),
                        fm.Linear(WIDTH, WIDTH), layer(), in_features=WIDTH, dtype="float64",
                        seed=3)  # fmt: skip
    # Biases too, because after a row of zeros a bias of 0 would be exactly at a kink.
    net.params = generator("params").normal(size=net.params.size)
    return net


def test_every_layer_is_there():
    assert None not in LAYERS.values()


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("name", "variant"), CASES, ids=str)
def test_layer_with_loss(layer, name, variant):
    loss, x, y = problem(name, variant)
    weight = generator("weight").uniform(size=ROWS)
    assert fm.gradcheck(network(LAYERS[layer]), loss, x, y) < 1e-6
    assert fm.gradcheck(network(LAYERS[layer]), loss, x, y, sample_weight=weight) < 1e-6


@pytest.mark.parametrize(("name", "variant"), CASES, ids=str)
def test_sum_of_the_rows(name, variant):
    loss, x, y = problem(name, variant)
    loss = type(loss)(**{**loss.arguments(), "reduction": "sum"})
    assert fm.gradcheck(network(fm.Tanh), loss, x, y) < 1e-6


def test_gradients_on_every_instruction_set(isa):
    loss, x, y = problem("CrossEntropyLoss", {"label_smoothing": 0.1})
    for layer in LAYERS.values():
        assert fm.gradcheck(network(layer), loss, x, y) < 1e-6


def test_a_wrong_gradient_is_found():
    class Halved(fm.MSELoss):
        def core_spec(self):
            return fm.MSELoss().core_spec()

        def backward(self):
            return super().backward() / 2

    _, x, y = problem("MSELoss", {})
    assert fm.gradcheck(network(fm.Tanh), Halved(), x, y) > 0.1


# docs/numerics.md, section "Functions": the derivative at 0, from both sides.
KINKS = [
    (fm.ReLU(), 0.0),
    (fm.LeakyReLU(0.3), 0.3),
    (fm.ELU(0.3), 0.3),
    (fm.SELU(), 1.7580993408473768599),
    (fm.Step(), 0.0),
    (fm.Clamp(0.0, 1.0), 1.0),
    (fm.Clamp(-1.0, 0.0), 1.0),
]


@pytest.mark.parametrize(("layer", "slope"), KINKS, ids=repr)
def test_derivatives_at_kinks(layer, slope, isa, dtype):
    zeros = np.array([[0.0, -0.0] * 20], dtype)
    layer.forward(zeros, training=True)
    assert (layer.backward(np.ones_like(zeros)) == dtype.type(slope)).all()


@pytest.mark.parametrize("p", [0.5, 1.0, 1.5, 2.0, 3.0])
def test_penalties_at_the_ends_of_the_numbers(p, isa, dtype):
    """``|w|^p`` and its slope if w is 0, infinite or NaN, and next to ordinary numbers."""
    net = fm.Sequential(fm.Linear(4, 1, bias=False), dtype=dtype.name)
    net[0].W[...] = np.array([[0.0], [-1.0], [-np.inf], [np.nan]])
    fm.Lp(p, 0.5).backward(net)
    at_infinity = -np.inf if p > 1 else -0.5 if p == 1 else 0.0
    wanted = np.array([0.0, -0.5 * p, at_infinity, np.nan]).astype(dtype)
    np.testing.assert_array_equal(net[0].dW[:, 0], wanted)
    net[0].W[3] = 2.0
    assert fm.Lp(p, 0.5).forward(net) == np.inf


def test_penalties_of_denormal_weights(isa, dtype):
    """A denormal is scaled up for its logarithm, and the scale is removed afterwards."""
    tiny = np.finfo(dtype).tiny
    net = fm.Sequential(fm.Linear(4, 1, bias=False), dtype=dtype.name)
    net.params = np.array([tiny / 8, -tiny / 1000, tiny / 2, tiny * 3], dtype)
    fm.Lp(0.5, 0.5).backward(net)
    wanted = ref.Lp(0.5, 0.5).gradient(net.params.astype(np.float64))
    np.testing.assert_allclose(net.grads, wanted, rtol=8 * np.finfo(dtype).eps)
