"""Pictures of training and of predictions, drawn with Matplotlib (extra ``plot`` or ``cli``).

Each function draws into the `Axes` it is given, or into a new `Figure` that belongs to no window:
nothing here imports pyplot, chooses a backend or shows anything. Save with
``ax.figure.savefig("picture.png")``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.errors import ArgumentError, MissingPackageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#6B6B6B"
LOG_SCALE_RATIO = 30.0  # losses that span more than this are illegible on a linear axis
MAX_CELLS_WITH_COUNTS = 900  # beyond 30 x 30 cells the numbers would overlap


class LossHistory(Protocol):
    """What `loss_curves` reads of a `History`: one loss per epoch."""

    @property
    def loss(self) -> Sequence[float]: ...

    @property
    def val_loss(self) -> Sequence[float]: ...


def figure(width: float = 5.2, height: float = 4.2) -> Figure:
    """Make a figure, in inches, that needs no display and no pyplot.

    Raises
    ------
    MissingPackageError
        Matplotlib is not installed; the message names the extra that brings it.

    Examples
    --------
    >>> left, right = figure(9, 4).subplots(1, 2)
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        message = f'pictures need {error.name}: pip install "fastmlp[plot]"'
        raise MissingPackageError(message, name=error.name) from None
    picture = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(picture)
    return picture


def loss_curves(history: LossHistory, ax: Axes | None = None) -> Axes:
    """Draw the training and validation loss of each epoch, and mark the best epoch.

    Parameters
    ----------
    history : History
        What `fastmlp.fit` returned, or any object with the sequences `loss` and `val_loss` (one
        number per epoch, in the loss's own unit; `val_loss` may be empty). The epoch marked is its
        `best_epoch` (index from 0) where it has one, else that of the least loss.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn into. The loss is on a logarithmic scale when it spans more than a factor 30.

    Raises
    ------
    ArgumentError
        `history` holds no epoch.
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
        raise ArgumentError("history holds no epoch: expected the result of a fit of 1 or more")
    ax = figure().subplots() if ax is None else ax
    for values, colour, label in ((loss, BLUE, "training"), (val_loss, ORANGE, "validation")):
        if values.size:
            # One epoch alone would be a line without length.
            marker = "o" if values.size == 1 else ""
            epochs = np.arange(1, values.size + 1)
            ax.plot(epochs, values, color=colour, marker=marker, linewidth=1.8, label=label)
    _mark_best(ax, val_loss if val_loss.size else loss, getattr(history, "best_epoch", None))
    _scale_losses(ax, np.concatenate([loss, val_loss]))
    ax.set(xlabel="epoch", ylabel="loss", title="Loss per epoch")
    ax.set_xlim(left=0.5 if loss.size < 10 else 0)
    ax.locator_params(axis="x", integer=True)
    ax.grid(alpha=0.25, linewidth=0.6)
    _clear_spines(ax)
    ax.legend(framealpha=0.9, edgecolor="none")
    return ax


def confusion_matrix(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    labels: Sequence[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often each true class was predicted as each class.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (N,)
        True and predicted classes. Without `labels`, any values that can be sorted.
    labels : sequence of length C, optional
        Names of the classes 0 to C-1; `y_true` and `y_pred` are then integers in that range.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn into. Cells hold counts; colours hold the share of the row, that is, of the
        true class.

    Raises
    ------
    ArgumentError
        `y_true` and `y_pred` differ in length, are empty, or hold a class beyond `labels`.
    MissingPackageError
        Matplotlib is not installed.

    Examples
    --------
    >>> confusion_matrix([0, 1, 1, 0], [0, 1, 0, 0], labels=["cat", "dog"]).get_title()
    'Confusion matrix (1 of 4 wrong)'
    """
    true, predicted = _pair(y_true, y_pred)
    names, counts = _count(true, predicted, labels)
    size = max(4.2, 2.4 + 0.38 * len(names))
    ax = figure(size + 0.4, size).subplots() if ax is None else ax
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    _separate_cells(ax, len(names))
    if counts.size <= MAX_CELLS_WITH_COUNTS:
        _write_counts(ax, counts, share)
    long_names = sum(map(len, names)) > 30
    ticks = np.arange(len(names))
    ax.set_xticks(ticks, names)
    if long_names:
        for label in ax.get_xticklabels():
            label.set(rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(ticks, names)
    wrong = int(counts.sum() - np.trace(counts))
    title = f"Confusion matrix ({wrong} of {true.size} wrong)"
    ax.set(xlabel="predicted class", ylabel="true class", title=title)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def predicted_against_true(
    y_true: ArrayLike, y_pred: ArrayLike, unit: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw predictions of a regression against the true values, with the line of equality.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (N,) or (N, 1)
        True and predicted values, in the same unit.
    unit : str, optional
        Name of that unit, for the axes.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn into, with equal scales. The title gives R^2, the coefficient of
        determination.

    Raises
    ------
    ArgumentError
        `y_true` and `y_pred` differ in length or are empty.
    MissingPackageError
        Matplotlib is not installed.

    Examples
    --------
    >>> predicted_against_true([1.0, 2.0, 3.0], [1.1, 1.9, 3.0]).get_title()
    'Predicted against true ($R^2$ = 0.990)'
    """
    true, predicted = (a.astype(np.float64) for a in _pair(y_true, y_pred))
    ax = figure().subplots() if ax is None else ax
    both = np.concatenate([true, predicted])
    finite = both[np.isfinite(both)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    margin = 0.05 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    ax.plot(
        limits,
        limits,
        color=GREY,
        linestyle="--",
        linewidth=1.2,
        label="predicted = true",
        zorder=1,
    )
    ax.scatter(true, predicted, s=22, color=BLUE, alpha=0.65, edgecolors="white", linewidths=0.4)
    ax.set(xlim=limits, ylim=limits, aspect="equal")
    suffix = f" ({unit})" if unit else ""
    ax.set(xlabel=f"true value{suffix}", ylabel=f"predicted value{suffix}")
    ax.set_title(f"Predicted against true ($R^2$ = {_r2(true, predicted):.3f})")
    ax.grid(alpha=0.25, linewidth=0.6)
    _clear_spines(ax)
    ax.legend(frameon=False, loc="upper left")
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


def _clear_spines(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)


def _pair(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    if true.size != predicted.size or true.size == 0:
        raise ArgumentError(
            "y_true and y_pred must hold the same number of values, 1 or more, "
            f"got shapes {true.shape} and {predicted.shape}"
        )
    return true.reshape(-1), predicted.reshape(-1)


def _count(
    true: NDArray[Any], predicted: NDArray[Any], labels: Sequence[Any] | None
) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the C classes, and counts of shape (C, C), true classes as rows."""
    both = np.concatenate([true, predicted])
    names: Sequence[Any]
    if labels is None:
        unique, both = np.unique(both, return_inverse=True)
        names = unique.tolist()
    else:
        names = labels
        _check_classes(both, len(names))
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (both[: true.size], both[true.size :]), 1)
    return [str(name) for name in names], counts


def _check_classes(values: NDArray[Any], classes: int) -> None:
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= classes:
        raise ArgumentError(
            f"y_true and y_pred must be integers from 0 to {classes - 1}, the classes that "
            f"labels names, got other values of dtype {values.dtype}"
        )


def _separate_cells(ax: Axes, classes: int) -> None:
    edges = np.arange(classes + 1) - 0.5
    ax.set_xticks(edges, minor=True)
    ax.set_yticks(edges, minor=True)
    ax.grid(which="minor", color="white", linewidth=1.0)
    ax.tick_params(which="minor", length=0)


def _write_counts(ax: Axes, counts: NDArray[np.int64], share: NDArray[np.float64]) -> None:
    """Write the counts; those of wrong predictions in orange, which a pale cell would hide."""
    size = min(12.0, max(8.0, 110 / len(counts)))
    for (row, column), count in np.ndenumerate(counts):
        if count:
            wrong = row != column
            colour = "white" if share[row, column] > 0.5 else ORANGE if wrong else "black"
            weight = "bold" if wrong else "normal"
            ax.text(column, row, str(count), ha="center", va="center", color=colour,
                    fontsize=size, fontweight=weight)  # fmt: skip


def _r2(true: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    total = float(np.square(true - true.mean()).sum())
    residual = float(np.square(true - predicted).sum())
    return 1.0 - residual / total if total else float("nan")
