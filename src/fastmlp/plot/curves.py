"""Plot of the losses of each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from fastmlp.base.errors import ArgumentError
from fastmlp.plot.base import BLUE, GREY, ORANGE, clear_spines, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOG_SCALE_RATIO = 30.0  # losses that span more than this are illegible on a linear axis


class LossHistory(Protocol):
    """The part of a `History` that `loss_curves` reads: one loss for each epoch."""

    @property
    def loss(self) -> Sequence[float]: ...

    @property
    def val_loss(self) -> Sequence[float]: ...


def loss_curves(history: LossHistory, ax: Axes | None = None) -> Axes:
    """Draw the training and validation loss of each epoch, and mark the best epoch.

    Parameters
    ----------
    history : History
        The result of `fastmlp.fit`, or any object with the sequences `loss` and `val_loss` (one
        number for each epoch; `val_loss` may be empty). The mark is at its `best_epoch` (index from
        0) if it has one, else at the least loss.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn into. The loss is on a logarithmic scale when it spans more than a factor 30.

    Raises
    ------
    ArgumentError
        `history` has no epoch.
    MissingPackageError
        Matplotlib is not installed.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> history = SimpleNamespace(loss=[1.0, 0.5, 0.2], val_loss=[1.1, 0.6, 0.7])
    >>> loss_curves(history).get_xlabel()
    'epoch'
    """
    loss = np.asarray(history.loss, dtype=np.float64)
    val_loss = np.asarray(history.val_loss, dtype=np.float64)
    if loss.size == 0:
        raise ArgumentError("history: got 0 epochs; want the result of a fit of at least one")
    ax = figure().subplots() if ax is None else ax
    for values, colour, label in ((loss, BLUE, "training"), (val_loss, ORANGE, "validation")):
        if values.size:
            # A single epoch would be a line without length.
            marker = "o" if values.size == 1 else ""
            epochs = np.arange(1, values.size + 1)
            ax.plot(epochs, values, color=colour, marker=marker, linewidth=1.8, label=label)
    _mark_best(ax, val_loss if val_loss.size else loss, getattr(history, "best_epoch", None))
    _scale_losses(ax, np.concatenate([loss, val_loss]))
    ax.set(xlabel="epoch", ylabel="loss", title="Loss per epoch")
    ax.set_xlim(left=0.5 if loss.size < 10 else 0)
    ax.locator_params(axis="x", integer=True)
    ax.grid(alpha=0.25, linewidth=0.6)
    clear_spines(ax)
    ax.legend(framealpha=0.9, edgecolor="none")
    return ax


def _mark_best(ax: Axes, losses: NDArray[np.float64], best: int | None) -> None:
    if not np.isfinite(losses).any():
        return
    best = int(np.nanargmin(losses)) if best is None else best
    label = f"best: epoch {best + 1}, loss {losses[best]:.3g}"
    ax.axvline(best + 1, color=GREY, linestyle=":", linewidth=1.2)
    ax.plot(best + 1, losses[best], "o", color=GREY, markersize=7, label=label, zorder=3)


def _scale_losses(ax: Axes, losses: NDArray[np.float64]) -> None:
    finite = losses[np.isfinite(losses)]
    if finite.size and finite.min() > 0 and finite.max() > LOG_SCALE_RATIO * finite.min():
        ax.set_yscale("log")
    elif finite.size and finite.min() >= 0:
        ax.set_ylim(bottom=0)


class LRRange(Protocol):
    """The part of the result of ``find_lr`` that `lr_range` reads."""

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    suggestion: float


def lr_range(found: LRRange, ax: Axes | None = None) -> Axes:
    """Draw the losses of a learning-rate range test over the rates, and mark the suggestion.

    Parameters
    ----------
    found : LRFinder
        The result of `fastmlp.find_lr`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingPackageError
        Matplotlib is not installed.
    """
    ax = figure().subplots() if ax is None else ax
    ax.plot(found.rates, found.losses, color=GREY, alpha=0.45, linewidth=1, label="loss of a step")
    ax.plot(found.rates, found.smoothed, color=BLUE, linewidth=1.8, label="running mean")
    label = f"suggestion: {found.suggestion:.2g}"
    ax.axvline(found.suggestion, color=ORANGE, linestyle="--", linewidth=1.4, label=label)
    ax.set_xscale("log")
    # The losses after the least one rise to several times the first.
    low, high = float(found.smoothed.min()), float(found.smoothed[0])
    ax.set_ylim(low - 0.15 * abs(high - low), high + 0.5 * abs(high - low))
    ax.set(xlabel="learning rate", ylabel="loss", title="Learning-rate range test")
    ax.grid(alpha=0.25, linewidth=0.6)
    clear_spines(ax)
    ax.legend(framealpha=0.9, edgecolor="none")
    return ax
