"""Norms, products, parameters as values, and the values of a pass with keep=True."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import _core
from fastmlp import reference as ref

DTYPES = {"float32": 2e-5, "float64": 1e-12}


def draw(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.fixture(params=[1, 3])
def threads(request):
    _core.ignore_thread_cost(True)
    with fm.threads(request.param):
        yield request.param
    _core.ignore_thread_cost(False)


# ---- norms ----


@pytest.mark.parametrize("shape", [(2, 1), (3, 17), (30, 5), (40, 64), (1500, 9)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("kind", "training"), [
    (fm.LayerNorm, False), (fm.BatchNorm, True), (fm.BatchNorm, False)])  # fmt: skip
@pytest.mark.usefixtures("isa", "threads")
def test_norms_match_the_reference(kind, training, dtype, shape):
    ours = kind(shape[1], dtype=dtype)
    ours.gamma, ours.beta = draw(shape[1], seed=1), draw(shape[1], seed=2)
    reference = getattr(ref, kind.__name__)(ours.gamma, ours.beta)
    if not training and kind is fm.BatchNorm:
        ours.running_mean, ours.running_var = draw(shape[1], seed=3), draw(shape[1], seed=4) ** 2
        reference.running_mean = ours.running_mean.copy()
        reference.running_var = ours.running_var.copy()
    x, dy = draw(*shape, seed=5, dtype=dtype), draw(*shape, seed=6, dtype=dtype)
    room = {"rtol": DTYPES[dtype], "atol": DTYPES[dtype] * np.sqrt(shape[0])}
    if shape[1] == 1 and kind is fm.LayerNorm:
        room["atol"] = 1e-3  # 1 / sqrt(eps) times the rounding of x - x
    np.testing.assert_allclose(ours.forward(x, training), reference.forward(x, training), **room)
    np.testing.assert_allclose(ours.backward(dy), reference.backward(dy), **room)
    np.testing.assert_allclose(ours.dgamma, reference.dgamma, **room)
    np.testing.assert_allclose(ours.dbeta, reference.dbeta, **room)
    if kind is fm.BatchNorm:
        np.testing.assert_allclose(ours.running_mean, reference.running_mean, **room)
        np.testing.assert_allclose(ours.running_var, reference.running_var, **room)


def normed(dtype="float64", seed=0):
    return fm.Sequential(
        fm.Linear(6, 8), fm.BatchNorm(8), fm.ReLU(), fm.Linear(8, 8), fm.LayerNorm(8), fm.Tanh(),
        fm.Linear(8, 3), dtype=dtype, seed=seed)  # fmt: skip


@pytest.mark.usefixtures("isa", "threads")
def test_a_network_with_norms_has_right_gradients():
    errors = fm.gradcheck(normed(), fm.CrossEntropyLoss(), draw(30, 6), np.arange(30) % 3)
    assert errors < 1e-6, errors.table()
    assert set(errors.parameters) >= {"1.gamma", "1.beta", "4.gamma", "6.b"}


@pytest.mark.parametrize("batch", [60, 17])
def test_training_with_norms_is_forward_backward_update_by_hand(batch):
    net = normed()
    by_hand, loss, rate = net.copy(), fm.CrossEntropyLoss(), 0.1
    x, y = draw(60, 6, seed=8), np.arange(60) % 3
    fm.fit(net, x, y, loss=fm.CrossEntropyLoss(), optimizer=fm.SGD(lr=rate), epochs=2,
           batch_size=batch, shuffle=False, progress=False)  # fmt: skip
    for _ in range(2):
        for first in range(0, 60, batch):
            rows = slice(first, first + batch)
            loss.forward(by_hand.forward(x[rows], training=True), y[rows])
            by_hand.backward(loss.backward())
            by_hand.params -= rate * by_hand.grads
    np.testing.assert_allclose(net.params, by_hand.params, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(net.state, by_hand.state, rtol=1e-10, atol=1e-12)


def test_running_moments_travel_with_the_network(tmp_path):
    net = normed("float32")
    net.forward(draw(50, 6), training=True)
    assert net.state.size == 16
    assert (net[1].running_mean != 0).any()
    net.save(tmp_path / "net.safetensors")
    x = draw(5, 6, seed=1)
    loaded = fm.load(tmp_path / "net.safetensors")
    for other in (net.copy(), pickle.loads(pickle.dumps(net)), loaded):
        assert (other.state == net.state).all()
        assert (other.predict(x) == net.predict(x)).all()
    layer = pickle.loads(pickle.dumps(net[1]))
    assert (layer.running_var == net[1].running_var).all()


def test_bits_with_norms_do_not_depend_on_threads():
    def run(count):
        _core.ignore_thread_cost(True)
        with fm.threads(count):
            net = normed("float32")
            x, y = draw(90, 6), np.arange(90) % 3
            fm.fit(net, x, y, loss=fm.CrossEntropyLoss(), epochs=3, batch_size=40, progress=False)
        _core.ignore_thread_cost(False)
        return net.params.tobytes() + net.state.tobytes() + net.predict(x).tobytes()

    assert run(1) == run(2) == run(4) == run(7)


# ---- products, parameters, sums ----


def test_the_norm_of_a_product():
    """f = sum((W x)^2), node by node, with W as a parameter and as an input."""
    W, x = np.array([[0.1, 0.5], [-0.3, 0.8]]), np.array([[0.2, 0.4]])
    for as_input in (False, True):
        a, b = (fm.Input((2, 2), "W") if as_input else fm.Parameter(2, 2)), fm.Input(2, "x")
        q = fm.MatMul()(a, b).named("q")
        net = fm.Graph([a, b] if as_input else b, fm.Sum()(fm.Square()(q)), dtype="float64")
        if not as_input:
            a.layer.W = W
        y = net.forward({"W": W.reshape(1, 4), "x": x} if as_input else x, keep=True)
        dx = net.backward([[1.0]])
        dW = dx["W"].reshape(2, 2) if as_input else a.layer.dW
        dx = dx["x"] if as_input else dx
        np.testing.assert_allclose(y, [[0.116]], rtol=1e-12)
        np.testing.assert_allclose(net["q"].output, [[0.22, 0.26]], rtol=1e-12)
        np.testing.assert_allclose(net["q"].grad, [[0.44, 0.52]], rtol=1e-12)
        np.testing.assert_allclose(dW, [[0.088, 0.176], [0.104, 0.208]], rtol=1e-12)
        np.testing.assert_allclose(dx, [[-0.112, 0.636]], rtol=1e-12)


SHAPES = [((3,), (3, 4)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((5,), (5,)), ((7, 1), (1, 9))]


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("rows", [1, 5, 40])
@pytest.mark.usefixtures("isa", "threads")
def test_products_are_those_of_numpy(shapes, rows):
    a, b = fm.Input(shapes[0], "a"), fm.Input(shapes[1], "b")
    product = fm.MatMul()(a, b)
    net = fm.Graph([a, b], product, dtype="float64")
    x = {"a": draw(rows, a.width), "b": draw(rows, b.width, seed=1)}
    # numpy.matmul has no stacks of vectors, so they become matrices with one row or one column.
    left = x["a"].reshape(rows, *(shapes[0] if len(shapes[0]) == 2 else (1, a.width)))
    right = x["b"].reshape(rows, *(shapes[1] if len(shapes[1]) == 2 else (b.width, 1)))
    reference = ref.MatMul()
    expected = reference.forward(left, right).reshape(rows, -1)
    np.testing.assert_allclose(net.forward(x), expected, rtol=1e-12, atol=1e-13)
    dy = draw(rows, product.width, seed=2)
    dx = net.backward(dy)
    stack = dy.reshape(rows, left.shape[1], right.shape[2])
    for name, expected in zip("ab", reference.backward(stack), strict=True):
        np.testing.assert_allclose(dx[name], expected.reshape(rows, -1), rtol=1e-12, atol=1e-13)


def test_a_parameter_in_a_product_is_a_linear_layer():
    x, W = fm.Input(4), fm.Parameter(4, 3)
    net = fm.Graph(x, fm.MatMul()(x, W), seed=1)
    chain = fm.Sequential(fm.Linear(4, 3, bias=False), seed=1)
    chain.params = net.params
    assert [node.op for node in net._engine._made[1]] == ["linear"]
    data, target = draw(20, 4), draw(20, 3, seed=1)
    for one in (net, chain):
        fm.fit(one, data, target, loss=fm.MSELoss(), epochs=3, batch_size=8, progress=False,
               penalty=fm.L2(0.1), seed=0)  # fmt: skip
    assert (net.params == chain.params).all()


def test_parameters_learn_wherever_they_are_read():
    x, c = fm.Input(3), fm.Parameter(3, init="zeros")
    net = fm.Graph(x, x * c + c, dtype="float64", seed=0)
    data = draw(50, 3)
    history = fm.fit(net, data, data * 2.0 + 2.0, loss=fm.MSELoss(), optimizer=fm.Adam(lr=0.1),
                     epochs=200, progress=False)  # fmt: skip
    assert history.loss[-1] < 1e-6
    np.testing.assert_allclose(c.layer.W, 2.0, atol=1e-3)
    assert fm.gradcheck(net, fm.MSELoss(), data, data) < 1e-6


# ---- keep ----


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.usefixtures("isa", "threads")
def test_kept_values_equal_those_of_the_layers_one_by_one(training):
    net = normed()
    x, dy = draw(20, 6), draw(20, 3, seed=1)
    plain = net.copy()
    expected, expected_dx = plain.forward(x, training), plain.backward(dy)
    assert (net.forward(x, training, keep=True) == expected).all()
    assert (net.backward(dy) == expected_dx).all()
    assert (net.grads == plain.grads).all()
    assert (net.state == plain.state).all()
    value = x
    for layer in plain.layers:
        single = pickle.loads(pickle.dumps(layer))
        if isinstance(layer, fm.BatchNorm) and not training:
            single.running_mean, single.running_var = plain[1].running_mean, plain[1].running_var
        value = single.forward(value, training)
        np.testing.assert_allclose(net[plain.layers.index(layer)].output, value, rtol=1e-12)
    assert (net[6].grad == dy).all()
    delta = dy @ net[6].W.T
    np.testing.assert_allclose(net[5].grad, delta, rtol=1e-12)
    np.testing.assert_allclose(net[4].grad, delta * (1 - net[5].output ** 2), rtol=1e-9)


def test_a_failed_pass_keeps_no_values():
    class Fails:
        fails = False

        def forward(self, x):
            if self.fails:
                raise ZeroDivisionError
            return x

        def backward(self, upstream):
            return upstream

    node = Fails()
    net = fm.Sequential(fm.Linear(2, 2), node, fm.ReLU())
    net.forward(draw(5, 2), keep=True)
    assert net[0].output.shape == (5, 2)
    node.fails = True
    with pytest.raises(ZeroDivisionError):
        net.forward(draw(3000, 2), keep=True)
    assert net[0].output is None
    assert net[0].grad is None


def test_kept_gradients_accumulate_like_others():
    net = normed("float32")
    plain = net.copy()
    for one, keep in ((net, True), (plain, False)):
        for k in range(2):
            one.forward(draw(1500, 6, seed=k), keep=keep)
            one.backward(draw(1500, 3, seed=7), accumulate=k > 0)
    assert (net.grads == plain.grads).all()


def test_lbfgs_moves_running_moments_with_its_iterations():
    pytest.importorskip("scipy")
    net, x, y = normed(), draw(40, 6, seed=3), np.arange(40) % 3

    class Stop:
        def on_epoch_end(self, state):
            self.state = state.net.state.copy()
            if state.epoch == 4:
                raise KeyboardInterrupt

    seen = Stop()
    with pytest.raises(KeyboardInterrupt):
        fm.fit(net, x, y, loss=fm.CrossEntropyLoss(), optimizer=fm.LBFGS(), epochs=9,
               callbacks=[seen], progress=False)  # fmt: skip
    assert (net.state == seen.state).all()
    # Five iterations, each with a moment 0.1: 1 - 0.9^5 of the way from 0.
    assert np.abs(net[1].running_var - 1.0).max() > 0.0


def test_matmul_alone_takes_any_shapes_that_fit():
    product = fm.MatMul()
    for width in (3, 4):
        assert product.forward(draw(2, width), draw(2, width)).shape == (2, 1)
    assert fm.MatMul((2, 3), (3, 4)).forward(draw(5, 6), draw(5, 12)).shape == (5, 8)


def test_values_are_kept_only_with_keep():
    net = fm.Sequential(fm.Linear(2, 2), fm.ReLU())
    net.forward(draw(3, 2))
    assert net[0].output is None
    assert net[0].grad is None
    assert fm.ReLU().output is None
    net.forward(draw(3, 2), keep=True)
    assert net[0].output.shape == (3, 2)
    assert net[0].grad is None


FIRST = {
    "activation": lambda: [fm.GELU()],
    "softmax": lambda: [fm.Softmax()],
    "dropout": lambda: [fm.Dropout(0.3)],
    "maxout": lambda: [fm.Maxout(2)],
    "row sum": lambda: [fm.Sum()],
    "layer norm": lambda: [fm.LayerNorm(6)],
    "batch norm": lambda: [fm.BatchNorm(6)],
    "scale": lambda: [fm.Scale(6)],
}


@pytest.mark.parametrize("kind", FIRST)
def test_training_begins_with_any_node(kind):
    """Training does not need the gradient of the input; by hand it is always computed."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(40, 6)), rng.normal(size=(40, 2))
    nets = []
    for _ in range(2):
        first = FIRST[kind]()
        width = {"maxout": 3, "row sum": 1}.get(kind, 6)
        nets.append(
            fm.Sequential(*first, fm.Linear(width, 2), in_features=6, dtype="float64", seed=1)
        )
    trainer = fm.Trainer(nets[0], fm.MSELoss(), fm.SGD(lr=0.1))
    optimizer, loss = fm.SGD(nets[1], lr=0.1), fm.MSELoss()
    for _ in range(3):
        value = trainer.step(x, y)
        assert loss.forward(nets[1].forward(x, training=True), y) == value
        nets[1].backward(loss.backward())
        optimizer.step()
        assert (nets[0].params == nets[1].params).all()


@pytest.mark.parametrize("comes_first", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", [kind for kind in FIRST if kind != "dropout"])
@pytest.mark.usefixtures("isa", "threads")
def test_a_value_read_twice_gets_both_gradients(kind, training, comes_first):
    """The later node in the graph writes the gradient, the other one adds to it."""
    x, symbol = draw(9, 6), fm.Input(6)
    (layer,), line = FIRST[kind](), fm.Linear(6, 3)
    layers = {"node": layer, "line": line} if comes_first else {"line": line, "node": layer}
    both = fm.Graph(symbol, {name: one(symbol) for name, one in layers.items()},
                    dtype="float64", seed=2)  # fmt: skip
    upstream = {
        name: draw(*y.shape, seed=4) for name, y in both.forward(x, training=training).items()
    }
    found = both.backward(upstream)
    alone = fm.Sequential(*FIRST[kind](), in_features=6, dtype="float64")
    alone.forward(x, training=training)
    expected = alone.backward(upstream["node"]) + upstream["line"] @ line.W.T
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
