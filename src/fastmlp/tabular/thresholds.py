"""The threshold between two classes, chosen on held-out rows."""

from __future__ import annotations

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.tabular.scores import Metric

MOST_THRESHOLDS = 200  # that are tried


def choose_threshold(
    metric: Metric, true: Array, outputs: Array, weights: Array | None, positive: int
) -> float:
    """Return the threshold of class 1 of two with the best score on held-out rows.

    Thresholds lie half-way between two neighbouring probabilities. Of equally good ones, the
    nearest to 1/2 is taken; 1/2 itself if no other is better.

    Parameters
    ----------
    metric : Metric
        A score that depends on the threshold.
    true : ndarray of int, shape (n,)
    outputs : ndarray, shape (n, 2)
    weights : ndarray, shape (n,), optional
    positive : int
        Class whose F1 counts.
    """
    usual = metric.of(true, outputs, weights, positive, 0.5)
    values = np.unique(outputs[:, 1])
    middles = (values[1:] + values[:-1]) / 2
    if len(middles) > MOST_THRESHOLDS:
        middles = middles[np.linspace(0, len(middles) - 1, MOST_THRESHOLDS).astype(np.int64)]
    # The nearest to 1/2 first: `max` keeps the first of equal ones.
    middles = middles[np.argsort(np.abs(middles - 0.5), kind="stable")]
    found = [metric.of(true, outputs, weights, positive, float(t)) for t in middles]
    best = int(np.argmax(found)) if found else 0
    return float(middles[best]) if found and found[best] > usual else 0.5
