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


def graph(A, build):
    """The network of ``build(x, A x)``, where A is a parameter."""
    x, w = fm.Input(A.shape[1], "x"), fm.Parameter(*A.shape, name="A")
    net = fm.Graph(x, build(x, fm.MatMul()(w, x)), dtype="float64")
    net["A"].W = A
    return net


def sum_of_tanh_after(A):
    """The network of f(x A) for rows x, where f is the sum of tanh."""
    net = fm.Sequential(
        fm.Linear(*A.shape, bias=False), fm.Tanh(), fm.Linear(A.shape[1], 1, bias=False),
        dtype="float64",
    )  # fmt: skip
    net[0].W, net[2].W = A, np.ones((A.shape[1], 1))
    return net


def test_the_table_of_matrix_gradients(isa):
    rng = np.random.default_rng(0)
    A, S, x = rng.standard_normal((3, 4)), rng.standard_normal((4, 4)), rows(6)
    square = fm.Input(4, "x")
    table = {
        "A x": (graph(A, lambda x, Ax: Ax), [A] * 6),
        "||x||^2": (
            fm.Graph(square, fm.Sum()(fm.Square()(square)), dtype="float64"),
            2 * x[:, np.newaxis],
        ),
        "x^T S x / 2": (
            graph(S / 2, lambda x, Sx: fm.Sum()(x * Sx)), (x @ (S + S.T) / 2)[:, np.newaxis],
        ),
        "f(A x)": (
            graph(A, lambda x, Ax: fm.Sum()(fm.Tanh()(Ax))),
            ((1 - np.tanh(x @ A.T) ** 2) @ A)[:, np.newaxis],
        ),
        "f(x A)": (sum_of_tanh_after(A.T), ((1 - np.tanh(x @ A.T) ** 2) @ A)[:, np.newaxis]),
    }  # fmt: skip
    for name, (net, expected) in table.items():
        np.testing.assert_allclose(net.jacobian(x), expected, rtol=0, atol=1e-13, err_msg=name)


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


class Power:
    """y = x^a with a trained; it keeps its dict of gradients and writes into the arrays."""

    def __init__(self):
        self.parameters = {"a": np.array([3.0])}
        self.gradients = {"a": np.zeros(1)}

    def forward(self, x):
        self.x = x
        return np.abs(x) ** self.parameters["a"]

    def backward(self, upstream):
        a, size = self.parameters["a"], np.abs(self.x)
        self.gradients["a"][...] = (upstream * size**a * np.log(size)).sum()
        return upstream * a * size ** (a - 1) * np.sign(self.x)


class Averse:
    """y = -x, whose ``gradients`` cannot be set."""

    gradients = property(lambda self: {})

    def forward(self, x):
        return -x

    def backward(self, upstream):
        return -upstream


def custom_network():
    return fm.Sequential(
        fm.Linear(4, 3), Power(), Averse(), fm.Linear(3, 2), dtype="float64", seed=0
    )


def test_a_waiting_backward_pass_finds_what_a_custom_node_saved():
    net, other, x, dy = custom_network(), custom_network(), rows(4), rows(4, width=2)
    other.forward(x)
    expected = other.backward(dy)
    net.forward(x)
    net.jacobian(rows(2))  # as many rows, each once for each output
    np.testing.assert_array_equal(net.backward(dy), expected)
    np.testing.assert_array_equal(net.grads, other.grads)


def test_the_gradients_of_a_custom_node_stay():
    net = custom_network()
    net.forward(rows(4))
    net.backward(rows(4, width=2))
    found, before = net[1].custom.gradients["a"], net[1].custom.gradients["a"].copy()
    net.jacobian(rows(2))
    assert net[1].custom.gradients["a"] is found
    np.testing.assert_array_equal(found, before)


def test_a_custom_node_agrees_with_central_differences():
    net, x = custom_network(), rows(6)
    np.testing.assert_allclose(net.jacobian(x), differences(net, x), rtol=0, atol=1e-8)


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
