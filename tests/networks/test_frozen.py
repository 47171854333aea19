"""``fm.freeze``: the bits of ``net.predict``, from parameters that never change."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.frozen_networks import (
    KINDS,
    NETS,
    ROWS,
    WIDTHS,
    assert_same,
    chain,
    rows_of,
    with_norms,
)
from tests.harness import same_bits, using_threads

import fastmlp as fm
from fastmlp import _core


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NETS)
def test_a_frozen_predictor_has_the_bits_of_the_network(name, kind, isa):
    net = NETS[name](*KINDS[kind])
    frozen = fm.freeze(net)
    assert frozen.weights == kind
    for count in (1, 2, 3):
        with using_threads(count):
            for rows in ROWS:
                x = rows_of(net, rows)
                assert_same(frozen.predict(x), net.predict(x))


def test_frozen_as_bfloat16_it_has_the_bits_of_such_a_network(isa):
    net, rounded = chain(WIDTHS[1]), chain(WIDTHS[1], compute="bfloat16")
    x = rows_of(net, 9)
    assert_same(fm.freeze(net, weights="bfloat16").predict(x), rounded.predict(x))
    assert_same(fm.freeze(rounded, weights="float32").predict(x), net.predict(x))


def test_it_takes_what_predict_of_the_network_takes():
    net = chain((3, 5, 2))
    frozen, out = fm.freeze(net), np.empty((2, 2), np.float32)
    for x in ([1, 2, 3], np.ones((2, 4, 3)), np.ones((2, 3), np.int8), np.ones((0, 3))):
        assert_same(frozen.predict(x), net.predict(x))
    assert frozen.predict(np.ones((2, 3), np.float32), out=out) is out
    assert_same(out, net.predict(np.ones((2, 3))))
    with pytest.raises(fm.ArgumentError, match="x: got 4 columns; want 3"):
        frozen.predict(np.ones((2, 4)))
    with pytest.raises(fm.ArgumentError, match="x"):
        frozen.predict(out, out=out)


@pytest.mark.parametrize("weights", ["float32", "bfloat16"])
def test_a_network_without_parameters_can_be_frozen(weights):
    net = fm.Sequential(fm.ReLU(), in_features=3)
    assert fm.freeze(net, weights=weights).predict([-1.0, 0.0, 2.0]).tolist() == [0.0, 0.0, 2.0]


def test_later_changes_of_the_network_do_not_reach_it():
    for net in (chain(WIDTHS[1]), with_norms()):
        frozen, x = fm.freeze(net), rows_of(net, 6)
        before = frozen.predict(x)
        net.params[...] = 2 * net.params
        net.forward(x, training=True)
        y = np.zeros(6, np.int64)
        fm.fit(net, x, y, loss=fm.CrossEntropyLoss(), epochs=1, progress=False)
        assert_same(frozen.predict(x), before)
        assert not same_bits(net.predict(x), before)


def test_it_cannot_change():
    frozen = fm.freeze(chain((4, 3)))
    assert not any(hasattr(frozen, name) for name in ("params", "forward", "backward", "layers"))
    with pytest.raises(fm.StateError, match="weights: a frozen predictor cannot change"):
        frozen.weights = "float64"
    with pytest.raises(AttributeError):
        del frozen.weights
    with pytest.raises(fm.ArgumentTypeError, match="net: got <FrozenPredictor of a Sequential"):
        fm.Trainer(frozen, fm.MSELoss())
    with pytest.raises(fm.ArgumentTypeError, match=r"made by fm\.freeze"):
        fm.FrozenPredictor()


def test_the_core_refuses_all_calls_but_predict():
    node = fm.Linear(3, 2).node((-1,), (3,))
    net = _core.Net([3], [node], [0], "float32", 0, frozen=True)
    x = np.ones((1, 3), np.float32)
    with pytest.raises(fm.ArgumentError, match="core refused"):
        net.predict(x, None)
    net.params[...] = 1
    net.freeze()
    assert net.predict(x, None).tolist() == [[4, 4]]
    with pytest.raises(ValueError, match="read-only"):
        net.params[...] = 2
    for call in (net.freeze, lambda: net.forward(x, True), lambda: make_trainer(net)):
        with pytest.raises(fm.ArgumentError, match="core refused"):
            call()


def make_trainer(net):
    return _core.Trainer(net, [((0, (), "mean"), 1.0)], (0, (0.0,) * 6), [], 0.0)


def test_several_threads_predict_at_once():
    net = chain((100, 200, 48, 1))
    frozen, inputs = fm.freeze(net), [rows_of(net, 3 + 40 * k) for k in range(12)]
    expected = [net.predict(x) for x in inputs]
    with ThreadPoolExecutor(12) as pool:
        for _ in range(5):
            for found, wanted in zip(pool.map(frozen.predict, inputs), expected, strict=True):
                assert_same(found, wanted)


def test_it_keeps_the_instruction_set_that_it_was_packed_for():
    names, before = _core.config()["isas"], _core.config()["isa"]
    net = chain(WIDTHS[1])
    x = rows_of(net, 7)
    try:
        for name in names:
            _core.use_isa(name)
            frozen, expected = fm.freeze(net), net.predict(x)
            for other in names:
                _core.use_isa(other)
                assert_same(frozen.predict(x), expected)
    finally:
        _core.use_isa(before)


@pytest.mark.parametrize("name", ["norms", "graph", str(WIDTHS[0])])
@pytest.mark.parametrize("kind", KINDS)
def test_copies_and_pickles_predict_the_same(name, kind):
    net = NETS[name](*KINDS[kind])
    frozen, x = fm.freeze(net), rows_of(net, 5)
    assert copy.copy(frozen) is frozen
    assert copy.deepcopy(frozen) is frozen
    again = pickle.loads(pickle.dumps(frozen))
    assert again.weights == kind
    assert again.describe() == frozen.describe() == net.describe()
    assert_same(again.predict(x), frozen.predict(x))


def test_release_keeps_the_packed_weights():
    net = chain(WIDTHS[1])
    frozen, x = fm.freeze(net), rows_of(net, 5)
    frozen.predict(x)
    frozen.release()
    assert_same(frozen.predict(x), net.predict(x))


class Doubled:
    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


def test_what_cannot_be_frozen():
    with pytest.raises(fm.ArgumentTypeError, match="net: got 3"):
        fm.freeze(3)
    custom = fm.Sequential(fm.Linear(2, 2), Doubled())
    with pytest.raises(fm.ArgumentError, match="a node written by the user"):
        fm.freeze(custom)
    with pytest.raises(fm.ArgumentError, match="weights: got 'float64'; want None, 'float32'"):
        fm.freeze(chain((2, 2)), weights="float64")
    with pytest.raises(fm.ArgumentError, match="weights: got 'bfloat16'; want None, 'float64'"):
        fm.freeze(chain((2, 2), "float64"), weights="bfloat16")
    with pytest.raises(fm.ArgumentTypeError, match="weights: got 32"):
        fm.freeze(chain((2, 2)), weights=32)


def test_a_lack_of_memory_is_an_error_and_leaves_all_usable():
    net = chain(WIDTHS[1])
    x = rows_of(net, 5)
    frozen, expected = fm.freeze(net), net.predict(x)
    for call in (lambda: fm.freeze(net), lambda: frozen.predict(x)):
        for nth in range(1, 100):
            frozen.release()
            _core.fail_allocation(nth)
            try:
                call()
                break
            except fm.OutOfMemoryError:
                pass
            finally:
                _core.fail_allocation(0)
        assert nth > 1
        assert_same(frozen.predict(x), expected)
        assert_same(net.predict(x), expected)
