"""Products with the Hessian, and norms of the gradients of single rows."""

from __future__ import annotations

import numpy as np
import pytest
from tests import loss_problems as problems
from tests.harness import LOSSES, generator

import fastmlp as fm

SMOOTH = [loss for loss in problems.cases(LOSSES) if loss.smooth]


def network(outputs=3, between=fm.Tanh, dtype="float64"):
    return fm.Sequential(fm.Linear(4, 6), between(), fm.Linear(6, outputs), dtype=dtype, seed=2)


def problem(loss, rows=5):
    rng, width = generator("curvature", repr(loss)), problems.width_of(loss, 3)
    return rng.normal(size=(rows, 4)), problems.targets(loss, rows, width, rng), width


def gradient(net, loss, x, y, weight=None):
    loss.forward(net.forward(x), y, weight)
    dx = net.backward(loss.backward())
    return net.grads.copy(), dx


@pytest.mark.parametrize("loss", SMOOTH, ids=repr)
def test_it_is_the_derivative_of_the_gradient(loss):
    x, y, width = problem(loss)
    net, weight = network(width), generator("weight").uniform(0.5, 1.0, size=5)
    direction = generator("direction").normal(size=net.params.size)
    found = fm.hvp(net, loss, x, y, direction, sample_weight=weight)
    start, h, sides = net.params.copy(), 1e-6, []
    for sign in (1, -1):
        net.params = start + sign * h * direction
        sides.append(gradient(net, loss, x, y, weight)[0])
    np.testing.assert_allclose(found, (sides[0] - sides[1]) / (2 * h), rtol=1e-6, atol=1e-6)


def test_a_square_has_its_exact_hessian():
    x, y = generator("x").normal(size=(7, 3)), generator("y").normal(size=7)
    net = fm.Sequential(fm.Linear(3, 1, bias=False), dtype="float64", seed=0)
    direction = np.array([1e-3, -2e-3, 5e-4])
    expected = 2 / 7 * x.T @ x @ direction
    np.testing.assert_allclose(fm.hvp(net, fm.MSELoss(), x, y, direction), expected, rtol=1e-10)
    w = net[0].W
    of_inputs = fm.hvp(net, fm.MSELoss(), x, y, x, wrt="inputs")
    np.testing.assert_allclose(of_inputs, 2 / 7 * (x @ w) @ w.T, rtol=1e-9)
    assert not fm.hvp(net, fm.MSELoss(), x, y, np.zeros(3)).any()


def test_it_is_symmetric_and_leaves_the_network_alone():
    x, y, _ = problem(fm.CrossEntropyLoss())
    net = network(between=fm.GELU, dtype="float32")
    rng = generator("symmetric")
    a, b = rng.normal(size=(2, net.params.size))
    before = net.params.copy()
    loss = fm.CrossEntropyLoss()
    one, other = fm.hvp(net, loss, x, y, a), fm.hvp(net, loss, x, y, b)
    assert b @ one == pytest.approx(a @ other, rel=1e-9)
    assert np.array_equal(net.params, before)
    assert not net.grads.any()


def test_several_outputs():
    x = fm.Input(4)
    h = fm.SiLU()(fm.Linear(4, 5)(x))
    net = fm.Graph(x, {"a": fm.Linear(5, 2)(h), "b": fm.Linear(5, 1)(h)}, dtype="float64", seed=1)
    rng = generator("several")
    rows, y = rng.normal(size=(6, 4)), {"a": rng.integers(2, size=6), "b": rng.normal(size=6)}
    losses, weights = {"a": fm.CrossEntropyLoss(), "b": fm.MSELoss()}, {"a": 2.0, "b": 0.5}
    direction = rng.normal(size=net.params.size)
    found = fm.hvp(net, losses, rows, y, direction, loss_weights=weights)
    parts = [
        fm.hvp(net, losses, rows, y, direction, loss_weights={"a": a, "b": b})
        for a, b in ((2.0, 0.0), (0.0, 0.5))
    ]
    np.testing.assert_allclose(found, sum(parts), atol=1e-9)
    norms = fm.gradient_norms(net, losses, rows, y, loss_weights=weights)
    for i in range(6):
        scores = net.forward(rows[i : i + 1])
        up = {}
        for name, loss in losses.items():
            loss.forward(scores[name], y[name][i : i + 1])
            up[name] = weights[name] * loss.backward()
        net.backward(up)
        assert norms[i] == pytest.approx(np.linalg.norm(net.grads))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (fm.ReLU, "ReLU"),
        (fm.LeakyReLU, "LeakyReLU"),
        (fm.ELU, "ELU"),
        (lambda: fm.Maxout(2), "Maxout"),
        (lambda: fm.ParametricActivation(fm.ReLU(), 6), "ReLU"),
    ],
)
def test_layers_without_second_derivatives_are_an_error(make, name):
    width = 3 if name == "Maxout" else 6
    net = fm.Sequential(fm.Linear(4, 6), make(), fm.Linear(width, 3), seed=0)
    x, y, _ = problem(fm.MSELoss())
    with pytest.raises(fm.ArgumentError, match=f"^net: got {name}, which has no second derivat"):
        fm.hvp(net, fm.MSELoss(), x, y, np.ones(net.params.size))


class Own:
    def forward(self, scores, y):
        self.scores = scores
        return float((scores**2).sum())

    def backward(self):
        return 2 * self.scores


def test_other_arguments_that_do_not_fit_are_an_error():
    net, (x, y, _) = network(), problem(fm.MSELoss())
    ones = np.ones(net.params.size)

    def bad(message, call):
        with pytest.raises((fm.ArgumentError, fm.ArgumentTypeError), match=message):
            call()

    bad("^loss: got L1Loss, which", lambda: fm.hvp(net, fm.L1Loss(), x, y, ones))
    bad("^loss: got Own, which", lambda: fm.hvp(net, Own(), x, y, ones))
    bad("^loss: got Own, a loss", lambda: fm.gradient_norms(net, Own(), x, y))
    bad("^direction: got shape", lambda: fm.hvp(net, fm.MSELoss(), x, y, ones[:-1]))
    bad("^direction: got shape", lambda: fm.hvp(net, fm.MSELoss(), x, y, ones, wrt="inputs"))
    bad("^wrt: got 'rows'", lambda: fm.hvp(net, fm.MSELoss(), x, y, ones, wrt="rows"))
    bad("^net: got 3; want", lambda: fm.hvp(3, fm.MSELoss(), x, y, ones))
    bad("^net: got 3; want", lambda: fm.gradient_norms(3, fm.MSELoss(), x, y))


@pytest.mark.parametrize(
    "middle",
    [
        [fm.Tanh()],
        [fm.ReLU(), fm.Linear(6, 6, bias=False)],
        [fm.LayerNorm(6), fm.GELU()],
        [fm.Linear(6, 6, groups=2), fm.Tanh()],
        [fm.BatchNorm(6), fm.Maxout(2), fm.Linear(3, 6)],
    ],
    ids=repr,
)
@pytest.mark.parametrize("loss", [fm.CrossEntropyLoss(), fm.MSELoss(), fm.MSELoss("sum")], ids=repr)
def test_norms_are_those_of_single_rows(middle, loss):
    x, y, width = problem(loss)
    net = fm.Sequential(fm.Linear(4, 6), *middle, fm.Linear(6, width), dtype="float64", seed=2)
    expected = [
        np.linalg.norm(gradient(net, loss, x[i : i + 1], y[i : i + 1])[0]) for i in range(5)
    ]
    grads = net.grads.copy()
    np.testing.assert_allclose(fm.gradient_norms(net, loss, x, y), expected, rtol=1e-12)
    assert np.array_equal(net.grads, grads)
    assert fm.gradient_norms(net, loss, x[:0], y[:0]).shape == (0,)


def test_it_equals_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install torch)")
    net, (x, y, _) = network(), problem(fm.CrossEntropyLoss())
    shapes = [net[0].W.shape, net[0].b.shape, net[2].W.shape, net[2].b.shape]

    def function(flat):
        parts = torch.split(flat, [int(np.prod(shape)) for shape in shapes])
        w, b, v, c = (part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))
        scores = torch.tanh(torch.tensor(x) @ w + b) @ v + c
        return torch.nn.functional.cross_entropy(scores, torch.tensor(y))

    direction = generator("torch").normal(size=net.params.size)
    _, expected = torch.autograd.functional.hvp(
        function, torch.tensor(net.params), torch.tensor(direction)
    )
    found = fm.hvp(net, fm.CrossEntropyLoss(), x, y, direction)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-8, atol=1e-10)
