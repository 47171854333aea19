"""Scores of predictions, and of baselines that look at no column.

All functions take true values (n,), class indices or numbers; outputs, (n, C) probabilities or (n,)
numbers; and weights (n,) or None. The values are those of ``sklearn.metrics`` (tests compare).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array, shown

Task = Literal["classification", "regression"]
BASELINES = {
    "classification": "baseline: most frequent class",
    "regression": "baseline: mean",
}


@dataclass(frozen=True)
class Metric:
    """One score.

    Attributes
    ----------
    label : str
        Its name in tables and messages.
    task : {"classification", "regression"}
    sign : float
        1 if larger is better, -1 if smaller is.
    of : callable
        ``of(true, outputs, weights, positive, threshold)``; see `measure`.
    by_threshold : bool
        Whether it depends on the threshold between two classes.
    """

    label: str
    task: Task
    sign: float
    of: Callable[[Array, Array, Array | None, int, float], float]
    by_threshold: bool = False


def measure(
    true: Array, outputs: Array, weights: Array | None = None, positive: int = 1,
    threshold: float = 0.5,
) -> dict[str, float]:  # fmt: skip
    """Return all scores of a task, by label.

    Parameters
    ----------
    true : ndarray, shape (n,)
        Class indices or numbers.
    outputs : ndarray, shape (n, C) or (n,)
        Probabilities, or numbers.
    weights : ndarray, shape (n,), optional
    positive : int
        The class whose F1 and average precision count if there are two.
    threshold : float
        Class 1 of two is predicted where its probability is above this.
    """
    task = "classification" if outputs.ndim == 2 else "regression"
    found = [metric for metric in METRICS.values() if metric.task == task]
    if not np.isfinite(outputs).all():
        # The training has diverged.
        return {metric.label: np.nan for metric in found}
    return {m.label: m.of(true, outputs, weights, positive, threshold) for m in found}


def metric_of(name: str | None, task: Task) -> Metric:
    """Return a metric by its name in `METRICS`; by default that of the task.

    Examples
    --------
    >>> metric_of(None, "classification").label
    'log loss'
    """
    default = "log_loss" if task == "classification" else "rmse"
    names = [key for key, metric in METRICS.items() if metric.task == task]
    key = default if name is None else name
    if not isinstance(key, str) or key not in names:
        raise ArgumentError(f"metric: got {shown(name)}; want one of {', '.join(names)}")
    return METRICS[key]


def baseline(true: Array, classes: int, weights: Array | None = None) -> Array:
    """Return the output of a prediction without columns: the classes' shares, or the mean."""
    if classes:
        return np.bincount(true, weights, minlength=classes) / _total(true, weights)
    return np.asarray(np.average(true, weights=weights))


def repeated(output: Array, rows: int) -> Array:
    """Return the output of `baseline` for each of some rows."""
    return np.broadcast_to(output, (rows, *output.shape)).copy()


def decide(outputs: Array, threshold: float = 0.5) -> Array:
    """Return the predicted class of each row: the likeliest; of two, class 1 above `threshold`."""
    if outputs.shape[1] == 2 and threshold != 0.5:
        chosen: Array = (outputs[:, 1] > threshold).astype(np.int64)
        return chosen
    likeliest: Array = outputs.argmax(axis=1)
    return likeliest


def log_loss(true: Array, outputs: Array, weights: Array | None = None) -> float:
    """Mean of minus the logarithm of the true class's probability, in nats."""
    smallest = np.finfo(outputs.dtype).eps
    likelihood = np.clip(outputs[np.arange(len(true)), true], smallest, 1 - smallest)
    return float(np.average(-np.log(likelihood), weights=weights))


def roc_auc(true: Array, score: Array, weights: Array | None = None) -> float:
    """Area under the ROC curve of one score, (n,), for truth values (n,); NaN for one class."""
    positives, negatives = _cumulated(true, score, weights)
    if positives[-1] == 0 or negatives[-1] == 0:
        return float("nan")
    steps = np.diff(negatives, prepend=0.0)
    # Rows are sorted by falling score: a negative row is right if positives came before it.
    before = np.concatenate([[0.0], positives[:-1]])
    ties = np.diff(positives, prepend=0.0)
    return float((steps * (before + ties / 2)).sum() / (positives[-1] * negatives[-1]))


def average_precision(true: Array, score: Array, weights: Array | None = None) -> float:
    """Mean precision over the positive rows, by falling score; NaN without positive rows."""
    positives, negatives = _cumulated(true, score, weights)
    if positives[-1] == 0:
        return float("nan")
    found = positives + negatives
    precision = np.divide(positives, found, out=np.zeros_like(found), where=found > 0)
    return float((np.diff(positives, prepend=0.0) * precision).sum() / positives[-1])


def _cumulated(true: Array, score: Array, weights: Array | None) -> tuple[Array, Array]:
    """Weights of positive and of negative rows down to each different score."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    of_rows = np.ones(len(true)) if weights is None else weights[order].astype(np.float64)
    hits = true[order].astype(bool)
    return np.cumsum(of_rows * hits)[last], np.cumsum(of_rows * ~hits)[last]


def _total(true: Array, weights: Array | None) -> float:
    return float(len(true) if weights is None else weights.sum(dtype=np.float64))


def _of_each_class(
    of: Callable[[Array, Array, Array | None], float], true: Array, outputs: Array,
    weights: Array | None, positive: int,
) -> float:  # fmt: skip
    """Score the positive class of two; the mean over the classes that occur, if there are more."""
    count = outputs.shape[1]
    chosen = [positive] if count == 2 else range(count)
    values = [of(true == k, outputs[:, k], weights) for k in chosen]
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else float("nan")


def _hits(true: Array, predicted: Array, weights: Array | None, count: int) -> list[Array]:
    """Weights of the rows of each class that are right, true, and predicted."""
    right = true == predicted
    of_right = None if weights is None else weights[right]
    pairs = [(true[right], of_right), (true, weights), (predicted, weights)]
    return [np.bincount(rows, w, minlength=count) for rows, w in pairs]


def _accuracy(
    true: Array, outputs: Array, weights: Array | None, positive: int, threshold: float
) -> float:
    return float(np.average(true == decide(outputs, threshold), weights=weights))


def _balanced_accuracy(
    true: Array, outputs: Array, weights: Array | None, positive: int, threshold: float
) -> float:
    predicted = decide(outputs, threshold)
    hits, known, _ = _hits(true, predicted, weights, outputs.shape[1])
    return float((hits[known > 0] / known[known > 0]).mean())


def _f1(
    true: Array, outputs: Array, weights: Array | None, positive: int, threshold: float
) -> float:
    predicted, count = decide(outputs, threshold), outputs.shape[1]
    hits, known, found = _hits(true, predicted, weights, count)
    both = known + found
    f1 = np.divide(2.0 * hits, both, out=np.zeros(count), where=both > 0)
    return float(f1[positive] if count == 2 else f1[both > 0].mean())


def _r2(true: Array, outputs: Array, weights: Array | None) -> float:
    centre = np.average(true, weights=weights)
    left = float(np.average((true - outputs) ** 2, weights=weights))
    spread = float(np.average((true - centre) ** 2, weights=weights))
    # If all targets are equal, R2 is 1 for exact predictions and 0 for others.
    return 1 - left / spread if spread else float(left == 0)


METRICS: dict[str, Metric] = {
    "log_loss": Metric("log loss", "classification", -1.0, lambda t, o, w, *_: log_loss(t, o, w)),
    "roc_auc": Metric(
        "ROC-AUC", "classification", 1.0,
        lambda t, o, w, p, _: _of_each_class(roc_auc, t, o, w, p),
    ),
    "average_precision": Metric(
        "average precision", "classification", 1.0,
        lambda t, o, w, p, _: _of_each_class(average_precision, t, o, w, p),
    ),
    "accuracy": Metric("accuracy", "classification", 1.0, _accuracy, True),
    "balanced_accuracy": Metric(
        "balanced accuracy", "classification", 1.0, _balanced_accuracy, True
    ),
    "f1": Metric("F1", "classification", 1.0, _f1, True),
    "r2": Metric("R2", "regression", 1.0, lambda t, o, w, *_: _r2(t, o, w)),
    "rmse": Metric(
        "RMSE", "regression", -1.0,
        lambda t, o, w, *_: float(np.sqrt(np.average((t - o) ** 2, weights=w))),
    ),
    "mae": Metric(
        "MAE", "regression", -1.0,
        lambda t, o, w, *_: float(np.average(np.abs(t - o), weights=w)),
    ),
}  # fmt: skip
