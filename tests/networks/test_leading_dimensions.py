"""Rows with any leading dimensions give the values of rows ``(N, features)`` in another shape."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp as fm

LEADING = [(), (5,), (2, 5), (3, 1, 2), (0,), (0, 5), (2, 0), (1,)]


def rows_of(leading, width, seed=0):
    return np.random.default_rng(seed).standard_normal((*leading, width))


def network(seed=0, dtype="float64"):
    return fm.Sequential(
        fm.Linear(4, 6), fm.Tanh(), fm.LayerNorm(6), fm.Linear(6, 3), dtype=dtype, seed=seed
    )


@pytest.mark.parametrize("leading", LEADING)
def test_a_layer_takes_leading_dimensions(leading, isa, dtype):
    layer = fm.Linear(4, 3, dtype=dtype, seed=0)
    x, dy = rows_of(leading, 4).astype(dtype), rows_of(leading, 3, seed=1).astype(dtype)
    y, dx = layer.forward(x), layer.backward(dy)
    dW, db = layer.dW.copy(), layer.db.copy()
    assert y.shape == (*leading, 3)
    assert dx.shape == x.shape
    flat = fm.Linear(4, 3, dtype=dtype, seed=0)
    assert y.tobytes() == flat.forward(x.reshape(-1, 4)).tobytes()
    assert dx.tobytes() == flat.backward(dy.reshape(-1, 3)).tobytes()
    assert (dW == flat.dW).all()
    assert (db == flat.db).all()


@pytest.mark.parametrize("leading", LEADING)
def test_shapes_and_values_equal_those_of_torch(leading):
    torch = pytest.importorskip("torch", reason="PyTorch is the second opinion; it is optional")
    ours, theirs = fm.Linear(4, 3, dtype="float64", seed=0), torch.nn.Linear(4, 3).double()
    with torch.no_grad():
        theirs.weight.copy_(torch.from_numpy(ours.W.T.copy()))
        theirs.bias.copy_(torch.from_numpy(ours.b.copy()))
    x, dy = rows_of(leading, 4), rows_of(leading, 3, seed=1)
    given = torch.from_numpy(x).requires_grad_()
    y = theirs(given)
    y.backward(torch.from_numpy(dy))
    np.testing.assert_allclose(ours.forward(x), y.detach().numpy(), rtol=0, atol=1e-14)
    np.testing.assert_allclose(ours.backward(dy), given.grad.numpy(), rtol=0, atol=1e-14)
    np.testing.assert_allclose(ours.dW, theirs.weight.grad.numpy().T, rtol=0, atol=1e-14)


@pytest.mark.parametrize("leading", LEADING)
@pytest.mark.parametrize("keep", [False, True])
def test_a_network_takes_leading_dimensions(leading, keep, isa):
    net, flat = network(), network()
    x, dy = rows_of(leading, 4), rows_of(leading, 3, seed=1)
    y, dx = net.forward(x, keep=keep), net.backward(dy)
    assert y.shape == (*leading, 3)
    assert dx.shape == x.shape
    assert y.tobytes() == flat.forward(x.reshape(-1, 4)).tobytes()
    assert dx.tobytes() == flat.backward(dy.reshape(-1, 3)).tobytes()
    assert net.grads.tobytes() == flat.grads.tobytes()


@pytest.mark.parametrize("leading", LEADING)
def test_predict_takes_leading_dimensions(leading):
    net, x = network(), rows_of(leading, 4)
    y = net.predict(x)
    assert y.shape == (*leading, 3)
    assert y.tobytes() == net.forward(x).tobytes()
    out = np.empty((*leading, 3))
    assert net.predict(x, out=out) is out
    assert out.tobytes() == y.tobytes()


def test_strided_and_converted_arrays_too():
    net = network()
    x = rows_of((5, 2, 8), 4)
    view = x.transpose(1, 0, 2, 3)[:, :, ::2]
    expected = net.predict(np.ascontiguousarray(view).reshape(-1, 4)).reshape(2, 5, 4, 3)
    np.testing.assert_array_equal(net.predict(view), expected)
    np.testing.assert_array_equal(net.predict(view.tolist()), expected)


@pytest.mark.parametrize("layer", [fm.ReLU(), fm.Softmax(), fm.Maxout(2), fm.Dropout(0.5)])
def test_layers_of_any_width_take_leading_dimensions(layer):
    x = rows_of((2, 3), 4)
    y = layer.forward(x)
    assert y.shape[:2] == (2, 3)
    assert layer.backward(np.ones_like(y)).shape == x.shape
    np.testing.assert_array_equal(y.reshape(6, -1), layer.forward(x.reshape(6, 4)))


def test_joins_take_leading_dimensions():
    a, b = rows_of((2, 3), 4), rows_of((2, 3), 4, seed=1)
    layer = fm.Multiply()
    np.testing.assert_array_equal(layer.forward(a, b), a * b)
    da, db = layer.backward(np.ones((2, 3, 4)))
    np.testing.assert_array_equal(da, b)
    np.testing.assert_array_equal(db, a)
    with pytest.raises(fm.ArgumentError, match="the same number of rows"):
        layer.forward(a, b.reshape(3, 2, 4))


class Twice:
    """A custom node, which gets rows."""

    def forward(self, x):
        assert x.ndim == 2
        return 2 * x

    def backward(self, upstream):
        assert upstream.ndim == 2
        return 2 * upstream


def test_custom_nodes_get_rows():
    x = rows_of((2, 3), 4)
    layer = fm.Custom(Twice())
    np.testing.assert_array_equal(layer.forward(x), 2 * x)
    np.testing.assert_array_equal(layer.backward(x), 2 * x)
    net = fm.Sequential(Twice(), in_features=4, dtype="float64")
    np.testing.assert_array_equal(net.forward(x), 2 * x)
    np.testing.assert_array_equal(net.backward(x), 2 * x)


def test_graphs_take_leading_dimensions():
    a, b = fm.Input(4, "a"), fm.Input(3, "b")
    net = fm.Graph([a, b], {"sum": fm.Linear(4, 3)(a) + b, "product": a * a}, dtype="float64")
    x = {"a": rows_of((2, 5), 4), "b": rows_of((2, 5), 3, seed=1)}
    y = net.forward(x)
    assert {name: array.shape for name, array in y.items()} == {
        "sum": (2, 5, 3), "product": (2, 5, 4),
    }  # fmt: skip
    dx = net.backward(y)
    assert {name: array.shape for name, array in dx.items()} == {"a": (2, 5, 4), "b": (2, 5, 3)}


TARGETS = {
    "MSELoss": lambda leading: rows_of(leading, 3, seed=2),
    "CrossEntropyLoss": lambda leading: np.random.default_rng(2).integers(3, size=leading),
    "BCEWithLogitsLoss": lambda leading: (rows_of(leading, 3, seed=2) > 0).astype(float),
}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("weighted", [False, True])
def test_training_takes_leading_dimensions(name, weighted, isa):
    x, y = rows_of((2, 5), 4), TARGETS[name]((2, 5))
    weight = np.arange(1.0, 11.0).reshape(2, 5) if weighted else None
    flat_weight = weight.ravel() if weighted else None
    flat = x.reshape(10, 4), y.reshape(10, *y.shape[2:])
    one, other = network(), network()
    trainers = [fm.Trainer(net, getattr(fm, name)(), fm.Adam(lr=0.01)) for net in (one, other)]
    assert trainers[0].step(x, y, weight) == trainers[1].step(*flat, flat_weight)
    options = {"epochs": 3, "batch_size": 4, "seed": 0, "progress": False}
    history = trainers[0].fit(x, y, sample_weight=weight, validation=(x, y), **options)
    expected = trainers[1].fit(*flat, sample_weight=flat_weight, validation=flat, **options)
    assert history.loss == expected.loss
    assert history.val_score == expected.val_score
    assert one.params.tobytes() == other.params.tobytes()


def test_targets_of_one_output_may_leave_its_dimension_out():
    x, y = rows_of((2, 5), 4), rows_of((2, 5), 1)
    losses = []
    for target in (y, y[..., 0]):
        net = fm.Sequential(fm.Linear(4, 1), dtype="float64", seed=0)
        losses.append(fm.Trainer(net, fm.MSELoss()).step(x, target))
    assert losses[0] == losses[1]


def test_losses_by_hand_take_leading_dimensions():
    scores, y = rows_of((2, 5), 3), TARGETS["CrossEntropyLoss"]((2, 5))
    loss, weight = fm.CrossEntropyLoss(), np.arange(10.0).reshape(2, 5)
    value = loss.forward(scores, y, weight)
    assert loss.backward().shape == scores.shape
    gradient = loss.backward().reshape(10, 3)
    assert value == loss.forward(scores.reshape(10, 3), y.ravel(), weight.ravel())
    np.testing.assert_array_equal(loss.backward(), gradient)


def test_gradcheck_takes_leading_dimensions():
    y = TARGETS["CrossEntropyLoss"]((2, 5))
    assert fm.gradcheck(network(), fm.CrossEntropyLoss(), rows_of((2, 5), 4), y) < 1e-6


@pytest.mark.parametrize(
    ("dy", "words"),
    [
        ((10, 3), r"leading dimensions \(10,\); want \(2, 5\)"),
        ((5, 2, 3), r"leading dimensions \(5, 2\); want \(2, 5\)"),
        ((2, 4, 3), "got 8 rows; want 10"),
        ((2, 5, 4), "got 4 columns; want 3"),
    ],
)
def test_upstream_gradients_have_the_leading_dimensions_of_forward(dy, words):
    net = network()
    net.forward(rows_of((2, 5), 4))
    with pytest.raises(fm.ArgumentError, match=words):
        net.backward(np.ones(dy))
    assert net.backward(np.ones((2, 5, 3))).shape == (2, 5, 4)  # the forward pass is still there


def test_targets_and_weights_need_the_leading_dimensions_of_the_rows():
    trainer, x = fm.Trainer(network(), fm.MSELoss()), rows_of((2, 5), 4)
    before = trainer.net.params.copy()
    with pytest.raises(fm.ArgumentError, match=r"^y: got shape \(10, 3\).*\(2, 5\)"):
        trainer.step(x, np.ones((10, 3)))
    with pytest.raises(fm.ArgumentError, match=r"^sample_weight: got shape \(10,\)"):
        trainer.fit(x, np.ones((2, 5, 3)), sample_weight=np.ones(10), epochs=1, progress=False)
    with pytest.raises(fm.ArgumentError, match=r"^x: got 0 rows"):
        trainer.step(np.ones((2, 0, 4)), np.ones((2, 0, 3)))
    assert trainer.net.params.tobytes() == before.tobytes()
