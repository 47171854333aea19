"""Linear with groups and with a fold: values, gradients, bits, and what networks do with them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.harness import net_reference, same_bits, using_threads

import fastmlp as fm
from fastmlp import reference as ref

ROOM = {"float32": 2e-5, "float64": 1e-12}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# (rows, width of the input, layer): small, tall and wide groups; some take packed products.
SHAPES = {
    "one input a group": (40, lambda **k: fm.Linear(5, 80, groups=5, **k)),
    "few outputs": (1100, lambda **k: fm.Linear(48, 9, groups=3, **k)),
    "no bias": (17, lambda **k: fm.Linear(40, 64, bias=False, groups=4, **k)),
    "wide groups": (33, lambda **k: fm.Linear(140, 514, groups=2, **k)),
    "one row": (1, lambda **k: fm.Linear(21, 49, groups=7, **k)),
    "folded": (40, lambda **k: fm.Linear(9, 19, fold=3, **k)),
    "folded, one row": (1, lambda **k: fm.Linear(9, 33, fold=8, **k)),
    "folded, few outputs": (300, lambda **k: fm.Linear(20, 2, fold=4, **k)),
    "folded, wide": (12, lambda **k: fm.Linear(70, 520, bias=False, fold=5, **k)),
}


def reference_of(layer):
    return ref.Linear(layer.W, layer.b, None, layer.groups, layer.fold)


@pytest.fixture
def four_threads():
    """As many as divide columns; other numbers give the same bits."""
    with using_threads(4):
        yield


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("dtype", ROOM)
@pytest.mark.usefixtures("isa", "four_threads")
def test_a_layer_equals_its_reference(name, dtype):
    rows, make = SHAPES[name]
    layer = make(dtype=dtype, seed=1)
    if layer.b is not None:
        layer.b = draw(layer.b.size, seed=2)
    reference = reference_of(layer)
    x = draw(rows, layer.fold * layer.in_features, seed=3)
    dy = draw(rows, layer.fold * layer.out_features, seed=4)
    room = {"rtol": ROOM[dtype], "atol": ROOM[dtype] * 10 * np.sqrt(rows * layer.fold)}
    np.testing.assert_allclose(layer.forward(x), reference.forward(x), **room)
    np.testing.assert_allclose(layer.backward(dy), reference.backward(dy), **room)
    np.testing.assert_allclose(layer.dW, reference.dW, **room)
    if layer.b is not None:
        np.testing.assert_allclose(layer.db, reference.db, **room)


def test_a_folded_layer_has_the_bits_of_a_plain_one_on_more_rows():
    folded, plain = fm.Linear(37, 50, fold=6, seed=1), fm.Linear(37, 50, seed=1)
    x, dy = draw(30, 6 * 37, seed=3), draw(30, 6 * 50, seed=4)
    assert same_bits(folded.forward(x), plain.forward(x.reshape(180, 37)).reshape(30, 300))
    assert same_bits(folded.backward(dy), plain.backward(dy.reshape(180, 50)).reshape(30, 222))
    assert same_bits(folded.dW, plain.dW)
    assert same_bits(folded.db, plain.db)


def test_a_group_has_the_bits_of_a_plain_layer():
    grouped = fm.Linear(3 * 37, 3 * 50, groups=3, seed=1)
    x, dy = draw(30, 111, seed=3), draw(30, 150, seed=4)
    y, dx = grouped.forward(x), grouped.backward(dy)
    for g in range(3):
        columns, outputs = slice(37 * g, 37 * g + 37), slice(50 * g, 50 * g + 50)
        plain = fm.Linear(37, 50)
        plain.W = grouped.W[columns]
        assert same_bits(plain.forward(x[:, columns]), np.ascontiguousarray(y[:, outputs]))
        assert same_bits(plain.backward(dy[:, outputs]), np.ascontiguousarray(dx[:, columns]))
        assert same_bits(plain.dW, grouped.dW[columns])


def members(dtype="float32", compute=None, width=20):
    """Four networks side by side on shared inputs, with residuals, and a folded product."""
    x, total = fm.Input(6), 4 * width
    h = fm.GELU()(fm.Linear(6, total)(x))
    h = fm.ReLU()(fm.Linear(total, total, groups=4)(h) + h)
    h = fm.Tanh()(fm.Linear(width, width, fold=4)(h) + fm.Scale(total)(h))
    return fm.Graph(x, fm.Linear(total, 12, groups=4)(h), dtype=dtype, seed=0, compute=compute)


def test_gradients_of_a_network():
    net = members("float64", width=3)
    errors = fm.gradcheck(net, fm.MSELoss(), draw(20, 6), draw(20, 12, seed=1))
    assert errors < 1e-6, errors.table()


@pytest.mark.parametrize("compute", [None, "bfloat16"])
def test_bits_do_not_depend_on_threads_and_instruction_sets(compute, isa):
    x, y = draw(210, 6), draw(210, 12, seed=1)
    found = set()
    for threads in (1, 2, 3, 4, 7):
        net = members(compute=compute)
        with using_threads(threads):
            fm.fit(net, x, y, loss=fm.MSELoss(), optimizer=fm.Adam(lr=0.01, clip_norm=0.5),
                   epochs=1, batch_size=50, penalty=fm.L2(1e-3), progress=False)  # fmt: skip
            single = np.concatenate([net.predict(row[None]) for row in x[:9]])
            assert same_bits(single, net.predict(x)[:9])
        found.add(net.params.tobytes())
    assert len(found) == 1


@pytest.mark.parametrize("compute", [None, "bfloat16"])
def test_training_equals_the_reference(compute):
    net = fm.Sequential(
        fm.Linear(12, 40, groups=4), fm.Tanh(), fm.Linear(10, 20, fold=4), fm.Sigmoid(),
        fm.Linear(80, 5), seed=0, compute=compute)  # fmt: skip
    x, y = draw(64, 12), np.arange(64) % 5
    reference = net_reference(net)
    trainer = ref.Trainer(reference, ref.CrossEntropyLoss(), ref.SGD(lr=0.1))
    for _ in range(3):
        trainer.step(x, y)
    fm.fit(net, x, y, loss=fm.CrossEntropyLoss(), optimizer=fm.SGD(lr=0.1), epochs=3,
           batch_size=64, shuffle=False, progress=False)  # fmt: skip
    np.testing.assert_allclose(net.params, ref.flatten(reference.params), rtol=2e-3, atol=2e-4)


def test_first_values_suit_one_group():
    layer = fm.Linear(6400, 3200, groups=32, init="he_normal", seed=0)
    assert layer.W.shape == (6400, 100)
    assert layer.W.std() == pytest.approx((2 / 200) ** 0.5, rel=0.02)
    assert fm.Linear(200, 300, fold=32, init="he_normal", seed=0).W.shape == (200, 300)


def test_descriptions_name_groups_and_folds_only_where_there_are_some():
    assert not {"groups", "fold"} & set(fm.Linear(2, 2).describe())
    assert repr(fm.Linear(4, 2, groups=2)) == "Linear(in_features=4, out_features=2, groups=2)"
    net = members()
    for copy in (fm.Graph.from_description(net.describe()), net.copy()):
        assert copy.n_parameters == net.n_parameters
        copy.params = net.params
        assert same_bits(copy.predict(draw(3, 6)), net.predict(draw(3, 6)))


@pytest.mark.parametrize("weights", ["float32", "bfloat16", "int8"])
def test_frozen_networks_keep_groups_and_folds(weights, tmp_path):
    net, x = members(), draw(40, 6)
    frozen = fm.freeze(net, weights=weights, rows=x)
    expected = members(compute="bfloat16" if weights == "bfloat16" else None).predict(x)
    if weights == "int8":
        np.testing.assert_allclose(frozen.predict(x), expected, atol=0.1)
    else:
        assert same_bits(frozen.predict(x), expected)
    frozen.save(tmp_path / "m.safetensors")
    loaded = fm.FrozenPredictor.load(tmp_path / "m.safetensors")
    assert same_bits(loaded.predict(x), frozen.predict(x))


def test_saved_networks_keep_groups_and_folds(tmp_path):
    net = members()
    net.save(tmp_path / "m.safetensors")
    assert same_bits(
        fm.load(tmp_path / "m.safetensors").predict(draw(5, 6)), net.predict(draw(5, 6))
    )


def test_a_folded_layer_knows_the_width_of_its_network():
    net = fm.Sequential(fm.Linear(3, 2, fold=5), seed=0)
    assert (net.in_features, net.out_features, net.n_parameters) == (15, 10, 8)


def test_frozen_groups_do_not_change():
    net = members()
    net.layers[2].trainable = False
    before = {i: layer.W.copy() for i, layer in enumerate(net.layers) if hasattr(layer, "W")}
    fm.fit(net, draw(40, 6), draw(40, 12), loss=fm.MSELoss(), optimizer=fm.Adam(lr=0.01),
           progress=False)  # fmt: skip
    changed = {i for i in before if not np.array_equal(net.layers[i].W, before[i])}
    assert 2 not in changed
    assert changed


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: fm.Linear(6, 4, groups=3), r"^groups: got 3; want a divisor of in_features=6 and"),
        (lambda: fm.Linear(6, 6, groups=2, fold=2), r"^fold: got 2 with groups=2; want one of"),
        (lambda: fm.Linear(6, 6, fold=0), r"^fold: got 0; want"),
        (
            lambda: fm.Sequential(fm.Linear(4, 9), fm.Linear(4, 2, fold=2)),
            r"in_features: got 4 with fold=2; want 9 / 2",
        ),
    ],
)
def test_wrong_groups_and_folds_are_errors(make, words):
    with pytest.raises(fm.ArgumentError, match=words):
        make()
