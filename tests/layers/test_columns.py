"""GatherColumns and ParametricActivation against their references, on all threads and ISAs."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from tests.harness import ACTIVATIONS, check, generator, rounding, same_bits, using_threads

import fastmlp as fm
from fastmlp import reference as ref

DTYPES = ("float32", "float64")
INDICES = {
    "one": [0],
    "subset": [4, 1],
    "permutation": [*range(6, -1, -1)],
    "repetitions": [0] * 20 + [6] * 20 + [3],
    "copies": [*range(7)] * 9,
    "runs": [*range(1, 60), 5, 5, 5, *range(20, 33), 0, *range(60)],
}


def draw(*shape, dtype="float64", key=0):
    return generator("columns", key).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("kind", INDICES)
@pytest.mark.parametrize("rows", [0, 3, 100])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.usefixtures("isa")
def test_gather_columns_equals_its_reference(dtype, rows, kind):
    indices = INDICES[kind]
    ours, reference = fm.GatherColumns(indices, dtype=dtype), ref.GatherColumns(indices)
    x, dy = draw(rows, 60, dtype=dtype), draw(rows, len(indices), dtype=dtype, key=1)
    with using_threads(2):
        assert same_bits(ours.forward(x), x[:, indices])
        dx = ours.backward(dy)
    reference.forward(x)
    magnitude = reference.backward(np.abs(dy))
    check(dx, reference.backward(dy), rounding(len(indices), np.dtype(dtype)), magnitude)


@pytest.mark.usefixtures("isa", "threads")
def test_gradients_of_copies_are_added_in_ascending_order():
    layer = fm.GatherColumns([0, 1, 0, 0], dtype="float32")
    layer.forward(np.zeros((5, 2)))
    dx = layer.backward([[1.0, 0.5, 2.0**24, -(2.0**24)]] * 5)
    assert dx.tolist() == [[0.0, 0.5]] * 5


def test_a_value_that_is_also_read_by_others_gets_all_gradients():
    x, symbol = draw(9, 6), fm.Input(6)
    line = fm.Linear(6, 3)
    for first in (True, False):
        layers = {"copies": fm.GatherColumns([5, 5, 0]), "line": line}
        ordered = layers if first else dict(reversed(layers.items()))
        net = fm.Graph(symbol, {name: one(symbol) for name, one in ordered.items()},
                       dtype="float64", seed=2)  # fmt: skip
        line = pickle.loads(pickle.dumps(line))
        net.forward(x)
        dx = net.backward({"copies": [[1.0, 2.0, 3.0]] * 9, "line": np.zeros((9, 3))})
        assert dx.tolist() == [[3.0, 0.0, 0.0, 0.0, 0.0, 3.0]] * 9
        symbol = fm.Input(6)


def test_millions_of_columns(tmp_path):
    indices = np.tile(np.arange(1000), 1050)
    indices[500_000:600_000] = indices[500_000:600_000][::-1]
    net = fm.Sequential(fm.GatherColumns(indices), in_features=1000)
    x = draw(2, 1000, dtype="float32")
    assert same_bits(net.predict(x), x[:, indices])
    net.save(tmp_path / "net.safetensors")
    assert np.array_equal(fm.load(tmp_path / "net.safetensors")[0].indices, indices)
    assert len(repr(net[0])) < 80
    assert same_bits(fm.freeze(net).predict(x), x[:, indices])


def test_indices_belong_to_the_layer():
    given = np.array([2, 0])
    layer = fm.GatherColumns(given)
    given[0] = 1
    assert layer.forward([[1.0, 2.0, 3.0]]).tolist() == [[3.0, 1.0]]
    with pytest.raises(ValueError, match="read-only"):
        layer.indices[0] = 1
    with pytest.raises(fm.ArgumentError, match=r"^indices: got 2; want 0 to 1, the columns of the"):
        layer.forward([[1.0, 2.0]])
    with pytest.raises(fm.ArgumentError, match=r"layer 1, GatherColumns.*: indices: got 2; want"):
        fm.Sequential(fm.Linear(4, 2), fm.GatherColumns([2]))
    with pytest.raises(fm.ArgumentError, match="indices: got -1 at position 1; want whole numbers"):
        fm.GatherColumns([0, -1])


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "GELUTanh"])
@pytest.mark.parametrize("shape", [(2, 1), (40, 17), (4, 600)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.usefixtures("isa")
def test_parametric_activation_equals_its_reference(dtype, shape, name):
    """The errors are those of the activation, and one rounding of each operation."""
    row = ACTIVATIONS[name][1]
    ours = fm.ParametricActivation(name, shape[1], dtype=dtype)
    ours.alpha = draw(shape[1])
    parameters = [value for _, value in row["params"]]
    reference = ref.ParametricActivation(ours.alpha, name, *parameters)
    x, dy = 3 * draw(*shape, dtype=dtype, key=1), draw(*shape, dtype=dtype, key=2)
    with using_threads(2):
        y, dx = ours.forward(x), ours.backward(dy)
    expected, downstream = reference.forward(x), reference.backward(dy)
    eps = np.finfo(dtype).eps
    room = 4 * eps + max(row["tolerance"][dtype == "float64"], 4 * eps)
    size = (1 + np.abs(ours.alpha)) * (2 + np.abs(x) + np.abs(reference.change))
    check(y, expected, room, size)
    check(dx, downstream, room, (2 + 3 * np.abs(ours.alpha)) * np.abs(dy))
    changes = 2 + np.abs(x) + np.abs(reference.change)
    check(ours.dalpha, reference.dalpha, room + rounding(shape[0], np.dtype(dtype)),
          (np.abs(dy) * changes).sum(axis=0))  # fmt: skip


@pytest.mark.parametrize("name", ["ReLU", "SELU"])
def test_alpha_fades_an_activation_in(name):
    x = draw(20, 5)
    layer = fm.ParametricActivation(name, 5, dtype="float64")
    assert layer.alpha.tolist() == [1.0] * 5
    np.testing.assert_allclose(layer.forward(x), getattr(fm, name)().forward(x), rtol=1e-14)
    layer.alpha = np.zeros(5)
    assert np.array_equal(layer.forward(x), x)


def test_parametric_activations_keep_parameters_and_descriptions():
    layer = fm.ParametricActivation(fm.LeakyReLU(0.5), 2)
    assert layer.forward([[-2.0, 2.0]]).tolist() == [[-1.0, 2.0]]
    again = fm.Sequential.from_description(fm.Sequential(layer).describe())[0]
    assert again.forward([[-2.0, 2.0]]).tolist() == [[-1.0, 2.0]]
    assert (
        repr(again) == "ParametricActivation(activation=LeakyReLU(negative_slope=0.5), features=2)"
    )
    # Initial weights suit the activation.
    pair = [fm.Sequential(fm.Linear(3, 4), last, seed=0)[0].W for last in
            (fm.SELU(), fm.ParametricActivation(fm.SELU(), 4))]  # fmt: skip
    assert np.array_equal(*pair)


def network(dtype="float64", compute=None):
    return fm.Sequential(
        fm.GatherColumns([*range(6), 5, 5, *range(6)]), fm.Linear(14, 12),
        fm.ParametricActivation(fm.Mish(), 12), fm.GatherColumns([*range(12)] * 2),
        fm.ParametricActivation(fm.GELU(approximate="tanh"), 24), fm.Linear(24, 3),
        dtype=dtype, seed=0, in_features=6, compute=compute)  # fmt: skip


@pytest.mark.usefixtures("isa")
def test_a_network_of_them_has_right_gradients():
    errors = fm.gradcheck(network(), fm.CrossEntropyLoss(), draw(30, 6), np.arange(30) % 3)
    assert errors < 1e-6, errors.table()
    assert set(errors.parameters) >= {"2.alpha", "4.alpha"}


@pytest.mark.parametrize(("dtype", "compute"), [(*DTYPES[:1], None), ("float64", None),
                                                 ("float32", "bfloat16")])  # fmt: skip
def test_bits_do_not_depend_on_threads(dtype, compute, tmp_path):
    x, y = draw(200, 6), np.arange(200) % 3
    found = set()
    for threads in (1, 2, 3, 4, 7):
        net = network(dtype, compute)
        with using_threads(threads):
            fm.fit(net, x, y, loss=fm.CrossEntropyLoss(), epochs=2, batch_size=60,
                   optimizer=fm.AdamW(groups={"alpha": {"lr": 0.1, "weight_decay": 0}}),
                   progress=False)  # fmt: skip
            found.add(net.params.tobytes() + net.predict(x).tobytes())
    assert len(found) == 1
    net.save(tmp_path / "net.safetensors")
    for other in (fm.load(tmp_path / "net.safetensors"), net.copy(), fm.freeze(net)):
        assert same_bits(other.predict(x), net.predict(x))


def test_alpha_is_a_role_of_parameter_groups():
    net = network()
    before = net.params.copy()
    fm.fit(net, draw(20, 6), np.arange(20) % 3, loss=fm.CrossEntropyLoss(), progress=False,
           optimizer=fm.Adam(groups={"alpha": {"lr": 0}}))  # fmt: skip
    assert net[2].alpha.tolist() == [1.0] * 12
    assert net[4].alpha.tolist() == [1.0] * 24
    assert not np.array_equal(net.params, before)
