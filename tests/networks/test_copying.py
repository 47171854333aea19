"""Numbers copied between networks: ``polyak``, ``copy_from``, and state dicts."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from tests import harness

import fastmlp as fm
from fastmlp import _core


def network(seed=0, dtype="float32", width=37):
    return fm.Sequential(fm.Linear(5, width), fm.BatchNorm(width), fm.Tanh(), fm.Dropout(0.1),
                         fm.Linear(width, 3), seed=seed, dtype=dtype)  # fmt: skip


def trained(seed, dtype="float32"):
    net = network(seed, dtype)
    x = np.random.default_rng(seed).standard_normal((20, 5))
    fm.fit(net, x, x[:, :3], loss=fm.MSELoss(), epochs=1)
    return net


@pytest.mark.parametrize("tau", [0.0, 0.005, 0.7, 1.0])
def test_polyak_is_the_formula_with_the_same_bits_everywhere(tau, dtype):
    first, net, found = trained(1, dtype), trained(2, dtype), set()
    before, used = first.params.astype(np.float64), _core.config()["isa"]
    for isa in _core.config()["isas"]:
        target = first.copy()
        _core.use_isa(isa)
        try:
            fm.polyak(target, net, tau)
        finally:
            _core.use_isa(used)
        found.add(target.params.tobytes())
        assert np.array_equal(target.state, net.state)
    assert len(found) == 1
    eps = np.finfo(dtype).eps
    wanted = (1.0 - tau) * before + tau * net.params
    np.testing.assert_allclose(target.params, wanted, rtol=4 * eps, atol=eps / 8)


def test_polyak_has_the_same_bits_on_any_number_of_threads():
    found = set()
    for threads in (1, 2, 3):
        with harness.using_threads(threads):
            target, net = network(1, width=3001), network(2, width=3001)
            fm.polyak(target, net, 0.3)
            found.add(target.params.tobytes())
    assert len(found) == 1


def test_with_tau_1_a_target_forgets_nan():
    target, net = network(1), network(2)
    target.params[...] = np.nan
    fm.polyak(target, net, 1.0)
    assert np.array_equal(target.params, net.params)


def test_networks_that_do_not_match_are_refused():
    net, before = network(), network().params.copy()
    for other, text in (
        (network(width=36), r"net: got arrays W \(5, 36\).*want those of"),
        (network(dtype="float64"), "net: got float64; want float32"),
        (fm.Sequential(fm.Linear(5, 37), fm.Tanh(), fm.Linear(37, 3)), "want .*running statistics"),
        (net, "target: got the network itself"),
    ):
        with pytest.raises(fm.ArgumentError, match=text):
            fm.polyak(net, other, 0.5)
    with pytest.raises(fm.ArgumentTypeError, match=r"net: got .*; want a network"):
        fm.polyak(net, fm.Linear(5, 37), 0.5)
    with pytest.raises(fm.ArgumentError, match=r"tau: got 1\.5"):
        fm.polyak(net, network(1), 1.5)
    assert np.array_equal(net.params, before)


def test_a_prediction_sees_a_target_before_or_after_polyak():
    target, nets = network(0, width=500), [network(k, width=500) for k in (1, 2)]
    x = np.ones((4, 5), np.float32)
    allowed = {net.predict(x).tobytes() for net in (target, *nets)}
    over = threading.Event()

    def move():
        while not over.is_set():
            for net in nets:
                fm.polyak(target, net, 1.0)

    thread = threading.Thread(target=move)
    thread.start()
    try:
        for _ in range(300):
            try:
                assert target.predict(x).tobytes() in allowed
            except fm.StateError:
                continue
    finally:
        over.set()
        thread.join()


def test_copy_from_takes_numbers_in_another_dtype():
    target, net = network(1, "float64"), trained(2)
    target.copy_from(net)
    assert np.array_equal(target.params, net.params)
    assert np.array_equal(target.state, net.state)
    with pytest.raises(fm.ArgumentError, match="other: got arrays"):
        target.copy_from(network(width=3))


def test_a_state_dict_restores_a_network_and_a_layer():
    net = trained(1)
    state = net.state_dict()
    assert [*state][:5] == ["0.W", "0.b", "1.gamma", "1.beta", "1.running_mean"]
    other = network(2)
    other.load_state_dict(state)
    assert np.array_equal(other.params, net.params)
    assert np.array_equal(other.state, net.state)
    state["0.W"][...] = 0.0  # a copy
    assert np.array_equal(other.params, net.params)
    alone = fm.Linear(37, 3)
    alone.load_state_dict(net[4].state_dict())
    assert np.array_equal(alone.W, net[4].W)
    net[4].load_state_dict({"b": [1, 2, 3]}, strict=False)
    assert net[4].b.tolist() == [1, 2, 3]


def test_a_state_dict_of_a_graph_has_the_names_of_its_nodes():
    x = fm.Input(2)
    graph = fm.Graph(x, {"value": fm.Linear(2, 1)(x)})
    assert [*graph.state_dict()] == ["value.W", "value.b"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda s: s.pop("0.b"), "lacks 0.b"),
        (lambda s: s.update(c=1), "has the unexpected c"),
        (lambda s: s.update({"4.b": np.zeros(4)}), r"state\['4.b'\]: got shape \(4,\)"),
        (lambda s: s.update({"4.b": ["a", "b", "c"]}), r"state\['4.b'\]"),
    ],
)
def test_a_state_dict_that_does_not_fit_changes_nothing(change, text):
    net = network(1)
    before, state = net.params.copy(), network(2).state_dict()
    change(state)
    with pytest.raises((fm.ArgumentError, fm.ArgumentTypeError), match=text):
        net.load_state_dict(state)
    assert np.array_equal(net.params, before)
