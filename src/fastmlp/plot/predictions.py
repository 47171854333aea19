"""Plots of predictions against true values: classes and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.base.errors import ArgumentError
from fastmlp.plot.base import BLUE, GREY, ORANGE, clear_spines, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_CELLS_WITH_COUNTS = 900  # beyond 30 x 30 cells the numbers would overlap


def confusion_matrix(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    labels: Sequence[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the number of rows of each true class that were predicted as each class.

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
        The axes drawn into. Cells show counts; colours show the fraction of the true class, which
        is the row.

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
    clear_spines(ax)
    ax.legend(frameon=False, loc="upper left")
    return ax


def _pair(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    if true.size != predicted.size or true.size == 0:
        raise ArgumentError(
            "y_true and y_pred must hold the same number of values, at least one; "
            f"got shapes {true.shape} and {predicted.shape}"
        )
    return true.reshape(-1), predicted.reshape(-1)


def _count(
    true: NDArray[Any], predicted: NDArray[Any], labels: Sequence[Any] | None
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names of the C classes, and counts (C, C) with true classes as rows."""
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
    """Write the counts; those of wrong predictions are orange, so that they are seen."""
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
