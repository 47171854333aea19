"""Custom nodes and losses in Python."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import _core


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.fixture(params=[1, 3])
def threads(request):
    _core.ignore_thread_cost(True)
    with fm.threads(request.param):
        yield request.param
    _core.ignore_thread_cost(False)


# ---- custom nodes ----


class Scale:
    """y = a x + b z, where a and b are trained."""

    def __init__(self):
        self.parameters = {"a": np.array([2.0]), "b": np.array([3.0])}

    def forward(self, x, z):
        self.x, self.z = x, z
        return self.parameters["a"] * x + self.parameters["b"] * z

    def backward(self, upstream):
        self.gradients = {
            "a": np.array([(upstream * self.x).sum()]),
            "b": np.array([(upstream * self.z).sum()]),
        }
        return upstream * self.parameters["a"], upstream * self.parameters["b"]


class Cube:
    def forward(self, x):
        self.x = x
        return x**3

    def backward(self, upstream):
        return upstream * 3 * self.x**2


class Mixed:
    """(N, 5) -> (N, 2)"""

    out_features = 2

    def forward(self, x):
        return np.stack([x.sum(axis=1), (x**2).sum(axis=1)], axis=1, out=None) + self._keep(x)

    def _keep(self, x):
        self.x = x
        return 0.0

    def backward(self, upstream):
        return upstream[:, :1] + 2 * self.x * upstream[:, 1:]


def mixed_graph(dtype="float64"):
    x = fm.Input(5)
    h = fm.Tanh()(fm.Linear(5, 6)(x))
    both = fm.Custom(Scale())(h, fm.Linear(5, 6)(x))
    y = fm.Linear(8, 3)(fm.Concat()(fm.ReLU()(both), fm.Custom(Mixed())(x)))
    return fm.Graph(x, y + fm.Custom(Cube())(y), dtype=dtype, seed=4)


@pytest.mark.usefixtures("isa", "threads")
@pytest.mark.parametrize("rows", [1, 40])
def test_custom_nodes_take_part(rows):
    net, x = mixed_graph(), draw(rows, 5)
    errors = fm.gradcheck(net, fm.MSELoss(), x, draw(rows, 3, seed=1))
    assert errors < 1e-6, errors.table()
    assert "custom.a" in errors.parameters
    assert (net.predict(x) == net.forward(x)).all()
    node = net["custom"].custom
    assert np.shares_memory(node.parameters["a"], net.params)
    history = fm.fit(net, x, draw(rows, 3, seed=1), loss=fm.MSELoss(), optimizer=fm.Adam(lr=1e-2),
                     epochs=30, batch_size=16, progress=False)  # fmt: skip
    assert history.loss[-1] < history.loss[0]
    assert node.parameters["a"] != 2.0


def test_a_custom_activation_trains_like_ours():
    class MyReLU:
        def forward(self, x):
            self.x = x
            return np.maximum(x, 0)

        def backward(self, upstream):
            return upstream * (self.x > 0)

    x, y = draw(64, 9), np.arange(64) % 4
    nets = [fm.Sequential(fm.Linear(9, 20), act, fm.Linear(20, 4), seed=7)
            for act in (fm.ReLU(), MyReLU())]  # fmt: skip
    nets[1].params = nets[0].params
    for net in nets:
        fm.fit(net, x, y, loss=fm.CrossEntropyLoss(), epochs=3, batch_size=16, seed=0,
               progress=False)  # fmt: skip
    assert (nets[0].params == nets[1].params).all()


class Wrong:
    def __init__(self, y=None, dx=None, error=None):
        self.y, self.dx, self.error = y, dx, error

    def forward(self, x):
        if self.error is not None and self.error[0] == "forward":
            raise self.error[1]
        return x if self.y is None else self.y

    def backward(self, upstream):
        if self.error is not None and self.error[0] == "backward":
            raise self.error[1]
        return upstream if self.dx is None else self.dx


WRONG = [
    (Wrong(y=np.zeros((3, 4))), fm.ArgumentError, r"Wrong.forward: got shape \(3, 4\); want"),
    (Wrong(y=np.zeros((3, 2), complex)), fm.ArgumentTypeError, "Wrong.forward: got dtype complex"),
    (Wrong(y=np.array([["a", "b"]] * 3)), fm.ArgumentTypeError, "Wrong.forward: got dtype"),
    (Wrong(dx=np.zeros(2)), fm.ArgumentError, "Wrong.backward, gradient 0: got shape"),
    (
        Wrong(dx=(np.zeros((3, 2)),) * 2),
        fm.ArgumentError,
        "Wrong.backward: got 2 gradients; want 1",
    ),
    (Wrong(y=[[1.0, 2.0], [3.0]]), fm.ArgumentError, "Wrong.forward: got rows of unequal length"),
    (Wrong(error=("forward", ZeroDivisionError("mine"))), ZeroDivisionError, "mine"),
    (Wrong(error=("backward", KeyboardInterrupt("mine"))), KeyboardInterrupt, "mine"),
]


@pytest.mark.parametrize(("node", "kind", "words"), WRONG)
@pytest.mark.usefixtures("threads")
def test_a_faulty_node_raises_and_changes_nothing(node, kind, words):
    node = copy.copy(node)
    net = fm.Sequential(fm.Linear(2, 2), node, fm.Linear(2, 1), seed=0)
    before, x, y = net.params.copy(), draw(3, 2), draw(3, 1)
    trainer = fm.Trainer(net, fm.MSELoss())
    for call in (
        lambda: net.backward(np.ones_like(net.forward(x))),
        lambda: trainer.step(x, y),
        lambda: trainer.fit(x, y, epochs=1, progress=False),
    ):
        with pytest.raises(kind, match=words):
            call()
    assert (net.params == before).all()
    node.y = node.dx = node.error = None
    assert trainer.step(x, y) >= 0.0


def test_networks_with_custom_nodes_cannot_be_saved(tmp_path):
    net = fm.Sequential(fm.Linear(2, 2), Cube())
    with pytest.raises(fm.ArgumentError, match="Cube: a file cannot describe a node of your own"):
        net.save(tmp_path / "net.safetensors")
    assert not (tmp_path / "net.safetensors").exists()
    x = draw(4, 2)
    for other in (net.copy(), pickle.loads(pickle.dumps(net))):
        assert (other.predict(x) == net.predict(x)).all()
        assert other[1].custom is not net[1].custom


def test_a_node_has_one_place():
    node = Scale()
    x = fm.Input(3)
    net = fm.Graph(x, fm.Custom(node)(x, fm.Tanh()(x)))
    with pytest.raises(fm.ArgumentError, match="belongs to another network"):
        fm.Graph(x, fm.Custom(node)(x, x))
    with pytest.raises(fm.ArgumentError, match="appears twice"):
        fm.Sequential(fm.Linear(2, 2), (cube := Cube()), fm.Linear(2, 2), cube)
    del net
    fm.Graph(x, fm.Custom(node)(x, x))


def test_a_node_alone():
    cube = fm.Custom(Cube())
    with pytest.raises(fm.StateError, match="call forward"):
        cube.backward([[1.0]])
    assert cube.forward([[1.0, 2.0]]).tolist() == [[1.0, 8.0]]
    assert cube.backward([[1.0, 1.0]]).tolist() == [[3.0, 12.0]]
    assert cube.forward([2.0]).tolist() == [8.0]
    scale = fm.Custom(Scale())
    net = fm.Graph(x := fm.Input(2), scale(x, fm.Tanh()(x)), dtype="float64")
    assert scale.forward([[1.0, 1.0]], [[1.0, 0.0]]).tolist() == [[5.0, 2.0]]
    for accumulate, expected in ((False, 2.0), (True, 4.0)):
        dx, dz = scale.backward([[1.0, 1.0]], accumulate=accumulate)
        assert (dx.tolist(), dz.tolist()) == ([[2.0, 2.0]], [[3.0, 3.0]])
        assert scale.custom.gradients["a"].tolist() == [expected]
    assert np.shares_memory(scale.custom.parameters["a"], net.params)


def test_predict_leaves_alone_what_a_node_saved():
    net = fm.Sequential(fm.Linear(3, 3), Cube(), dtype="float64", seed=0)
    x = draw(4, 3)
    net.forward(x)
    expected = net.backward(np.ones((4, 3)))
    net.forward(x)
    net.predict(draw(9, 3, seed=1))
    assert (net.backward(np.ones((4, 3))) == expected).all()


class Leaves(Scale):
    """Leaves wrong gradients behind."""

    def __init__(self, left):
        super().__init__()
        self.left = left

    def backward(self, upstream):
        found = super().backward(upstream)
        self.gradients = self.left
        return found


@pytest.mark.parametrize(("left", "words"), [
    (None, r"Leaves.gradients\['a'\]: got none; want shape \(1,\)"),
    ({"a": np.zeros(1)}, r"Leaves.gradients\['b'\]: got none; want shape \(1,\)"),
    ({"a": np.zeros(2), "b": np.zeros(1)}, r"\['a'\]: got shape \(2,\); want \(1,\)"),
])  # fmt: skip
def test_missing_gradients_of_a_node_raise(left, words):
    x = fm.Input(2)
    net = fm.Graph(x, fm.Custom(Leaves(left))(x, x))
    y = net.forward(draw(3, 2))
    with pytest.raises(fm.ArgumentError, match=words):
        net.backward(y)


def test_a_node_alone_wants_as_many_rows_of_each_input():
    with pytest.raises(
        fm.ArgumentError, match=r"inputs: got shapes \(3, 2\), \(1, 2\); want the same"
    ):
        fm.Custom(Scale()).forward(draw(3, 2), draw(1, 2))


class Replaces(Scale):
    def forward(self, x, z):
        self.parameters = {name: array.copy() for name, array in self.parameters.items()}
        return super().forward(x, z)


def test_parameters_that_training_cannot_reach_raise():
    x = fm.Input(2)
    net = fm.Graph(x, fm.Custom(Replaces())(x, x))
    net.forward(draw(3, 2))
    with pytest.raises(fm.ArgumentError, match=r"Replaces.parameters\['a'\]: was replaced"):
        net.forward(draw(3, 2))
    for wrong in ({"a": 1.0}, {"a": np.zeros(2, complex)}, {"a": np.zeros(2, int)}, [1.0]):
        node = Scale()
        node.parameters = wrong
        with pytest.raises(fm.ArgumentTypeError, match=r"Scale\.parameters"):
            fm.Custom(node)


@pytest.mark.parametrize("node", [np.tanh, object(), Cube, "relu"])
def test_objects_that_cannot_be_nodes_are_refused(node):
    with pytest.raises(fm.ArgumentTypeError, match="node: got"):
        fm.Custom(node)


# ---- custom losses ----


class Squares:
    def forward(self, scores, y):
        self.d = scores - y
        return (self.d**2).mean()

    def backward(self):
        return 2 * self.d / self.d.size


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.usefixtures("threads")
def test_a_custom_loss_trains_like_ours(shuffle):
    x, y = draw(64, 5), draw(64, 3, seed=1)
    nets, histories = [], []
    for loss in (fm.MSELoss(), Squares()):
        net = fm.Sequential(fm.Linear(5, 8), fm.Tanh(), fm.Linear(8, 3), dtype="float64", seed=1)
        nets.append(net)
        histories.append(fm.fit(net, x, y, loss=loss, epochs=4, batch_size=24, shuffle=shuffle,
                                validation=0.25, progress=False))  # fmt: skip
    np.testing.assert_allclose(nets[0].params, nets[1].params, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(histories[0].loss, histories[1].loss, rtol=1e-10)
    np.testing.assert_allclose(histories[0].val_loss, histories[1].val_loss, rtol=1e-10)
    assert fm.gradcheck(nets[1], Squares(), x[:4], y[:4]) < 1e-6


@pytest.mark.parametrize(("forward", "backward", "words"), [
    (lambda s, y: s, lambda s: s, "forward: got"),
    (lambda s, y: None, lambda s: s, "Bad.forward: got None"),
    (lambda s, y: "abc", lambda s: s, "Bad.forward: got 'abc'"),
    (lambda s, y: 0.0, lambda s: [[1.0], [2.0, 3.0]], "Bad.backward: got rows of unequal"),
    (lambda s, y: 0.0, lambda s: s[:1], "backward: got shape"),
    (lambda s, y: 0.0, lambda s: s + 1j, "backward: got dtype"),
])  # fmt: skip
def test_a_faulty_loss_raises(forward, backward, words):
    class Bad:
        def forward(self, scores, y):
            self.scores = scores
            return forward(scores, y)

        def backward(self):
            return backward(self.scores)

    net = fm.Sequential(fm.Linear(2, 2), seed=0)
    before = net.params.copy()
    with pytest.raises(fm.FastMLPError, match=words):
        fm.Trainer(net, Bad()).step(draw(3, 2), draw(3, 2))
    assert (net.params == before).all()


@pytest.mark.parametrize(("y", "options", "words"), [
    (draw(2, 2), {}, r"y: got shape \(2, 2\); want 3 rows"),
    (1.0, {}, r"y: got shape \(\); want 3 rows"),
    (draw(3, 2), {"sample_weight": np.ones(3)},
     "sample_weight: got weights for Squares.forward, which has no parameter"),
    (draw(3, 2), {"validation": (draw(3, 2), draw(3, 2), np.ones(3))},
     "validation sample_weight: got weights for Squares.forward, which has no"),
])  # fmt: skip
def test_arguments_that_custom_losses_refuse(y, options, words):
    net = fm.Sequential(fm.Linear(2, 2), seed=0)
    with pytest.raises(fm.ArgumentError, match=words):
        fm.fit(net, draw(3, 2), y, loss=Squares(), epochs=1, progress=False, **options)
