"""Layers used alone and in a network: arguments, shapes, parameters, copies."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from tests.bad_values import NEEDED

import fastmlp as fm
from fastmlp.layers import ACTIVATIONS, LAYERS

SHAPE_KEEPING = [*ACTIVATIONS, "Softmax", "Dropout"]
X = np.linspace(-2.0, 2.0, 12).reshape(3, 4)


@pytest.mark.parametrize("name", SHAPE_KEEPING)
@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (0, 5), (7,)])
def test_shape_is_kept(name, shape):
    layer = LAYERS[name]()
    y = layer.forward(np.ones(shape))
    assert y.shape == shape
    assert layer.backward(np.ones(shape)).shape == shape


@pytest.mark.parametrize("name", SHAPE_KEEPING)
def test_dtype_follows_the_input(name):
    layer = LAYERS[name]()
    assert layer.forward(X).dtype == np.float64
    assert layer.forward(X.astype(np.float32)).dtype == np.float32
    assert layer.forward(X.astype(np.int8)).dtype == np.float32
    assert LAYERS[name](dtype="float32").forward(X).dtype == np.float32


@pytest.mark.parametrize("name", [name for name in SHAPE_KEEPING if name != "Step"])
def test_local_gradient_is_the_slope(name):
    layer = LAYERS[name]()
    x = X + 0.05  # away from 0, where some layers have a kink
    layer.forward(x)
    dy = np.linspace(1.0, 2.0, 12).reshape(3, 4)
    dx = layer.backward(dy)
    eps = 1e-6
    for i, j in np.ndindex(3, 4):
        step = np.zeros_like(x)
        step[i, j] = eps
        slope = ((layer.forward(x + step) - layer.forward(x - step)) * dy).sum() / (2 * eps)
        assert dx[i, j] == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_activation_parameters():
    assert fm.LeakyReLU().negative_slope == 0.1
    assert fm.LeakyReLU(0.5).forward([-2.0]).tolist() == [-1.0]
    assert fm.LeakyReLU(negative_slope=0.5).forward([[-2.0]]).tolist() == [[-1.0]]
    assert fm.ELU(alpha=2.0).alpha == 2.0
    with pytest.raises(AttributeError):
        fm.ELU().alpha = 3.0


def test_clamp_needs_a_range():
    assert fm.Clamp(2.0, 2.0).forward([-5.0, 2.0, 5.0]).tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(fm.ArgumentError, match=r"max: got 1\.0; want a finite number >= 2"):
        fm.Clamp(2.0, 1.0)
    with pytest.raises(fm.ArgumentError, match="min: got -inf"):
        fm.Clamp(min=float("-inf"))


def test_gelu_has_two_formulas():
    exact, tanh = fm.GELU(), fm.GELU(approximate="tanh")
    assert 1e-5 < abs(exact.forward(X) - tanh.forward(X)).max() < 1e-3
    with pytest.raises(fm.ArgumentError, match=r"approximate.*'none', 'tanh'"):
        fm.GELU(approximate="fast")
    assert not hasattr(fm, "GELUTanh")


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (fm.Linear(784, 256), "Linear(in_features=784, out_features=256)"),
        (fm.Linear(2, 3, bias=False), "Linear(in_features=2, out_features=3, bias=False)"),
        (fm.LeakyReLU(), "LeakyReLU(negative_slope=0.1)"),
        (fm.ReLU(), "ReLU()"),
        (fm.GELU(), "GELU(approximate='none')"),
        (fm.Dropout(0.25), "Dropout(p=0.25)"),
    ],
)
def test_repr(layer, text):
    assert repr(layer) == text


# A parameter as a value reads nothing.
@pytest.mark.parametrize("name", [name for name in LAYERS if LAYERS[name].n_inputs != (0, 0)])
@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_duplicates(name, duplicate):
    options = {"Linear": {"in_features": 4, "out_features": 3}}
    layer = LAYERS[name](**options.get(name, NEEDED.get(name, {})))
    inputs = [X] * layer.n_inputs[0]
    if name == "MatMul":
        inputs = [X, X.copy()]
    if name == "Embedding":
        inputs = [[[0], [4], [2]]]
    expected = layer.forward(*inputs)
    copied = duplicate(layer)
    assert type(copied) is type(layer)
    assert repr(copied) == repr(layer)
    assert np.array_equal(copied.forward(*inputs), expected)


@pytest.mark.parametrize("name", [*LAYERS, "Custom"])
def test_docstrings_give_an_example_and_the_local_gradient(name):
    text = getattr(fm, name).__doc__
    assert ">>> import fastmlp as fm" in text
    assert "ocal gradient" in text or name in ("Dropout", "Parameter", "Custom")


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_docstring_says_how_it_is_used(name):
    text = ACTIVATIONS[name].__doc__
    assert f"fm.{name}()" in text or f"fm.{name}(" in text
    assert "f(z)" in text or "y =" in text


def test_linear_alone():
    lin = fm.Linear(4, 3, seed=1)
    assert lin.W.shape == (4, 3)
    assert lin.b.tolist() == [0.0, 0.0, 0.0]
    y = lin.forward(X)
    assert np.allclose(y, X @ lin.W + lin.b, atol=1e-6)
    dy = np.arange(9.0).reshape(3, 3)
    assert np.allclose(lin.backward(dy), dy @ lin.W.T, atol=1e-5)
    assert np.allclose(lin.dW, X.T @ dy, atol=1e-5)
    assert np.allclose(lin.db, dy.sum(axis=0), atol=1e-5)


def test_linear_gradients_overwrite_or_accumulate():
    lin = fm.Linear(2, 1)
    for accumulate, expected in [(False, 1.0), (False, 1.0), (True, 2.0)]:
        lin.forward([[1.0, 1.0]])
        lin.backward([[1.0]], accumulate=accumulate)
        assert lin.dW.tolist() == [[expected], [expected]]


def test_linear_without_bias():
    lin = fm.Linear(2, 2, bias=False)
    assert lin.b is None
    assert lin.db is None
    assert lin.n_parameters == 4
    with pytest.raises(fm.ArgumentError, match="no bias"):
        lin.b = [1.0, 2.0]


def test_writing_weights_takes_effect():
    lin = fm.Linear(2, 1, dtype="float64")
    lin.W = [[1], [2]]
    lin.b[...] = 3.0
    lin.W *= 2
    assert lin.forward([1.0, 1.0]).tolist() == [9.0]
    with pytest.raises(fm.ArgumentError, match=r"W: got shape \(2,\); want \(2, 1\)"):
        lin.W = [1.0, 2.0]
    assert lin.W.tolist() == [[2.0], [4.0]]


def test_seeds():
    assert np.array_equal(fm.Linear(5, 5, seed=3).W, fm.Linear(5, 5, seed=3).W)
    assert not np.array_equal(fm.Linear(5, 5, seed=3).W, fm.Linear(5, 5, seed=4).W)
    assert not np.array_equal(fm.Linear(5, 5).W, fm.Linear(5, 5).W)


@pytest.mark.parametrize(
    ("name", "spread"),
    [
        ("he_normal", (2 / 200) ** 0.5),
        ("he_uniform", (2 / 200) ** 0.5),
        ("xavier_normal", (2 / 500) ** 0.5),
        ("xavier_uniform", (2 / 500) ** 0.5),
        ("lecun_normal", (1 / 200) ** 0.5),
        ("lecun_uniform", (1 / 200) ** 0.5),
    ],
)
def test_initializers_spread(name, spread):
    lin = fm.Linear(200, 300, init=name, seed=0, dtype="float64")
    assert lin.W.std() == pytest.approx(spread, rel=0.02)
    assert abs(lin.W.mean()) < 0.02 * spread


def test_constant_initializers():
    lin = fm.Linear(3, 2, init="zeros", bias_init=fm.initializers.Constant(0.5))
    assert not lin.W.any()
    assert lin.b.tolist() == [0.5, 0.5]
    with pytest.raises(fm.ArgumentError, match="init: got 'he'; want one of 'he_normal'"):
        fm.Linear(3, 2, init="he")
    with pytest.raises(fm.ArgumentTypeError, match="init"):
        fm.Linear(3, 2, init=0.5)


@pytest.mark.parametrize(
    ("following", "scale"),
    [
        ([fm.ReLU], 2 / 200),
        ([fm.Dropout, fm.Identity, fm.ReLU], 2 / 200),
        ([fm.SELU], 1 / 200),
        ([fm.Tanh], 2 / 500),
        ([fm.Sigmoid], 2 / 500),
        ([], 2 / 500),
        ([fm.Softmax], 2 / 500),
    ],
)
def test_the_next_activation_chooses_the_initializer(following, scale):
    net = fm.Sequential(fm.Linear(200, 300), *[cls() for cls in following], seed=0)
    assert net[0].W.std() == pytest.approx(scale**0.5, rel=0.02)


def test_dropout_alone():
    drop = fm.Dropout(0.5, seed=0)
    x = np.ones((50, 40))
    assert np.array_equal(drop.forward(x), x)
    first = drop.forward(x, training=True)
    assert np.array_equal(drop.backward(x), first)
    second = drop.forward(x, training=True)
    assert set(np.unique(first)) == {0.0, 2.0}
    assert not np.array_equal(first, second)
    assert np.array_equal(fm.Dropout(0.5, seed=0).forward(x, training=True), first)
    assert abs((first == 0).mean() - 0.5) < 0.05


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_dropout_probability(p):
    with pytest.raises(fm.ArgumentError, match="p: got"):
        fm.Dropout(p)


@pytest.mark.parametrize(("width", "error"), [(0, ValueError), (-1, ValueError), (2.0, TypeError)])
def test_linear_widths(width, error):
    with pytest.raises(error, match="in_features: got"):
        fm.Linear(width, 3)
    with pytest.raises(error, match="out_features: got"):
        fm.Linear(3, width)


@pytest.mark.parametrize("make", [lambda: fm.Linear(4, 4), fm.ReLU, fm.Softmax])
def test_backward_once_per_forward(make):
    layer = make()
    with pytest.raises(fm.StateError, match="no forward pass"):
        layer.backward(X)
    layer.forward(X)
    layer.backward(X)
    with pytest.raises(fm.StateError, match="used up"):
        layer.backward(X)


def test_a_layer_of_a_network_used_by_itself():
    net = fm.Sequential(fm.Linear(4, 5), fm.Tanh(), fm.Linear(5, 2), dtype="float64", seed=0)
    y = X
    for layer in net:
        y = layer.forward(y)
    assert np.allclose(y, net.predict(X), rtol=1e-12)
    dy = np.ones((3, 2))
    net.forward(X)
    expected = net.backward(dy)
    gradients = net.grads.copy()
    net.zero_grad()
    for layer in reversed(net.layers):
        dy = layer.backward(dy)
    assert np.allclose(dy, expected, rtol=1e-12)
    assert np.allclose(net.grads, gradients, rtol=1e-12)


def test_linear_keeps_its_weights_when_it_joins():
    lin = fm.Linear(4, 3, seed=5, dtype="float64")
    kept = lin.W.copy()
    lin.b[...] = 1.0
    net = fm.Sequential(lin, fm.ReLU(), seed=0)
    assert lin.W.dtype == np.float32
    assert np.array_equal(lin.W, kept.astype(np.float32))
    assert np.shares_memory(lin.W, net.params)
    assert net.params[12:].tolist() == [1.0, 1.0, 1.0]


def test_a_layer_without_values_is_copied_without_values():
    other = pickle.loads(pickle.dumps(fm.Linear(4, 3, seed=5)))
    assert np.array_equal(other.W, fm.Linear(4, 3, seed=5).W)


def test_running_moments_of_a_layer_used_by_itself_are_those_of_its_network():
    alone = fm.BatchNorm(4, dtype="float64")
    net = fm.Sequential(fm.Linear(4, 4), fm.BatchNorm(4), dtype="float64", seed=0)
    expected = alone.forward(X, training=True)
    assert np.array_equal(net[1].forward(X, training=True), expected)
    assert np.array_equal(net[1].running_mean, alone.running_mean)
    assert np.shares_memory(net[1].running_mean, net.state)
    assert net.state.any()


def test_a_parameter_outside_graphs():
    parameter = fm.Parameter(2, 3, init="zeros").layer
    assert parameter.W.tolist() == [[0.0] * 3] * 2
    parameter.W[0] = 1.0
    assert parameter.output.sum() == 3.0
    assert parameter.grad.shape == (2, 3)
    assert (parameter.width_after(), parameter.widths_alone()) == (6, ())
