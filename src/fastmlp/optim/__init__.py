"""Optimizers and learning-rate schedules."""

from fastmlp.optim.base import Optimizer
from fastmlp.optim.first_order import SGD, Adagrad, Adam, AdamW, RMSprop
from fastmlp.optim.lbfgs import LBFGS
from fastmlp.optim.schedules import (
    ConstantLR,
    CosineLR,
    ExponentialLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Schedule,
    StepLR,
)

__all__ = [
    "LBFGS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "ConstantLR",
    "CosineLR",
    "ExponentialLR",
    "OneCycleLR",
    "Optimizer",
    "RMSprop",
    "ReduceLROnPlateau",
    "Schedule",
    "StepLR",
]
