"""Frozen predictors in 8 bits, and what a comparison with the network states."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from tests.frozen_networks import (
    NETS,
    arrays,
    assert_same,
    calibrated,
    chain,
    graph,
    rows_of,
    with_norms,
)
from tests.harness import generator, same_bits, using_threads

import fastmlp as fm
from fastmlp import _core
from fastmlp.networks.comparison import Comparison


@pytest.mark.parametrize("name", NETS)
def test_predictions_in_8_bits_are_near_those_of_the_network(name):
    net = NETS[name]()
    x = rows_of(net, 150)
    frozen = fm.freeze(net, weights="int8", rows=x)
    assert frozen.weights == "int8"
    for one, other in zip(arrays(frozen.predict(x)), arrays(net.predict(x)), strict=True):
        assert one.dtype == np.float32
        assert not same_bits(one, other)
        assert np.abs(one - other).max() < 0.05 * max(np.abs(other).max(), 1)


@pytest.mark.parametrize("name", NETS)
def test_in_8_bits_it_has_the_same_bits_everywhere(name, isa):
    """On any number of threads and rows; and on every instruction set that fuses."""
    net = NETS[name]()
    x = rows_of(net, 70)
    frozen = calibrated(net)
    expected = arrays(frozen.predict(x))
    for count in (1, 2, 3):
        with using_threads(count):
            assert_same(dict(enumerate(expected)), dict(enumerate(arrays(frozen.predict(x)))))
            first = {k: v[:3] for k, v in x.items()} if isinstance(x, dict) else x[:3]
            for one, other in zip(arrays(frozen.predict(first)), expected, strict=True):
                assert same_bits(one, other[:3])
    if isa != "portable":
        _core.use_isa("avx2" if "avx2" in _core.config()["isas"] else isa)
        again = pickle.loads(pickle.dumps(frozen))
        assert_same(dict(enumerate(expected)), dict(enumerate(arrays(again.predict(x)))))


def test_rows_for_the_scales_are_checked():
    net = chain((3, 4, 2))
    with pytest.raises(fm.ArgumentError, match="rows: got None; want typical rows"):
        fm.freeze(net, weights="int8")
    with pytest.raises(fm.ArgumentError, match="rows: got none; want rows for the scales"):
        fm.freeze(net, weights="int8", rows=np.ones((0, 3)))
    with pytest.raises(fm.ArgumentError, match="rows: got 4 columns; want 3"):
        fm.freeze(net, weights="int8", rows=np.ones((5, 4)))
    with pytest.raises(fm.ArgumentError, match="rows: got infinite or NaN numbers"):
        fm.freeze(net, weights="int8", rows=[[1.0, np.nan, 0.0]])
    net[0].W[1, 1] = np.inf
    with pytest.raises(fm.ArgumentError, match="weights: got infinite or NaN weights"):
        fm.freeze(net, weights="int8", rows=np.ones((5, 3)))
    with pytest.raises(fm.ArgumentError, match="want None, 'float64' for a float64 network"):
        fm.freeze(chain((3, 2), "float64"), weights="int8", rows=np.ones((5, 3)))
    wide = fm.Sequential(fm.Linear(2**16 + 1, 1), seed=0)
    with pytest.raises(fm.ArgumentError, match="'int8' for a layer of 65537 inputs"):
        fm.freeze(wide, weights="int8", rows=np.ones((1, 2**16 + 1)))


def test_calibration_leaves_the_network_alone():
    net = with_norms()
    before = net.params.tobytes(), net.state.tobytes(), net.step_count
    x = rows_of(net, 4)
    y = net.forward(x, training=True)
    calibrated(net)
    net.backward(np.ones_like(y))
    net.params[...], net.state[...] = (np.frombuffer(b, np.float32) for b in before[:2])
    assert before[:1] == (net.params.tobytes(),)


# ---- comparisons ----


def test_a_comparison_states_the_differences():
    net = chain((6, 40, 4))
    x, labels = rows_of(net, 90), generator("labels").integers(0, 4, size=90)
    frozen = calibrated(net)
    a, b = net.predict(x).astype(np.float64), frozen.predict(x).astype(np.float64)
    found = frozen.compare(net, x, labels)
    assert found.max_difference == np.abs(a - b).max() > 0
    assert found.rms_difference == pytest.approx(np.sqrt(np.mean((a - b) ** 2)), rel=1e-12)
    assert found.agreement == np.mean(a.argmax(axis=1) == b.argmax(axis=1))
    assert found.score == np.mean(a.argmax(axis=1) == labels)
    assert found.frozen_score == np.mean(b.argmax(axis=1) == labels)
    assert found.loss == found.score - found.frozen_score
    same = fm.freeze(net).compare(net, x)
    assert same == Comparison(0.0, 0.0, 1.0)
    assert same.loss is None


def test_a_comparison_of_numbers_and_of_several_outputs():
    net = graph()
    x = rows_of(net, 60)
    y = {"class": np.zeros(60, np.int64), "value": net.predict(x)["value"]}
    found = calibrated(net).compare(net, x, y)
    assert set(found) == {"class", "value"}
    assert found["value"].agreement is None
    assert found["value"].score == 1
    assert 0.9 < found["value"].frozen_score < 1
    single = chain((6, 20, 1))
    rows = rows_of(single, 50)
    for target in (single.predict(rows), single.predict(rows).ravel()):
        assert calibrated(single).compare(single, rows, target).score == 1
    with pytest.raises(fm.ArgumentError, match=r"y: got shape \(3,\); want 50 rows"):
        calibrated(single).compare(single, rows, [1, 2, 3])
