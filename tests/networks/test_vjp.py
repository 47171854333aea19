"""Products with the Jacobian: against forward and backward, differences and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from tests.golden import runs
from tests.harness import generator, on_all_thread_counts

import fastmlp as fm

# Networks of the golden runs: together they have every layer.
NETWORKS = [
    "every activation",
    "dropout, softmax, penalties, clipping",
    "columns and strengths",
    "groups and folds",
    "every join and norm",
    "products in bfloat16",
    "joins in bfloat16",
]


def two_heads():
    a, b = fm.Input(3, "a"), fm.Input(2, "b")
    h = fm.Tanh()(fm.Linear(5, 6)(fm.Concat()(a, b)))
    value = fm.Linear(6, 1)(h + fm.Linear(2, 6)(b))
    heads = {"mean": fm.Linear(6, 2)(h), "value": value}
    return fm.Graph({"a": a, "b": b}, heads, dtype="float64", seed=3)


def ends(rows=4):
    rng = generator("ends")
    x = {"a": rng.normal(size=(rows, 3)), "b": rng.normal(size=(rows, 2))}
    dy = {"mean": rng.normal(size=(rows, 2)), "value": rng.normal(size=(rows, 1))}
    return x, dy


@pytest.mark.parametrize("name", NETWORKS)
def test_it_has_the_bits_of_forward_and_backward(name, isa):
    run = runs.RUNS[name]
    net = runs.network(run, "float32")
    x = runs.data(run, net)[0].astype(np.float32)
    rng = generator(name)
    for rows in (1, 5, len(x)):
        dy = rng.normal(size=(rows, net.out_features)).astype(np.float32)
        scores, dx = on_all_thread_counts(lambda rows=rows, dy=dy: net.vjp(x[:rows], dy))
        np.testing.assert_array_equal(scores, net.forward(x[:rows]))
        np.testing.assert_array_equal(dx, net.backward(dy))
        np.testing.assert_array_equal(net.input_gradient(x[:rows], dy), dx)


def test_a_function_finds_the_gradient_from_the_outputs(isa):
    run = runs.RUNS["groups and folds"]
    net = runs.network(run, "float32")
    x = runs.data(run, net)[0].astype(np.float32)
    expected = net.vjp(x, 2 * net.predict(x))
    found = on_all_thread_counts(lambda: net.vjp(x, lambda scores: 2 * scores))
    for one, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, wanted)
    np.testing.assert_array_equal(net.input_gradient(x, lambda scores: 2 * scores), expected[1])


def test_a_function_gets_and_gives_what_the_outputs_are():
    net, (x, dy) = two_heads(), ends()
    np.testing.assert_equal(net.vjp(x, lambda scores: dy), net.vjp(x, dy))
    double = net.input_gradient(x, lambda scores: {"mean": scores["mean"], "value": dy["value"]})
    scores = net.predict(x)
    np.testing.assert_equal(double, net.input_gradient(x, {**dy, "mean": scores["mean"]}))
    one = fm.Sequential(fm.Linear(3, 2), seed=0)
    assert one.input_gradient([1.0, 2.0, 3.0], lambda scores: np.ones_like(scores)).shape == (3,)


def test_a_function_that_fails_or_changes_the_network_is_an_error():
    net = fm.Sequential(fm.Linear(3, 2), seed=0)

    def changes(scores):
        net[0].W[...] = 1.0
        return scores

    with pytest.raises(ZeroDivisionError):
        net.vjp([1.0, 2.0, 3.0], lambda scores: scores * (1 / 0))
    with pytest.raises(fm.ArgumentError, match=r"^dy: got 3 columns"):
        net.vjp([1.0, 2.0, 3.0], lambda scores: np.zeros(3))
    with pytest.raises(fm.StateError, match=r"^dy: this function has changed"):
        net.vjp([1.0, 2.0, 3.0], changes)
    np.testing.assert_array_equal(net.input_gradient([1.0, 2.0, 3.0], [1.0, 0.0]), np.ones(3))


def test_several_ends_are_given_by_name():
    net, (x, dy) = two_heads(), ends()
    scores, dx = net.vjp(x, dy)
    expected, slopes = net.forward(x), net.backward(dy)
    for found, wanted in ((scores, expected), (dx, slopes)):
        assert found.keys() == wanted.keys()
        for name in wanted:
            np.testing.assert_array_equal(found[name], wanted[name])


def test_what_a_forward_saved_and_the_gradients_stay():
    net, other = two_heads(), two_heads()
    (x, dy), (x2, dy2) = ends(), ends(7)
    other.forward(x)
    expected = other.backward(dy)
    net.forward(x)
    net.vjp(x2, dy2)
    net.jvp(x2, x2)
    found = net.backward(dy)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])
    np.testing.assert_array_equal(net.grads, other.grads)
    assert net.step_count == 0


@pytest.mark.parametrize("leading", [(), (4,), (2, 3), (0,)])
def test_leading_dimensions(leading):
    net = fm.Sequential(fm.Linear(3, 4), fm.GELU(), fm.Linear(4, 2), dtype="float64", seed=1)
    rng = generator(leading)
    x, dx = rng.normal(size=(2, *leading, 3))
    dy = rng.normal(size=(*leading, 2))
    scores, slope = net.vjp(x, dy)
    assert scores.shape == (*leading, 2)
    jacobian = net.jacobian(x)
    np.testing.assert_allclose(slope, np.einsum("...mi,...m->...i", jacobian, dy), atol=1e-13)
    along = net.jvp(x, dx)
    np.testing.assert_allclose(along, np.einsum("...mi,...i->...m", jacobian, dx), atol=1e-13)


def test_the_derivative_along_a_direction_equals_differences():
    net, (x, _) = two_heads(), ends()
    rng = generator("direction")
    dx = {name: rng.normal(size=rows.shape) for name, rows in x.items()}
    found, h = net.jvp(x, dx), 1e-5
    above = net.predict({name: x[name] + h * dx[name] for name in x})
    below = net.predict({name: x[name] - h * dx[name] for name in x})
    for name in found:
        np.testing.assert_allclose(found[name], (above[name] - below[name]) / (2 * h), atol=1e-9)


def test_many_outputs_are_taken_in_parts():
    net = fm.Sequential(fm.Linear(2, 40), fm.Tanh(), dtype="float64", seed=0)
    x = generator("parts").normal(size=(300, 2))
    closed = (1 - np.tanh(x @ net[0].W + net[0].b) ** 2)[:, :, None] * net[0].W.T
    np.testing.assert_allclose(net.jacobian(x), closed, atol=1e-13)
    np.testing.assert_allclose(net.jvp(x, x), np.einsum("nmi,ni->nm", closed, x), atol=1e-13)


class Cube:
    """y = x^3, which saves its input for backward."""

    def forward(self, x):
        self.x = x
        return x**3

    def backward(self, upstream):
        return 3 * self.x**2 * upstream


def test_custom_nodes_keep_what_they_saved():
    net = fm.Sequential(fm.Linear(3, 2), Cube(), dtype="float64", seed=0)
    rng = generator("custom")
    x, other = rng.normal(size=(2, 4, 3))
    dy = np.ones((4, 2))
    net.forward(x)
    scores, dx = net.vjp(other, dy)
    z = other @ net[0].W + net[0].b
    np.testing.assert_allclose(scores, z**3)
    np.testing.assert_allclose(dx, 3 * z**2 @ net[0].W.T)
    z = x @ net[0].W + net[0].b
    np.testing.assert_allclose(net.backward(dy), 3 * z**2 @ net[0].W.T)


def test_an_embedding_has_no_gradient_of_its_rows():
    net = fm.Sequential(fm.Embedding(5, 3, columns=2), fm.Linear(6, 2), dtype="float64", seed=0)
    rows = np.array([[0.0, 4.0], [1.0, 1.0]])
    assert not net.input_gradient(rows, np.ones((2, 2))).any()
    assert not net.jvp(rows, [[0.5, 0.5], [1.0, 1.0]]).any()
    with pytest.raises(fm.ArgumentError, match=r"^x: got 5 at row 0"):
        net.input_gradient(rows + 1, np.ones((2, 2)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net, x, dy: net.input_gradient(x[:, :2], dy), r"^x: got 2 columns; want 3"),
        (lambda net, x, dy: net.vjp(x, dy[:2]), r"^dy: got 2 rows; want 4, as many as x has"),
        (lambda net, x, dy: net.vjp(x, dy[:, :1]), r"^dy: got 1 columns; want 2"),
        (lambda net, x, dy: net.jvp(x, dy), r"^dx: got 2 columns; want 3"),
        (lambda net, x, dy: net.jvp(x, x[:1]), r"^dx: got 1 rows; want 4, as many as x has"),
        (
            lambda net, x, dy: net.vjp(x.reshape(2, 2, 3), dy),
            r"^dy: got leading dimensions \(4,\); want \(2, 2\), those that x has",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_an_error(call, message):
    net = fm.Sequential(fm.Linear(3, 2), seed=0)
    with pytest.raises(fm.ArgumentError, match=message):
        call(net, np.ones((4, 3)), np.ones((4, 2)))


def test_it_needs_exclusive_use_of_the_network():
    class Asks:
        def forward(self, scores, y):
            self.gradient = net.input_gradient(x, scores)
            return 0.0

        def backward(self):
            return self.gradient

    net, x = fm.Sequential(fm.Linear(3, 2), seed=0), np.ones((4, 3))
    with pytest.raises(fm.StateError, match="exclusive use"):
        fm.Trainer(net, Asks()).step(x, np.zeros(4))
    net.input_gradient(x, np.ones((4, 2)))


def test_memory_is_freed_by_release():
    net = fm.Sequential(fm.Linear(3, 50), fm.Tanh(), fm.Linear(50, 2), seed=0)
    core = net.core_net()
    before = core.workspace_bytes
    net.input_gradient(np.ones((200, 3)), np.ones((200, 2)))
    assert core.workspace_bytes > before
    net.release()
    assert core.workspace_bytes == 0


def test_it_equals_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install torch)")
    net = fm.Sequential(fm.Linear(3, 5), fm.SiLU(), fm.Linear(5, 2), dtype="float64", seed=0)
    first, last = torch.tensor(net[0].W), torch.tensor(net[2].W)

    def function(rows):
        hidden = torch.nn.functional.silu(rows @ first + torch.tensor(net[0].b))
        return hidden @ last + torch.tensor(net[2].b)

    rng = generator("torch")
    x, dx, dy = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    scores, slope = torch.autograd.functional.vjp(function, torch.tensor(x), torch.tensor(dy))
    for found, wanted in zip(net.vjp(x, dy), (scores, slope), strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-12)
    _, along = torch.autograd.functional.jvp(function, torch.tensor(x), torch.tensor(dx))
    np.testing.assert_allclose(net.jvp(x, dx), along.numpy(), rtol=1e-12)
