"""Graphs: values and gradients of every kind of node, fusion, training, and what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import _core
from fastmlp import reference as ref

ROWS = (1, 7, 40)


def draw(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# ---- graphs with every kind of node ----


def residual(dtype="float64"):
    x = fm.Input(6)
    h = fm.Tanh()(fm.Linear(6, 6)(x))
    h = fm.ReLU()(fm.Linear(6, 6)(h) + h)
    return fm.Graph(x, fm.Linear(6, 3)(h), dtype=dtype, seed=0)


def dense(dtype="float64"):
    x = fm.Input(5)
    a = fm.SiLU()(fm.Linear(5, 4)(x))
    b = fm.SiLU()(fm.Linear(9, 4)(fm.Concat()(x, a)))
    return fm.Graph(x, fm.Linear(13, 2)(fm.Concat()(x, a, b)), dtype=dtype, seed=1)


def two_ends(dtype="float64"):
    a, b = fm.Input(5, "a"), fm.Input(7, "b")
    left, right = fm.ReLU()(fm.Linear(5, 8)(a)), fm.GELU()(fm.Linear(7, 8)(b))
    joined = fm.Concat()(left, right, left * right, fm.Maximum()(left, right))
    m = fm.Maxout(3)(fm.Linear(32, 12)(joined))
    values = fm.Sigmoid()(fm.Linear(4, 2)(fm.Dropout(0.3)(m) + fm.Linear(8, 4)(left)))
    return fm.Graph([a, b], {"class": fm.Linear(4, 3)(m), "value": values}, dtype=dtype, seed=2)


def shared(dtype="float64"):
    """A value that an activation, a Linear (twice), the graph's output and itself read."""
    x = fm.Input(4)
    h = fm.Linear(4, 4)(x)
    y = fm.Softmax()(fm.ReLU()(h) + fm.Linear(4, 4)(h) * h + fm.Maximum()(h, x, h))
    return fm.Graph(x, {"h": h, "y": y + y}, dtype=dtype, seed=3)


GRAPHS = [residual, dense, two_ends, shared]


def inputs_of(net, rows, seed=5):
    names, widths = net._engine.inputs.names, net.core_net().widths_in
    return {
        n: draw(rows, w, seed=seed + k) for k, (n, w) in enumerate(zip(names, widths, strict=True))
    }


def by_name(net, values):
    names = net._engine.outputs.names
    return values if isinstance(values, dict) else {names[0]: values}


@pytest.fixture(params=[1, 3])
def threads(request):
    _core.ignore_thread_cost(True)
    with fm.threads(request.param):
        yield request.param
    _core.ignore_thread_cost(False)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("make", GRAPHS)
@pytest.mark.usefixtures("isa", "threads")
def test_gradients_are_those_of_central_differences(make, rows):
    net = make()
    x = inputs_of(net, rows)
    out = by_name(net, net.forward(x))
    upstream = {name: draw(*y.shape, seed=9) for name, y in out.items()}
    dx = net.backward(upstream if len(out) > 1 else next(iter(upstream.values())))
    dx = dx if isinstance(dx, dict) else {"x": dx}
    grads = net.grads.copy()

    def value():
        return sum((upstream[n] * y).sum() for n, y in by_name(net, net.predict(x)).items())

    def slope(place, i, eps=1e-6):
        kept = place[i]
        place[i] = kept + eps
        above = value()
        place[i] = kept - eps
        below = value()
        place[i] = kept
        return (above - below) / (2 * eps)

    rng = np.random.default_rng(rows)
    for i in rng.choice(net.params.size, 40, replace=False):
        assert slope(net.params, i) == pytest.approx(grads[i], rel=1e-5, abs=1e-5)
    for name, array in x.items():
        for _ in range(10):
            i = tuple(rng.integers(n) for n in array.shape)
            assert slope(array, i) == pytest.approx(dx[name][i], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("make", GRAPHS)
@pytest.mark.parametrize("rows", ROWS)
def test_bits_do_not_depend_on_threads_or_how_it_is_called(make, rows):
    def run(count):
        _core.ignore_thread_cost(True)
        with fm.threads(count):
            net = make("float32")
            x = inputs_of(net, rows)
            forward, predicted = by_name(net, net.forward(x)), by_name(net, net.predict(x))
            for name, y in forward.items():
                assert (predicted[name] == y).all()
            upstream = {name: np.cos(y) for name, y in forward.items()}
            net.backward(upstream if len(upstream) > 1 else next(iter(upstream.values())))
        _core.ignore_thread_cost(False)
        return b"".join(y.tobytes() for y in forward.values()) + net.grads.tobytes()

    assert run(1) == run(2) == run(4)


def test_fusion_changes_no_value():
    """An Identity in between prevents the fusion of addition and activation."""

    def make(fused):
        x = fm.Input(24)
        z = fm.Linear(24, 24)(x)
        z = x + (z if fused else fm.Identity()(z))
        return fm.Graph(x, fm.GELU()(z if fused else fm.Identity()(z)), seed=4)

    x, dy = draw(33, 24, dtype="float32"), draw(33, 24, seed=1, dtype="float32")
    one, other = make(True), make(False)
    assert (one.forward(x) == other.forward(x)).all()
    assert (one.backward(dy) == other.backward(dy)).all()
    assert (one.grads == other.grads).all()


def test_three_readers_give_the_same_gradient_with_and_without_fusion():
    """With three gradients, fusion would change the order of their sum."""
    x = fm.Input(24)
    h = fm.Tanh()(fm.Linear(24, 24)(x))
    a = fm.Linear(24, 24)(h)
    m = fm.Linear(24, 24)(h)
    net = fm.Graph(x, {"r": a + h, "m": m}, seed=4)
    data = draw(33, 24, dtype="float32")
    dy = {name: draw(33, 24, seed=k, dtype="float32") for k, name in enumerate("rm")}
    found = []
    for keep in (False, True):
        net.forward(data, keep=keep)
        found.append((net.backward(dy).tobytes(), net.grads.tobytes()))
    assert found[0] == found[1]


def test_branches_of_different_widths_do_not_race():
    """Threads sum gradients without waiting for each other, in layers of many widths."""
    x = fm.Input(40)
    h = fm.ReLU()(fm.Linear(40, 96)(x))
    values = []
    for width in (8, 64, 16, 128):
        h = fm.ReLU()(fm.Linear(h.width, width)(h))
        values += [fm.Linear(width, 2)(h), fm.Linear(width, 3)(h)]
    net = fm.Graph(x, fm.Concat()(*values), seed=4)
    data, expected = draw(256, 40, dtype="float32"), None
    _core.ignore_thread_cost(True)
    for count in (1, *[3] * 60):
        with fm.threads(count):
            net.forward(data)
            net.backward(np.ones((256, 20), np.float32))
        expected = net.grads.copy() if expected is None else expected
        assert (net.grads == expected).all()
    _core.ignore_thread_cost(False)


def test_names_that_are_given_come_first():
    x = fm.Input(2)
    h = fm.ReLU()(x)
    net = fm.Graph(x, fm.Tanh()(h).named("relu"))
    assert list(net.nodes) == ["relu_1", "relu"]


def test_deep_graphs_are_built_in_a_moment():
    x = h = fm.Input(2)
    for _ in range(1500):
        h = fm.Tanh()(h)
    net = fm.Graph(x, fm.Linear(2, 2)(h))
    assert len(net.copy()) == 1501


def test_symbols_can_be_summed():
    x = fm.Input(2)
    y = sum([x, x, fm.ReLU()(x)])
    assert fm.Graph(x, y).predict([[1.0, -1.0]]).tolist() == [[3.0, -2.0]]


def test_a_chain_as_a_graph_is_the_sequential_network():
    chain = fm.Sequential(fm.Linear(9, 20), fm.ReLU(), fm.Linear(20, 4), seed=7)
    x = fm.Input(9)
    graph = fm.Graph(x, fm.Linear(20, 4)(fm.ReLU()(fm.Linear(9, 20)(x))), seed=7)
    assert (graph.params == chain.params).all()
    data, labels = draw(64, 9, dtype="float32"), np.arange(64) % 4
    options = {"loss": fm.CrossEntropyLoss(), "epochs": 3, "batch_size": 16, "progress": False}
    assert (
        fm.fit(graph, data, labels, **options).loss == fm.fit(chain, data, labels, **options).loss
    )
    assert (graph.params == chain.params).all()


def test_two_heads_train_on_the_weighted_sum_of_their_losses():
    net = two_ends()
    x = inputs_of(net, 30)
    y = {"class": np.arange(30) % 3, "value": draw(30, 2)}
    losses = {"class": fm.CrossEntropyLoss(), "value": fm.MSELoss()}
    weights = {"class": 1.0, "value": 0.25}
    by_hand, rate = net.copy(), 0.1
    out = by_hand.forward(x, training=True)
    value = sum(weights[n] * losses[n].forward(out[n], y[n]) for n in losses)
    by_hand.backward({n: weights[n] * losses[n].backward() for n in losses})
    by_hand.params -= rate * by_hand.grads
    trainer = fm.Trainer(net, losses, fm.SGD(lr=rate), loss_weights=weights)
    assert trainer.step(x, y) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(net.params, by_hand.params, rtol=1e-12, atol=1e-14)
    history = trainer.fit(x, y, epochs=20, batch_size=8, validation=0.2, progress=False)
    assert history.loss[-1] < history.loss[0]
    assert len(history.val_score) == 20


@pytest.mark.parametrize("make", GRAPHS)
def test_copies_descriptions_and_pickles_are_the_same_network(make, tmp_path):
    net = make("float32")
    net.save(tmp_path / "net.safetensors")
    x = inputs_of(net, 5)
    first = by_name(net, net.predict(x))
    for other in (
        net.copy(),
        pickle.loads(pickle.dumps(net)),
        fm.load(tmp_path / "net.safetensors"),
    ):
        for name, y in by_name(other, other.predict(x)).items():
            assert (y == first[name]).all()
        assert other.describe() == net.describe()


JOINS = [
    ("Add", (), 3),
    ("Multiply", (), 3),
    ("Maximum", (), 3),
    ("Concat", (), 3),
    ("Maxout", (3,), 1),
]


@pytest.mark.parametrize(("name", "arguments", "count"), JOINS)
@pytest.mark.parametrize("shape", [(1, 3), (5, 6), (40, 33)])
@pytest.mark.usefixtures("isa", "threads")
def test_joins_match_the_reference(name, arguments, count, shape):
    ours, reference = getattr(fm, name)(*arguments), getattr(ref, name)(*arguments)
    inputs = [np.round(draw(*shape, seed=k), 1) for k in range(count)]  # with ties
    y = ours.forward(*inputs)
    np.testing.assert_allclose(y, reference.forward(*inputs), rtol=1e-15)
    dy = draw(*y.shape, seed=7)
    found = ours.backward(dy)
    found = found if isinstance(found, tuple) else (found,)
    for dx, expected in zip(found, reference.backward(dy), strict=True):
        np.testing.assert_allclose(dx, expected, rtol=1e-14)


# ---- the lecture's circuits ----


def test_gates():
    """f = (x + y) z: add distributes, multiply swaps."""
    x, y, z = fm.Input(1, "x"), fm.Input(1, "y"), fm.Input(1, "z")
    net = fm.Graph([x, y, z], (x + y) * z)
    assert net.forward({"x": [[-2.0]], "y": [[5.0]], "z": [[-4.0]]}).tolist() == [[-12.0]]
    found = {name: dx.item() for name, dx in net.backward([[1.0]]).items()}
    assert found == {"x": -4.0, "y": -4.0, "z": 3.0}


@pytest.mark.parametrize("kind", [fm.Maximum, fm.Maxout])
def test_ties_go_to_the_first(kind):
    if kind is fm.Maximum:
        layer = fm.Maximum()
        layer.forward([[1.0, 2.0]], [[1.0, 3.0]])
        assert [dx.tolist() for dx in layer.backward([[5.0, 5.0]])] == [[[5.0, 0.0]], [[0.0, 5.0]]]
    else:
        layer = fm.Maxout(2)
        layer.forward([[1.0, 2.0, 1.0, 3.0]])
        assert layer.backward([[5.0, 5.0]]).tolist() == [[5.0, 0.0, 0.0, 5.0]]


@pytest.mark.parametrize("layer", [fm.Maximum(), fm.Maxout(2)])
def test_nan_is_not_lost_in_a_maximum(layer):
    nan, one = float("nan"), 1.0
    for pair in ([nan, one], [one, nan]):
        inputs = [[pair]] if isinstance(layer, fm.Maxout) else [[[value]] for value in pair]
        assert np.isnan(layer.forward(*inputs)).all()


# ---- what is refused ----


def listed(*nodes, inputs=None, outputs="y"):
    return lambda: fm.Graph(inputs or {"x": 2}, outputs, nodes=list(nodes))


def described(**changes):
    return fm.Graph.from_description({**residual().describe(), **changes})


def used_twice():
    x, layer = fm.Input(2), fm.Linear(2, 2)
    return fm.Graph(x, layer(layer(x)))


def in_two_graphs():
    x, layer = fm.Input(2), fm.Linear(2, 2)
    first = fm.Graph(x, layer(x))
    try:
        return fm.Graph(x, layer(x))
    finally:
        del first


REFUSED = [
    (listed(("y", fm.Linear(2, 2), "z")), "'y' reads 'z'; want one of x, y"),
    (listed(("a", fm.Add(), ["x", "b"]), ("b", fm.ReLU(), "a"), ("y", fm.ReLU(), "b")),
     "a -> b -> a is a cycle"),
    (listed(("y", fm.Linear(2, 2), "x"), inputs={"x": 2, "u": 3}), "no node reads 'u'"),
    (listed(("y", fm.Linear(2, 2), "x"), ("q", fm.ReLU(), "x")), "no node reads 'q'"),
    (listed(("y", fm.Linear(3, 2), "x")), "in_features: got 3; want 2"),
    (listed(("y", fm.ReLU(), "x"), ("y", fm.ReLU(), "x")), "'y' is used twice"),
    (listed(("y", fm.Add(), "x")), "got 1 inputs; want 2 to 8"),
    (listed(("y", fm.ReLU(), ["x", "x"])), "got 2 inputs; want 1"),
    (listed(("y", fm.Maxout(3), "x")), "pieces: got 3; want a divisor of 2"),
    (listed(("y", fm.ReLU(), "x"), outputs=["z"]), "outputs: got 'z'"),
    (lambda: fm.Add()(fm.Input(2), fm.Input(3)), "widths 2, 3"),
    (lambda: fm.Graph(fm.Input(2), fm.ReLU()(fm.Input(2))), "which is not among them"),
    (lambda: fm.Graph([], []), "inputs: got none"),
    (lambda: described(outputs={"y": ["a"]}), "outputs"),
    (lambda: described(more=5), "got fields"),
    (lambda: described(nodes=[["y", {"type": []}, ["x"]]]), "layer: got type"),
    (used_twice, "appears twice"),
    (in_two_graphs, "belongs to another network"),
    (lambda: fm.Sequential(fm.Linear(2, 2), fm.Add()), "use fm.Graph"),
    (lambda: residual().forward({"q": draw(2, 6)}), "x: got 'q'; want x"),
    (lambda: two_ends().forward([draw(2, 5)]), "want a dict or a list of a, b"),
    (lambda: two_ends().forward([draw(2, 5), draw(3, 7)]), "want the same number of rows in each"),
    (lambda: two_ends().forward([draw(2, 5), draw(2, 6)]), r"x\['b'\]"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "words"), REFUSED)
def test_bad_arguments_are_refused(make, words):
    with pytest.raises(fm.ArgumentError, match=words):
        make()


@pytest.mark.parametrize("make", [
    lambda: fm.Linear(2, 2)(np.zeros((1, 2))),
    lambda: fm.Graph(fm.Input(2), np.zeros(3)),
    lambda: fm.Graph({"x": 2}, "y", nodes=[("y", np.tanh, "x")]),
    lambda: fm.Graph({"x": 2}, "y", nodes=[("y", "x")]),
    lambda: described(outputs=5),
    lambda: fm.Graph({"x": 2}, "y", nodes=5),
    lambda: fm.Graph({"x": 2}, "y", nodes=[("y", fm.ReLU(), 5)]),
    lambda: fm.Graph({"x": 2}, "y", nodes=[("y", fm.ReLU(), [["x"]])]),
    lambda: fm.Graph({"x": 2}, None, nodes=[("y", fm.ReLU(), "x")]),
])  # fmt: skip
def test_arguments_of_a_wrong_type_are_refused(make):
    with pytest.raises(fm.ArgumentTypeError):
        make()
