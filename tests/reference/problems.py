"""Shared by the tests of the reference: sizes, losses with arguments, networks and targets."""

from __future__ import annotations

import itertools

import numpy as np

from fastmlp import reference as ref

ROWS, COLUMNS = 5, 4
KINKS = dict.fromkeys(("ReLU", "LeakyReLU", "ELU", "SELU", "Step"), (0.0,)) | {"Clamp": (-1.0, 1.0)}
LOSS_PARAMS = [
    ("CrossEntropyLoss", ()),
    ("CrossEntropyLoss", (0.1,)),
    ("BCEWithLogitsLoss", ()),
    ("MSELoss", ()),
    ("L1Loss", ()),
    ("HuberLoss", ()),
    ("HuberLoss", (0.3,)),
    ("MultiMarginLoss", ()),
    ("MultiMarginLoss", (0.5,)),
    ("PoissonNLLLoss", ()),
    ("QuantileLoss", ((0.1, 0.8),)),
]


def params_of(name):
    return tuple(ref.ACTIVATIONS[name].params.values())


def chain(rng, *widths, activation="Sigmoid"):
    """A net Linear, activation, Linear, ... with random parameters; no activation at the end."""
    layers = []
    for fan_in, fan_out in itertools.pairwise(widths):
        layers += [
            ref.Linear(rng.normal(size=(fan_in, fan_out)), rng.normal(size=fan_out)),
            ref.Activation(activation),
        ]
    return ref.Sequential(*layers[:-1])


def make_target(loss, rng, probabilities=False):
    if probabilities:
        return rng.dirichlet(np.ones(COLUMNS), size=ROWS)
    if loss.target == "class":
        return rng.integers(COLUMNS, size=ROWS)
    columns = COLUMNS // 2 if loss.target == "quantile" else COLUMNS
    return rng.uniform(0.0, 1.0, size=(ROWS, columns))
