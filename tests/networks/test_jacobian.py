"""The gradients of all outputs in one pass: against differences, closed forms and backward."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp as fm


def network(dtype="float64"):
    return fm.Sequential(
        fm.Linear(4, 7), fm.Tanh(), fm.Linear(7, 5), fm.SiLU(), fm.Linear(5, 3),
        dtype=dtype, seed=0,
    )  # fmt: skip


def rows(*leading, width=4):
    return np.random.default_rng(1).standard_normal((*leading, width))


def differences(net, x, h=1e-5):
    """Central differences, (N, out, in)."""
    found = np.empty((len(x), net.out_features, net.in_features))
    for n in range(net.in_features):
        step = np.zeros(net.in_features)
        step[n] = h
        found[:, :, n] = (net.predict(x + step) - net.predict(x - step)) / (2 * h)
    return found


def test_it_agrees_with_central_differences(isa):
    net, x = network(), rows(6)
    np.testing.assert_allclose(net.jacobian(x), differences(net, x), rtol=0, atol=1e-9)


def test_rows_of_the_jacobian_are_backward_passes(isa, dtype):
    net, x = network(dtype), rows(6)
    jacobian = net.jacobian(x)
    assert jacobian.dtype == dtype
    for m in range(3):
        net.forward(x)
        dx = net.backward(np.tile(np.eye(3)[m], (6, 1)))
        np.testing.assert_array_equal(jacobian[:, m], dx)


def test_closed_forms(isa):
    rng = np.random.default_rng(0)
    A, x = rng.standard_normal((3, 4)), rng.standard_normal(4)
    linear = fm.Sequential(fm.Linear(4, 3), dtype="float64")
    linear[0].W = A.T
    np.testing.assert_array_equal(linear.jacobian(x), A)
    relu = fm.Sequential(fm.ReLU(), in_features=4, dtype="float64")
    np.testing.assert_array_equal(relu.jacobian([1.0, -2, 3, -1]), np.diag([1.0, 0, 1, 0]))
    square, node = rng.standard_normal((4, 4)), fm.Input(4, "x")
    w = fm.Parameter(4, 4, name="A")
    form = fm.Graph(node, fm.Sum()(node * fm.MatMul()(w, node)), dtype="float64")
    form["A"].W = square
    np.testing.assert_allclose(form.jacobian(x), [(square + square.T) @ x], rtol=1e-13)


@pytest.mark.parametrize("leading", [(), (5,), (2, 5), (0,), (0, 2)])
def test_shapes(leading):
    net, x = network(), rows(*leading)
    found = net.jacobian(x)
    assert found.shape == (*leading, 3, 4)
    assert found.tobytes() == net.jacobian(x.reshape(-1, 4)).tobytes()


def test_nothing_of_the_network_changes():
    net = fm.Sequential(
        fm.Linear(4, 5), fm.BatchNorm(5), fm.Dropout(0.5), fm.Linear(5, 3), dtype="float64", seed=0
    )
    x = rows(6)
    net.forward(x, training=True)
    net.backward(np.ones((6, 3)))
    y = net.forward(x)
    before = [net.params.copy(), net.grads.copy(), net.state.copy(), net.step_count]
    net.jacobian(rows(2))
    after = [net.params, net.grads, net.state, net.step_count]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    expected = np.einsum("nmi,nm->ni", net.jacobian(x), y)
    np.testing.assert_allclose(net.backward(y), expected, rtol=1e-12)  # of the pass before it


def test_it_follows_the_parameters():
    net = network()
    first = net.jacobian(rows(1))
    net[0].W *= 2
    assert not np.array_equal(net.jacobian(rows(1)), first)


def test_several_ends_are_an_error():
    a, b = fm.Input(2, "a"), fm.Input(2, "b")
    net = fm.Graph([a, b], {"sum": a + b, "product": a * b, "max": fm.Maximum()(a, b)})
    with pytest.raises(fm.ArgumentError, match="2 inputs and 3 outputs; want one of each"):
        net.jacobian({"a": [1.0, 2.0], "b": [3.0, 4.0]})


def test_rows_that_do_not_fit_are_an_error():
    with pytest.raises(fm.ArgumentError, match="x: got 5 columns; want 4"):
        network().jacobian(np.ones((2, 5)))
    with pytest.raises(fm.ArgumentTypeError, match="x"):
        network().jacobian("words")
