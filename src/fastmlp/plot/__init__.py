"""Plots of training, networks and predictions with Matplotlib (extra ``plot`` or ``cli``).

Each function draws into the `Axes` that it gets, or into a new `Figure` without a window. Nothing
here imports pyplot, chooses a backend or shows anything. Save a plot with
``ax.figure.savefig("picture.png")``.
"""

from fastmlp.plot.base import BLUE, GREY, ORANGE, figure
from fastmlp.plot.boundary import decision_boundary
from fastmlp.plot.curves import LOG_SCALE_RATIO, LossHistory, loss_curves, lr_range
from fastmlp.plot.histograms import histograms
from fastmlp.plot.notebook import history_html, show, svg
from fastmlp.plot.predictions import (
    MAX_CELLS_WITH_COUNTS,
    confusion_matrix,
    predicted_against_true,
)

__all__ = [
    "BLUE",
    "GREY",
    "LOG_SCALE_RATIO",
    "MAX_CELLS_WITH_COUNTS",
    "ORANGE",
    "LossHistory",
    "confusion_matrix",
    "decision_boundary",
    "figure",
    "histograms",
    "history_html",
    "loss_curves",
    "lr_range",
    "predicted_against_true",
    "show",
    "svg",
]
