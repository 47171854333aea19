"""Networks, data and losses for the tests of single steps."""

from __future__ import annotations

import numpy as np
from tests.harness import generator

import fastmlp as fm

ROWS = 37
X = generator("steps").normal(size=(ROWS, 5))
LABELS = np.arange(ROWS) % 3
REAL = generator("steps", "y").normal(size=(ROWS, 2))
WEIGHTS = generator("steps", "w").uniform(0.5, 2.0, ROWS)


def chain(dtype, *middle):
    return fm.Sequential(
        fm.Linear(5, 24), fm.Tanh(), *middle, fm.Linear(24, 3), dtype=dtype, seed=0
    )


def two_heads(dtype):
    x = fm.Input(5, "x")
    h = fm.ReLU()(fm.Linear(5, 16)(x))
    return fm.Graph(x, {"policy": fm.Linear(16, 3)(h), "value": fm.Linear(16, 2)(h)}, dtype=dtype,
                    seed=0)  # fmt: skip


def residual(dtype):
    x = fm.Input(5, "x")
    h = fm.GELU()(fm.Linear(5, 16)(x))
    h = fm.LayerNorm(16)(fm.ReLU()(fm.Linear(16, 16)(h) + h))
    return fm.Graph(x, fm.Linear(16, 3)(h), dtype=dtype, seed=0)


class Double:
    """A node of the user, which doubles."""

    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


NETS = {
    "chain": chain,
    "dropout": lambda dtype: chain(dtype, fm.Dropout(0.3)),
    "batch norm": lambda dtype: chain(dtype, fm.BatchNorm(24)),
    "residual": residual,
    "two heads": two_heads,
    "own node": lambda dtype: chain(dtype, fm.Custom(Double(), 24)),
}
SETTINGS = {
    "Adam": {"optimizer": lambda: fm.Adam(lr=0.01)},
    "penalty, momentum": {
        "optimizer": lambda: fm.SGD(lr=0.1, momentum=0.9, weight_decay=0.01),
        "penalty": fm.L2(0.01),
    },
    "clipped, groups": {
        "optimizer": lambda: fm.AdamW(lr=0.01, clip_norm=0.05, groups={"bias": {"lr": 0.5}})
    },
}


def is_several(net):
    return len(net.outputs_named().names) > 1


def losses_of(net):
    """Built-in losses of a network, and targets for them."""
    if not is_several(net):
        return fm.CrossEntropyLoss(), LABELS
    return {"policy": fm.CrossEntropyLoss(), "value": fm.MSELoss()}, {
        "policy": LABELS,
        "value": REAL.astype(net.dtype),
    }


def trainer_of(net, loss, settings, **options):
    made = {**settings, "optimizer": settings["optimizer"]()}
    return fm.Trainer(net, loss, **made, **options)


def state_of(trainer):
    """Everything that a step may change, as arrays and numbers."""
    found = trainer.state_dict()
    return [trainer.net.params.copy(), trainer.net.state.copy(), *found["slots"], found["powers"],
            np.array([found["t"], found["step_count"]])]  # fmt: skip


def same_state(a, b):
    return all(np.array_equal(x, y, equal_nan=True) for x, y in zip(a, b, strict=True))


def scores_loss(net, weights=None):
    """A function of scores that returns value and gradient, from the built-in losses."""
    losses, targets = losses_of(net)

    def function(scores):
        if not is_several(net):
            value = losses.forward(scores, targets, weights)
            return value, losses.backward()
        values = {k: losses[k].forward(scores[k], targets[k], weights) for k in losses}
        return sum(values.values()), {k: losses[k].backward() for k in losses}

    return function
