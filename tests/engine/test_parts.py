"""One thread takes a step by parts of its rows; deltas above no trained parameter are left out."""

from __future__ import annotations

import numpy as np
import pytest
from tests import harness

import fastmlp as fm

ROWS, WIDTH, LEVELS = 500, 6, 12
FOLD = 16  # so that 300 rows are several chunks of folded rows, the last one incomplete


def folded(compute=None):
    """Members that share weights, as in TabM."""
    nodes = [
        ("numbers", fm.GatherColumns(np.repeat(np.arange(WIDTH), 8)), "x"),
        ("edges", fm.Scale(8 * WIDTH), "numbers"),
        ("pieces", fm.Clamp(0.0, 1.0), "edges"),
        ("slopes", fm.Linear(8 * WIDTH, 4 * WIDTH, groups=WIDTH), "pieces"),
        ("copies", fm.GatherColumns(np.tile(np.arange(4 * WIDTH), FOLD)), "slopes"),
        ("r", fm.Scale(4 * WIDTH * FOLD, bias=False), "copies"),
        ("shared", fm.Linear(4 * WIDTH, 20, fold=FOLD), "r"),
        ("s", fm.Scale(20 * FOLD), "shared"),
        ("relu", fm.ReLU(), "s"),
        ("dropout", fm.Dropout(0.3), "relu"),
        ("y", fm.Linear(20 * FOLD, 3 * FOLD, groups=FOLD), "dropout"),
    ]
    return fm.Graph({"x": WIDTH}, "y", nodes, seed=1, compute=compute)


def embedded(compute=None):
    """A table's network with levels, cosines and a residual, as in RealMLP."""
    nodes = [
        ("numbers", fm.GatherColumns(np.repeat(np.arange(WIDTH - 1), 4)), "x"),
        ("angles", fm.Scale(4 * (WIDTH - 1)), "numbers"),
        ("cosines", fm.Cos(), "angles"),
        ("level", fm.GatherColumns(np.array([WIDTH - 1])), "x"),
        ("levels", fm.Embedding(LEVELS, 8, 1), "level"),
        ("all", fm.Concat(), ["cosines", "levels"]),
        ("first", fm.Linear(4 * (WIDTH - 1) + 8, 40), "all"),
        ("norm", fm.LayerNorm(40), "first"),
        ("bent", fm.ParametricActivation(fm.SELU(), 40), "norm"),
        ("dropped", fm.Dropout(0.2), "bent"),
        ("second", fm.Linear(40, 40), "dropped"),
        ("sum", fm.Add(), ["second", "bent"]),
        ("y", fm.Linear(40, 3), "sum"),
    ]
    return fm.Graph({"x": WIDTH}, "y", nodes, seed=1, compute=compute)


NETS = {"folded": folded, "embedded": embedded}
RNG = np.random.default_rng(0)
X = RNG.standard_normal((ROWS, WIDTH)).astype(np.float32)
X[:, -1] = RNG.integers(0, LEVELS, ROWS)
Y = RNG.integers(0, 3, ROWS)
WEIGHT = RNG.uniform(0.5, 2.0, ROWS).astype(np.float32)


def trained(net, threads, **options):
    """All that a fit of two epochs of 300 and 200 rows leaves behind."""
    loss = fm.CrossEntropyLoss(0.1, fold=FOLD if "shared" in net.nodes else 1)
    settings = {"epochs": 2, "batch_size": 300, "seed": 3, "progress": False, **options}
    with harness.using_threads(threads):
        history = fm.fit(net, X, Y, loss=loss, **settings)
    return [net.params.tobytes(), net.grads.tobytes(), np.array(history.loss).tobytes()]


@pytest.mark.parametrize("compute", [None, "bfloat16"])
@pytest.mark.parametrize("name", NETS)
def test_parts_do_not_change_bits(name, compute):
    def result(threads):
        optimizer = fm.AdamW(lr=0.01, weight_decay=0.1, clip_norm=0.5)
        return trained(NETS[name](compute), threads, optimizer=optimizer, sample_weight=WEIGHT,
                       penalty=fm.L2(1e-3))  # fmt: skip

    assert result(1) == result(2)


def test_parts_need_less_memory():
    nets = [folded(), folded()]
    for net, threads in zip(nets, (1, 2), strict=True):
        trained(net, threads, optimizer=fm.SGD(lr=0.1))
    by_parts, whole = (net.core_net().workspace_bytes for net in nets)
    assert by_parts < whole / 2


@pytest.mark.parametrize("frozen", [["edges"], ["edges", "slopes", "r"], ["first"]])
@pytest.mark.parametrize("threads", [1, 2])
def test_frozen_arrays_below_do_not_change_the_others(frozen, threads):
    """The gradients of trained arrays are those of a net without frozen ones."""
    make = embedded if "first" in frozen else folded
    free, half = make(), make()
    groups = {name: {"lr": 0.0} for name in frozen}
    before = half.params.copy()
    one = {"epochs": 1, "batch_size": ROWS}
    trained(free, threads, optimizer=fm.SGD(lr=0.1), **one)
    trained(half, threads, optimizer=fm.SGD(lr=0.1, groups=groups), **one)
    for name, layer in half.nodes.items():
        for key, array in layer.parameters().items():
            expected = free[name].parameters()[key]
            if name in frozen:
                expected = make()[name].parameters()[key]
            assert np.array_equal(array, expected), (name, key)
    assert not np.array_equal(half.params, before)
    # A trainer of the same network that trains all of them.
    trained(half, threads, optimizer=fm.SGD(lr=0.1), **one)
    for name in frozen:
        for key, array in half[name].parameters().items():
            assert not np.array_equal(array, make()[name].parameters()[key])
