"""Losses, their scores, and penalties on weights."""

from fastmlp.losses.builtin import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    L1Loss,
    Loss,
    MSELoss,
    MultiMarginLoss,
    PoissonNLLLoss,
    QuantileLoss,
)
from fastmlp.losses.penalties import L1, L2, Lp, Penalty

__all__ = [
    "L1",
    "L2",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "L1Loss",
    "Loss",
    "Lp",
    "MSELoss",
    "MultiMarginLoss",
    "Penalty",
    "PoissonNLLLoss",
    "QuantileLoss",
]
