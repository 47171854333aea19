"""Scores of predictions, and of baselines that look at no column."""

from __future__ import annotations

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.tabular.table import Table

NAMES = {"classification": ("accuracy", "macro F1", "log loss"),
         "regression": ("R2", "RMSE", "MAE")}  # fmt: skip
BASELINES = {
    "classification": "baseline: most frequent class",
    "regression": "baseline: mean",
}


def measure(table: Table, true: Array, outputs: Array) -> dict[str, float]:
    """Return scores by name, as ``sklearn.metrics`` defines them (tests compare).

    Parameters
    ----------
    table : Table
    true : ndarray, shape (n,)
        Class indices or numbers.
    outputs : ndarray, shape (n, C) or (n,)
        Probabilities, or numbers.
    """
    names = NAMES[table.task]
    if not np.isfinite(outputs).all():
        # The training has diverged.
        return dict.fromkeys(names, np.nan)
    values = _of_classes(true, outputs) if table.classes else _of_numbers(true, outputs)
    return dict(zip(names, values, strict=True))


def _of_classes(true: Array, outputs: Array) -> tuple[float, float, float]:
    predicted = outputs.argmax(axis=1)
    right = true == predicted
    count = outputs.shape[1]
    hits = np.bincount(true[right], minlength=count)
    # True rows of a class plus predicted ones: F1 is twice the hits over this.
    both = np.bincount(true, minlength=count) + np.bincount(predicted, minlength=count)
    f1 = 2 * hits[both > 0] / both[both > 0]
    smallest = np.finfo(outputs.dtype).eps
    likelihood = np.clip(outputs[np.arange(len(true)), true], smallest, 1 - smallest)
    return float(right.mean()), float(f1.mean()), float(-np.log(likelihood).mean())


def _of_numbers(true: Array, outputs: Array) -> tuple[float, float, float]:
    errors = true - outputs
    squares, spread = float((errors**2).sum()), float(((true - true.mean()) ** 2).sum())
    # If all targets are equal, R2 is 1 for exact predictions and 0 for others.
    r2 = 1 - squares / spread if spread else float(squares == 0)
    return r2, float(np.sqrt((errors**2).mean())), float(np.abs(errors).mean())


def baseline(table: Table, train: Array, test: Array) -> dict[str, float]:
    """Score, on rows `test`, the most frequent class or the mean of rows `train`."""
    if table.classes:
        shares = np.bincount(table.y[train], minlength=len(table.classes)) / len(train)
        outputs = np.tile(shares, (len(test), 1))
    else:
        outputs = np.full(len(test), table.y[train].mean())
    return measure(table, table.y[test], outputs)
