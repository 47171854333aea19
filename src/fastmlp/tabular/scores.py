"""How good predictions are, beside those that need no features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn import metrics
from sklearn.dummy import DummyClassifier, DummyRegressor

from fastmlp.tabular.table import Array, Table
from fastmlp.tabular.text import four_digits

NAMES = {"classification": ("accuracy", "macro F1", "log loss"),
         "regression": ("R2", "RMSE", "MAE")}  # fmt: skip
BASELINES = {
    "classification": "baseline: most frequent class",
    "regression": "baseline: mean",
}


def measure(table: Table, true: Array, outputs: Array) -> list[float]:
    """Scores in the order of `NAMES`.

    Parameters
    ----------
    table : Table
    true : ndarray, shape (n,)
        Class indices or numbers.
    outputs : ndarray, shape (n, C) or (n,)
        Probabilities, or numbers.
    """
    if not np.isfinite(outputs).all():
        # Of a training that has diverged.
        return [np.nan] * len(NAMES[table.task])
    if not table.classes:
        rmse = metrics.root_mean_squared_error(true, outputs)
        mae = metrics.mean_absolute_error(true, outputs)
        return [float(metrics.r2_score(true, outputs)), float(rmse), float(mae)]
    predicted = outputs.argmax(axis=1)
    indices = np.arange(len(table.classes))
    return [
        float(metrics.accuracy_score(true, predicted)),
        float(metrics.f1_score(true, predicted, average="macro", zero_division=0)),
        float(metrics.log_loss(true, outputs, labels=indices)),
    ]


def baseline(table: Table, train: Array, test: Array) -> list[float]:
    """Scores on rows `test` of predicting what is most frequent, or the mean, in rows `train`."""
    nothing = np.zeros((len(table.y), 1))
    if not table.classes:
        mean = DummyRegressor().fit(nothing[train], table.y[train])
        return measure(table, table.y[test], mean.predict(nothing[test]))
    prior = DummyClassifier(strategy="prior").fit(nothing[train], table.y[train])
    # A class that is not in the training part has no column of its own there.
    outputs = np.zeros((len(test), len(table.classes)))
    outputs[:, prior.classes_] = prior.predict_proba(nothing[test])
    return measure(table, table.y[test], outputs)


def cells(values: Sequence[float]) -> list[str]:
    """Write scores with four digits."""
    return [four_digits(value) if abs(value) >= 10 else f"{value:.4f}" for value in values]
