"""Parameter groups and frozen layers: what a selector selects, and the exact effect."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from tests.golden import runs
from tests.harness import THREADS, generator, same_bits, using_threads

import fastmlp as fm

ROWS = 37
X = generator("groups").normal(size=(ROWS, 9))
Y = np.arange(ROWS) % 4
OPTIMIZERS = [fm.SGD, fm.Adam, fm.AdamW, fm.RMSprop, fm.Adagrad]


def network(dtype="float32"):
    """Arrays of every role, some larger than a chunk of the gradient's norm."""
    x = fm.Input(9, "x")
    hidden = fm.Linear(9, 600)(x).named("hidden")
    normed = fm.LayerNorm(600)(fm.GELU()(hidden) + fm.Parameter(600)).named("norm")
    middle = fm.BatchNorm(20)(fm.Linear(600, 20)(normed).named("middle")).named("batch")
    return fm.Graph(x, {"y": fm.Linear(20, 4)(fm.Dropout(0.1)(middle))}, dtype=dtype, seed=3)


def trained(optimizer, net=None, steps=3, penalty=None):
    net = network() if net is None else net
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), optimizer, penalty)
    for _ in range(steps):
        trainer.step(X, Y)
    return net


def factors(net, groups):
    """Both factors of every array, as passed to the core."""
    found, ranges = {}, fm.SGD(groups=groups).ranges(net)
    for name, part in net.parameter_slices().items():
        found[name] = next(rest for end, *rest in ranges if part.start < end)
    return found


def test_the_most_specific_selector_wins():
    groups = {
        "bias": {"lr": 2, "weight_decay": 0},
        "weight": {"lr": 3},
        "gamma": {"weight_decay": 4},
        "hidden": {"lr": 5},
        "middle.b": {"lr": 6},
        "y.weight": {"lr": 7, "weight_decay": 8},
        "shift": {},
        "free": {"lr": 9},
    }
    assert factors(network(), groups) == {
        "hidden.W": [5, 1],
        "hidden.b": [5, 0],
        "parameter.W": [9, 1],
        "norm.gamma": [1, 4],
        "norm.beta": [1, 1],
        "middle.W": [3, 1],
        "middle.b": [6, 0],
        "batch.gamma": [1, 4],
        "batch.beta": [1, 1],
        "y.W": [7, 8],
        "y.b": [2, 0],
    }


def test_adjacent_arrays_with_equal_factors_are_one_range():
    net = network()
    assert fm.SGD().ranges(net) == [(net.params.size, 1.0, 1.0)]
    assert len(fm.SGD(groups={"y": {"lr": 2}}).ranges(net)) == 2


@pytest.mark.parametrize(("groups", "words"), [
    ({"hiden": {"lr": 1}}, r"the selector 'hiden'; want a role \(weight, bias, .* or a layer \("
                           r"hidden, .* or an array \(hidden\.W, hidden\.b, "),
    ({"W": {"lr": 1}, "weight": {"lr": 2}}, r"lr for 'W' and 'weight', which both match \w+\.W;"),
    ({"y.b": {"lr": 1}, "y.bias": {"lr": 2}}, "lr for 'y.b' and 'y.bias', which both match y.b;"),
])  # fmt: skip
def test_selectors_that_do_not_fit_the_network(groups, words):
    for make in (lambda: fm.Trainer(network(), fm.CrossEntropyLoss(), fm.Adam(groups=groups)),
                 lambda: fm.Adam(network(), groups=groups)):  # fmt: skip
        with pytest.raises(fm.ArgumentError, match=f"^groups: got .*{words}"):
            make()


def test_a_layer_with_the_name_of_a_role():
    x = fm.Input(2)
    net = fm.Graph(x, fm.Linear(2, 2)(fm.Linear(2, 2)(x).named("bias")))
    with pytest.raises(fm.ArgumentError, match="'bias', which matches a layer and also a"):
        fm.SGD(net, groups={"bias": {"lr": 2}})
    fm.SGD(net, groups={"bias.W": {"lr": 2}, "b": {"lr": 0}})


def test_networks_without_parameters():
    net = fm.Sequential(fm.ReLU(), in_features=2)
    fm.Trainer(net, fm.MSELoss(), fm.SGD()).step([[1.0, 2.0]], [[0.0, 0.0]])
    with pytest.raises(fm.ArgumentError, match="want none: the network has no parameters"):
        fm.SGD(net, groups={"bias": {"lr": 2}})


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_factors_are_those_of_an_optimizer_of_its_own(kind):
    """Each array changes as in a network in which all arrays have its rate and decay."""
    groups = {"weight": {"lr": 0.5, "weight_decay": 3}, "norm": {"lr": 2}}
    net = trained(kind(lr=0.01, weight_decay=0.02, groups=groups), steps=1)
    for lr, decay in ((0.5, 3), (2, 1), (1, 1)):
        alone = trained(kind(lr=lr * 0.01, weight_decay=decay * 0.02), steps=1)
        for name, part in net.parameter_slices().items():
            same = factors(net, groups)[name] == [lr, decay]
            assert same_bits(net.params[part], alone.params[part]) or not same, name


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("clip_norm", [None, 0.1])
def test_factors_of_one_change_no_bit(kind, clip_norm):
    same = {"bias": {"lr": 1, "weight_decay": 1}}
    plain, grouped = (trained(kind(clip_norm=clip_norm, groups=g)) for g in (None, same))
    assert same_bits(plain.params, grouped.params)


@pytest.mark.parametrize("clip_norm", [None, 0.1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_threads_and_isa(dtype, clip_norm, isa):
    groups = {"bias": {"lr": 0.1}, "hidden.W": {"lr": 0}, "gain": {"lr": 0}, "y": {"lr": 3}}
    found = []
    for count in THREADS:
        with using_threads(count):
            optimizer = fm.AdamW(lr=0.01, clip_norm=clip_norm, groups=groups)
            found.append(trained(optimizer, network(dtype), penalty=fm.L2(1e-3)).params)
    assert all(same_bits(one, found[0]) for one in found)
    assert same_bits(found[0], _first((runs.family(isa), dtype, clip_norm), found[0]))


_KEPT = {}


def _first(key, value):
    """The result of the first instruction set of a family."""
    return _KEPT.setdefault(key, value)


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("clip_norm", [None, 0.1])
@pytest.mark.parametrize("by", ["factor", "trainable", "hand"])
def test_frozen_parameters_keep_their_bits(kind, clip_norm, by):
    """Even if their gradients are not finite."""
    net = network()
    names = ["hidden", "norm", "y"]
    groups = {name: {"lr": 0} for name in names} if by == "factor" else None
    for name in names if by != "factor" else []:
        net[name].trainable = False
    before = net.params.copy()
    if by == "hand":
        optimizer = kind(net, clip_norm=clip_norm, weight_decay=0.1)
        for _ in range(2):
            net.backward(np.ones_like(net.forward(X, training=True)))
            net.grads[net.parameter_slices()["hidden.W"]] = np.nan
            optimizer.step()
    else:
        trained(kind(clip_norm=clip_norm, weight_decay=0.1, groups=groups), net, penalty=fm.L1(0.1))
    for name, part in net.parameter_slices().items():
        frozen = name.split(".")[0] in names
        assert same_bits(net.params[part], before[part]) == frozen, name
    assert np.isfinite(net.params).all()


def test_clipping_does_not_count_frozen_parameters():
    """The others change as if the frozen part did not belong to the network."""
    whole = fm.Sequential(fm.Linear(9, 8), fm.Tanh(), fm.Linear(8, 4), dtype="float64", seed=1)
    whole[0].trainable = False
    last = fm.Sequential(fm.Linear(8, 4), dtype="float64", seed=0)
    last.params = whole.params[-36:]
    inputs = np.tanh(whole[0].forward(X))
    for net, x in ((whole, X), (last, inputs)):
        trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.SGD(0.5, clip_norm=0.01))
        for _ in range(5):
            trainer.step(x, Y)
    np.testing.assert_allclose(whole.params[-36:], last.params, rtol=1e-10)


def test_trainable_counts_from_the_next_step():
    net = fm.Sequential(fm.Linear(9, 8), fm.Tanh(), fm.Linear(8, 4), seed=1)
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.Adam())
    moves = []
    for value in (True, False, False, True):
        net[0].trainable = value
        before = net[0].W.copy(), net[2].W.copy()
        trainer.step(X, Y)
        moves.append(not same_bits(net[0].W, before[0]))
        assert not same_bits(net[2].W, before[1])
    assert moves == [True, False, False, True]


def test_a_callback_may_freeze_and_release():
    class Freeze:
        def on_epoch_end(self, state):
            seen.append(state.net[0].W.copy())
            state.net[0].trainable = state.epoch != 0

    net, seen = fm.Sequential(fm.Linear(9, 4), seed=1), []
    fm.fit(net, X, Y, loss=fm.CrossEntropyLoss(), epochs=3, callbacks=[Freeze()], progress=False)
    assert same_bits(seen[0], seen[1])
    assert not same_bits(seen[1], seen[2])


def test_a_layer_alone():
    layer = fm.Linear(3, 2, seed=0)
    optimizer = fm.SGD(layer, lr=0.1, groups={"b": {"lr": 0}})
    for frozen in (False, True):
        layer.trainable = not frozen
        layer.forward(np.ones((2, 3)))
        layer.backward(np.ones((2, 2)))
        before = layer.W.copy()
        optimizer.step()
        assert same_bits(layer.W, before) == frozen
        assert (layer.b == 0).all()


class Shift:
    """A custom node with a parameter."""

    def __init__(self):
        self.parameters, self.gradients = {"shift": np.zeros(4)}, {}

    def forward(self, x):
        return x + self.parameters["shift"]

    def backward(self, upstream):
        self.gradients["shift"] = upstream.sum(axis=0)
        return upstream


def test_custom_nodes():
    net = fm.Sequential(fm.Linear(9, 4), fm.Custom(Shift()), seed=0)
    trained(fm.SGD(0.1, groups={"free": {"lr": 0}}), net)
    assert (net[1].custom.parameters["shift"] == 0).all()
    trained(fm.SGD(0.1, groups={"1.shift": {"lr": 2}}), net)
    assert (net[1].custom.parameters["shift"] != 0).all()
    net[1].trainable = False
    before = net[1].custom.parameters["shift"].copy()
    trained(fm.SGD(0.1), net)
    assert same_bits(net[1].custom.parameters["shift"], before)
    assert [layer.trainable for layer in copy.deepcopy(net)] == [True, False]


def test_frozen_layers_are_described_saved_copied_and_pickled(tmp_path):
    net = network()
    net["norm"].trainable = net["y"].trainable = False
    net.save(tmp_path / "net.safetensors")
    others = [net.copy(), pickle.loads(pickle.dumps(net)), fm.load(tmp_path / "net.safetensors"),
              fm.Graph.from_description(net.describe())]  # fmt: skip
    for other in others:
        frozen = {name for name, layer in other.nodes.items() if not layer.trainable}
        assert frozen == {"norm", "y"}
    layer = pickle.loads(pickle.dumps(net["y"]))
    assert not layer.trainable
    assert "trainable" not in repr(net.describe()["nodes"][0])
    with pytest.raises(fm.ArgumentTypeError, match=r"^trainable: got 1; want"):
        net["y"].trainable = 1


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_groups_are_described_and_pickled(kind):
    groups = {"bias": {"lr": 0.5}, "0.W": {"lr": 0.0, "weight_decay": 2.0}}
    optimizer = kind(groups=groups)
    assert optimizer.groups == groups
    assert optimizer.describe()["groups"] == groups
    assert f"groups={groups!r}" in repr(optimizer)
    assert pickle.loads(pickle.dumps(optimizer)).groups == groups
    groups["bias"]["lr"] = 7.0
    optimizer.groups["bias"]["lr"] = 7.0
    assert optimizer.groups["bias"]["lr"] == 0.5
    assert kind().groups is None


def test_states_have_groups_and_frozen_layers():
    net = fm.Sequential(fm.Linear(9, 4), seed=0)
    groups = {"bias": {"lr": 0.5}}
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.Adam(groups=groups))
    net[0].trainable = False
    state = trainer.state_dict()
    assert (state["groups"], state["trainable"]) == (groups, {"0": False})
    net[0].trainable = True
    trainer.load_state_dict(state)
    assert not net[0].trainable
    other = fm.Trainer(net.copy(), fm.CrossEntropyLoss(), fm.Adam())
    with pytest.raises(fm.ArgumentError, match=r"^state: got groups \{'bias': .*; want \{\}, as"):
        other.load_state_dict(state)
    bound = fm.Adam(net, groups=groups)
    assert bound.state_dict()["groups"] == groups
    with pytest.raises(fm.ArgumentError, match=r"^state: got groups"):
        fm.Adam(net).load_state_dict(bound.state_dict())


def test_lbfgs_has_no_groups_but_keeps_frozen_layers():
    pytest.importorskip("scipy")
    with pytest.raises(fm.ArgumentError, match=r"^groups: .*; want None: LBFGS has no learning"):
        fm.LBFGS(groups={"bias": {"lr": 0.1}})
    net = fm.Sequential(fm.Linear(9, 8), fm.Tanh(), fm.Linear(8, 4), seed=1)
    net[0].trainable = False
    before = net.params.copy()
    history = fm.fit(net, X, Y, loss=fm.CrossEntropyLoss(), optimizer=fm.LBFGS(), epochs=5,
                     progress=False)  # fmt: skip
    assert same_bits(net.params[:80], before[:80])
    assert history.loss[-1] < history.loss[0]
