"""Large steps reuse memory: values and gradients take turns in it, and the bits stay the same."""

from __future__ import annotations

import numpy as np
import pytest
from tests import harness

import fastmlp as fm

# With 1000 columns of values in all, a step is large enough to reuse memory.
ROWS, WIDTH = 2100, 16


class Negate:
    """A node in Python with a parameter, which it also reads in backward."""

    def __init__(self):
        self.parameters = {"scale": np.full(1, -1.0)}
        self.gradients = {"scale": np.zeros(1)}

    def forward(self, x):
        self.x = x
        return self.parameters["scale"] * x

    def backward(self, upstream):
        self.gradients["scale"] = np.array([float((upstream * self.x).sum())])
        return self.parameters["scale"] * upstream


def chain(*middle, compute=None):
    return fm.Sequential(fm.Linear(WIDTH, 520), *middle, fm.Linear(520, 500), fm.ReLU(),
                         fm.Linear(500, 3), seed=1, compute=compute)  # fmt: skip


def residual():
    x = fm.Input(WIDTH)
    h = fm.ReLU()(fm.Linear(WIDTH, 400)(x))
    h = fm.GELU()(fm.Linear(400, 400)(h) + h)
    return fm.Graph(x, fm.Linear(400, 3)(h + fm.Tanh()(h)), seed=1)


def joined():
    """A value with several readers, deltas that are added up, and an output that is read."""
    x = fm.Input(WIDTH)
    h = fm.Softmax()(fm.Linear(WIDTH, 300)(x))
    both = fm.Concat()(fm.Linear(300, 200)(h), h, fm.Maxout(2)(fm.Linear(300, 200)(h)))
    first = fm.Linear(600, 3)(both)
    return fm.Graph(x, {"first": first, "second": fm.Linear(3, 3)(first)}, seed=1)


NETS = {
    "plain": lambda: chain(fm.ReLU()),
    "slopes": lambda: chain(fm.GELU(), fm.SiLU()),
    "bfloat16": lambda: chain(fm.GELU(), compute="bfloat16"),
    "deep products": lambda: chain(
        fm.Tanh(), fm.Linear(520, 1100), fm.Tanh(), fm.Linear(1100, 520)
    ),
    "dropout": lambda: chain(fm.Dropout(0.3), fm.ReLU(), fm.Dropout(0.2)),
    "batch norm": lambda: chain(fm.BatchNorm(520), fm.Tanh()),
    "layer norm": lambda: chain(fm.LayerNorm(520), fm.ReLU()),
    "python": lambda: chain(Negate(), fm.Tanh()),
    "deep": lambda: chain(*[part for _ in range(3) for part in (fm.Linear(520, 520), fm.ELU())]),
    "residual": residual,
    "joined": joined,
}

X = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(np.float32)
Y = np.random.default_rng(1).standard_normal((ROWS, 3)).astype(np.float32)


def for_outputs(net, value):
    names = net.outputs_named().names
    return dict.fromkeys(names, value) if len(names) > 1 else value


def result(net):
    arrays = [array.tobytes() for array in (net.params, net.grads, net.state)]
    return arrays, net.core_net().workspace_bytes


def trained(make, threads):
    """The network after two large steps on `threads` threads."""
    net = make()
    with harness.using_threads(threads):
        trainer = fm.Trainer(net, for_outputs(net, fm.MSELoss()), fm.SGD(lr=0.1))
        for _ in range(2):
            trainer.step(X, for_outputs(net, Y))
    return result(net)


def by_hand(make):
    """The same with forward, backward and update by hand, which compute gradients at the end."""
    net, loss = make(), fm.MSELoss()
    optimizer = fm.SGD(net, lr=0.1)
    for _ in range(2):
        scores = net.forward(X, training=True)
        many = isinstance(scores, dict)
        slopes = {
            name: (loss.forward(one, Y), loss.backward())[1].copy()
            for name, one in (scores.items() if many else [("", scores)])
        }
        net.backward(slopes if many else slopes[""])
        optimizer.step()
    return result(net)


@pytest.mark.parametrize("name", NETS)
def test_reused_memory_does_not_change_bits(name):
    with harness.using_threads(1):
        expected, bytes_by_hand = by_hand(NETS[name])
    for threads in (1, 2, 3):
        arrays, workspace_bytes = trained(NETS[name], threads)
        assert arrays == expected
        assert threads > 1 or workspace_bytes < bytes_by_hand


@pytest.mark.parametrize("name", ["plain", "slopes", "bfloat16"])
def test_a_gradient_may_overwrite_what_its_epilogue_reads(isa, name):
    with harness.using_threads(1):
        assert trained(NETS[name], 1)[0] == by_hand(NETS[name])[0]
