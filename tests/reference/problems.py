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


# Losses whose scores have other widths, or that can be negative: (arguments, columns of scores,
# columns of the target; the number of values of its first column, 0 for any number).
OTHER_LOSSES = [
    ("FocalLoss", {}, 4, 0, 4),
    ("FocalLoss", {"gamma": 0.5}, 4, 0, 4),
    ("SigmoidFocalLoss", {}, 4, 4, 0),
    ("SigmoidFocalLoss", {"alpha": -1.0, "gamma": 1.5}, 4, 4, 0),
    ("KLDivLoss", {}, 4, 4, 0),
    ("KLDivLoss", {"log_target": True}, 4, 4, 0),
    ("GaussianNLLLoss", {}, 4, 2, 0),
    ("GaussianNLLLoss", {"full": True, "log_std": True}, 4, 2, 0),
    ("GaussianCRPSLoss", {}, 4, 2, 0),
    ("MixtureNLLLoss", {}, 10, 2, 0),
    ("ContrastiveLoss", {"margin": 2.0}, 4, 1, 2),
    ("TripletMarginLoss", {}, 6, 1, 2),
    ("TripletMarginLoss", {"swap": True, "eps": 0.1}, 6, 1, 2),
    ("CosineEmbeddingLoss", {"margin": -0.2}, 4, 1, 2),
    ("CosineSimilarityLoss", {}, 4, 4, 0),
    ("BehaviourCloningLoss", {"entropy_coef": 0.1}, 4, 0, 4),
    ("PolicyGradientLoss", {}, 4, 2, 4),
    ("PolicyGradientLoss", {"entropy_coef": 0.1, "value_coef": 0.5}, 5, 3, 4),
    ("GaussianPolicyGradientLoss", {}, 4, 3, 0),
    ("GaussianPolicyGradientLoss", {"entropy_coef": 0.1, "value_coef": 0.5}, 5, 4, 0),
    ("PPOLoss", {}, 4, 3, 4),
    ("PPOLoss", {"entropy_coef": 0.1, "value_coef": 0.5, "clip_value": 0.2}, 5, 5, 4),
    ("GaussianPPOLoss", {}, 4, 4, 0),
    ("GaussianPPOLoss", {"entropy_coef": 0.1, "value_coef": 0.5, "clip_value": 0.2}, 5, 6, 0),
    ("DQNLoss", {"delta": 0.5}, 4, 2, 4),
    ("CriticLoss", {}, 4, 1, 0),
]


def other_problem(row, rng):
    """A loss with its arguments, scores and a target."""
    name, given, columns, width, values = row
    if width == 0:
        return (
            ref.LOSSES[name](**given),
            rng.normal(size=(ROWS, columns)),
            rng.integers(values, size=ROWS),
        )
    target = rng.uniform(0.1, 0.9, size=(ROWS, width))
    if values:
        target[:, 0] = rng.integers(values, size=ROWS)
    if name == "CosineEmbeddingLoss":
        target = 2.0 * target - 1.0
    return ref.LOSSES[name](**given), rng.normal(size=(ROWS, columns)), target


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
