"""Sequential: construction, views, predict, states, copies."""

from __future__ import annotations

import copy
import json
import pickle
import threading

import numpy as np
import pytest

import fastmlp as fm

X = np.random.default_rng(0).normal(size=(6, 4))


def make(dtype="float32", seed=0):
    return fm.Sequential(
        fm.Linear(4, 5), fm.ReLU(), fm.Dropout(0.5), fm.Linear(5, 3), dtype=dtype, seed=seed
    )


def by_hand(net, x):
    first, last = net[0], net[3]
    hidden = np.maximum(x @ first.W.astype(float) + first.b, 0.0)
    return hidden @ last.W.astype(float) + last.b


@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-5), ("float64", 1e-12)])
def test_forward_and_predict(dtype, rtol):
    net = make(dtype)
    y = net.forward(X)
    assert y.dtype == dtype
    assert np.allclose(y, by_hand(net, X), rtol=rtol, atol=rtol)
    assert np.array_equal(net.predict(X), y)


@pytest.mark.parametrize("rows", [0, 1, 2, 100])
def test_any_number_of_rows(rows):
    net = make()
    x = np.ones((rows, 4))
    assert net.predict(x).shape == (rows, 3)
    assert net.forward(x, training=True).shape == (rows, 3)
    assert net.backward(np.ones((rows, 3))).shape == (rows, 4)
    if rows == 0:
        assert not net.grads.any()


def test_one_row_in_one_row_out():
    net = make()
    assert np.array_equal(net.predict(X[0]), net.predict(X[:1])[0])
    assert net.forward(X[0]).shape == (3,)
    assert net.backward(np.ones(3)).shape == (4,)
    with pytest.raises(fm.ArgumentError, match=r"x: got 6 columns; want 4.*reshape\(-1, 1\)"):
        net.predict(np.ones(6))


def test_views():
    net = make()
    assert net.params.shape == (4 * 5 + 5 + 5 * 3 + 3,) == (net.n_parameters,)
    assert net.params.ctypes.data % 64 == 0
    assert np.array_equal(net.params[:20], net[0].W.ravel())
    assert np.array_equal(net.params[-3:], net[3].b)
    net[0].W[...] = 0.0
    net[3].W[...] = 0.0
    net[3].b = [1, 2, 3]
    assert net.predict(X[0]).tolist() == [1.0, 2.0, 3.0]
    net.params = np.zeros(net.n_parameters)
    assert not net.predict(X).any()
    net.forward(X)
    net.backward(np.ones((6, 3)))
    assert np.array_equal(net.grads[-3:], net[3].db)
    net.zero_grad()
    assert not net.grads.any()


def test_views_outlive_the_network():
    weights = make()[0].W
    assert weights.shape == (4, 5)
    assert np.isfinite(weights).all()


def test_accumulated_gradients():
    net = make("float64")
    net.forward(X)
    net.backward(np.ones((6, 3)))
    once = net.grads.copy()
    net.forward(X)
    net.backward(np.ones((6, 3)), accumulate=True)
    assert np.allclose(net.grads, 2 * once)
    net.forward(X)
    net.backward(np.ones((6, 3)))
    assert np.array_equal(net.grads, once)


def test_backward_before_forward_and_twice():
    net = make()
    before = net.params.copy()
    with pytest.raises(fm.StateError, match="backward: no forward pass has been made"):
        net.backward(np.ones((6, 3)))
    net.forward(X)
    with pytest.raises(fm.ArgumentError, match="dy: got 5 rows; want 6"):
        net.backward(np.ones((5, 3)))
    with pytest.raises(fm.ArgumentError, match="dy: got 4 columns; want 3"):
        net.backward(np.ones((6, 4)))
    net.backward(np.ones((6, 3)))
    with pytest.raises(fm.StateError, match="used up"):
        net.backward(np.ones((6, 3)))
    assert np.array_equal(net.params, before)


def test_predict_keeps_no_state():
    net = make("float64")
    net.forward(X)
    net.predict(np.ones((2, 4)))
    assert net.backward(np.ones((6, 3))).shape == (6, 4)


def test_predict_into_an_array():
    net = make()
    out = np.full((6, 3), np.nan, np.float32)
    assert net.predict(X, out=out) is out
    assert np.array_equal(out, net.predict(X))
    row = np.empty(3, np.float32)
    assert net.predict(X[0], out=row) is row
    assert np.array_equal(row, out[0])


def read_only(shape):
    array = np.zeros(shape, np.float32)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        ([[0.0] * 3] * 6, TypeError, "out: got list; want a NumPy array"),
        (np.zeros((6, 3)), TypeError, "out: got dtype float64; want float32"),
        (np.zeros((6, 4), np.float32), ValueError, r"out: got shape \(6, 4\); want \(6, 3\)"),
        (np.zeros((3, 6), np.float32).T, ValueError, "out: got a strided"),
        (np.zeros((6, 6), np.float32)[:, ::2], ValueError, "out: got a strided"),
        (read_only((6, 3)), ValueError, "out: got a read-only array"),
    ],
)
def test_unfit_outputs(out, error, message):
    with pytest.raises(error, match=message):
        make().predict(X, out=out)


def test_output_apart_from_input_and_parameters():
    net = fm.Sequential(fm.Linear(3, 3), seed=0)
    x = np.ones((6, 3), np.float32)
    with pytest.raises(fm.ArgumentError, match="out: overlaps"):
        net.predict(x, out=x)
    with pytest.raises(fm.ArgumentError, match="out: overlaps"):
        net.predict(x[:1], out=net[0].W[:1])


def test_predict_from_several_threads():
    net, x = make(), np.random.default_rng(1).normal(size=(64, 4))
    expected, found = net.predict(x), []

    def work():
        found.append(all(np.array_equal(net.predict(x), expected) for _ in range(50)))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [True] * 4


def test_container():
    net = make()
    assert len(net) == 4
    assert list(net) == list(net.layers)
    assert net[-1] is net.layers[3]
    assert (net.in_features, net.out_features, net.dtype, net.seed) == (4, 3, np.float32, 0)
    assert "(0): Linear(in_features=4, out_features=5)" in repr(net)
    assert net.summary().splitlines()[-1].split() == ["total", "43"]
    assert len(fm.Sequential([fm.Linear(2, 2), fm.ReLU()])) == 2


def test_seeds():
    assert np.array_equal(make(seed=7).params, make(seed=7).params)
    assert not np.array_equal(make(seed=7).params, make(seed=8).params)
    drawn = make(seed=None)
    assert np.array_equal(make(seed=drawn.seed).params, drawn.params)
    assert np.array_equal(make("float64").params.astype(np.float32), make("float32").params)


def test_zeros_keep_units_identical():
    net = fm.Sequential(fm.Linear(4, 5, init="zeros"), fm.Tanh(), fm.Linear(5, 2, init="zeros"))
    net.forward(X)
    net.backward(np.random.default_rng(0).normal(size=(6, 2)))
    assert np.all(net[2].dW == net[2].dW[0])


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([], ValueError, "layers: got none"),
        ([fm.Linear(2, 3), fm.Linear(4, 1)], ValueError, "layer 1.*got 4; want 3 .*layer 0"),
        ([fm.ReLU()], ValueError, "layer 0: ReLU.*put a Linear first or give .*in_features"),
        ([fm.Linear(2, 3), "relu"], TypeError, "layer 1: got 'relu'; want a layer"),
        ([fm.Linear(2, 3), fm.ReLU], TypeError, "layer 1: .*with parentheses"),
        ([fm.Linear(2, 3), fm.MSELoss()], TypeError, "layer 1: got MSELoss"),
    ],
)
def test_unfit_layers(layers, error, message):
    with pytest.raises(error, match=message):
        fm.Sequential(*layers)


def test_a_layer_belongs_to_one_network():
    act = fm.ReLU()
    with pytest.raises(fm.ArgumentError, match=r"layer 2: ReLU.* appears twice"):
        fm.Sequential(fm.Linear(2, 2), act, act)
    net = make()
    with pytest.raises(fm.ArgumentError, match=r"layer 0: .*belongs to another network"):
        fm.Sequential(net[0])
    assert fm.Sequential(copy.deepcopy(net[0]))[0].W.tolist() == net[0].W.tolist()


def test_a_refused_network_leaves_its_layers_free():
    lin = fm.Linear(2, 3)
    with pytest.raises(fm.ArgumentError):
        fm.Sequential(lin, fm.Linear(4, 1))
    assert fm.Sequential(lin).out_features == 3


def test_input_width_for_a_network_without_linear():
    net = fm.Sequential(fm.ReLU(), fm.Softmax(), in_features=3)
    assert net.params.size == 0
    assert np.allclose(net.predict([[0.0, 0.0, -5.0]]), 1 / 3)
    with pytest.raises(fm.ArgumentError, match=r"layer 0.*got 2; want 3 .*the input"):
        fm.Sequential(fm.Linear(2, 2), in_features=3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dtype": "float16"}, ValueError, "dtype: got 'float16'"),
        ({"dtype": "no such"}, TypeError, "dtype: got 'no such'"),
        ({"dtype": None}, ValueError, "dtype"),
        ({"seed": -1}, ValueError, "seed: got -1"),
        ({"seed": 1.5}, TypeError, "seed: got 1.5"),
        ({"seed": 2**64}, ValueError, "seed: got"),
        ({"in_features": 0}, ValueError, "in_features: got 0"),
    ],
)
def test_unfit_options(options, error, message):
    with pytest.raises(error, match=message):
        fm.Sequential(fm.Linear(2, 2), **options)


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, fm.Sequential.copy, lambda net: pickle.loads(pickle.dumps(net))],
)
def test_duplicates_are_independent(duplicate):
    net = make("float64")
    net.forward(X, training=True)
    net.backward(np.ones((6, 3)))
    net[0].W[0, 0] = 42.0
    other = duplicate(net)
    assert np.array_equal(other.params, net.params)
    assert np.array_equal(other.grads, net.grads)
    assert (other.dtype, other.seed, other.step_count) == (net.dtype, net.seed, 1)
    assert np.array_equal(other.forward(X, training=True), net.forward(X, training=True))
    other[0].W[...] = 0.0
    assert net[0].W[0, 0] == 42.0


def test_descriptions():
    net = fm.Sequential(
        fm.Linear(4, 5, init=fm.initializers.Constant(0.5), bias_init="zeros"),
        fm.LeakyReLU(0.2),
        fm.GELU("tanh"),
        fm.Dropout(0.1),
        fm.Linear(5, 2, bias=False),
        fm.Softmax(),
        dtype="float64",
        seed=9,
    )
    description = json.loads(json.dumps(net.describe()))
    other = fm.Sequential.from_description(description)
    assert repr(other) == repr(net)
    assert other.describe() == description
    assert np.array_equal(other.params, net.params)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "Graph"},
        {"layers": [{"type": "os.system"}]},
        {"layers": [{"type": "Linear", "in_features": 2, "out_features": -1}]},
        {"layers": [{"type": "Linear", "in_features": 2, "size": 3}]},
        {"layers": "Linear"},
        {"extra": 1},
    ],
)
def test_unfit_descriptions(change):
    with pytest.raises(fm.FastMLPError):
        fm.Sequential.from_description({**make().describe(), **change})


def test_dropout_masks_depend_on_the_count_of_passes():
    net = make()
    first = net.forward(X, training=True)
    second = net.forward(X, training=True)
    assert not np.array_equal(first, second)
    assert net.step_count == 2
    net.step_count = 0
    assert np.array_equal(net.forward(X, training=True), first)


def test_nan_stays_in_its_row():
    net = make()
    x = X.copy()
    x[2, 1] = np.nan
    y = net.predict(x)
    assert np.isnan(y[2]).all()
    others = [0, 1, 3, 4, 5]
    assert np.array_equal(y[others], net.predict(X)[others])
