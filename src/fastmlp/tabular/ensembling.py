"""Weights of models in an ensemble, chosen on rows that they have not seen.

Caruana, Niculescu-Mizil, Crew and Ksikes, Ensemble Selection from Libraries of Models, ICML 2004.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.tabular.scores import Metric

ROUNDS = 40


def select_weights(
    candidates: Sequence[Array], metric: Metric, true: Array, weights: Array | None = None,
    positive: int = 1, rounds: int = ROUNDS,
) -> Array:  # fmt: skip
    """Add, again and again, the model that improves the average most; count how often.

    Parameters
    ----------
    candidates : sequence of ndarray
        What each model predicts for the same held-out rows: (n, C) probabilities or (n,) numbers.
    metric : Metric
    true : ndarray, shape (n,)
        Class indices or numbers.
    weights : ndarray, shape (n,), optional
    positive : int
        Class that counts if there are two, see `measure`.
    rounds : int

    Returns
    -------
    ndarray, shape (len(candidates),)
        Weights of the best average of all rounds; they add up to 1.

    Examples
    --------
    >>> from fastmlp.tabular.scores import METRICS
    >>> true = np.array([1.0, 2.0, 3.0])
    >>> select_weights([true - 1, true + 1, true + 9], METRICS["rmse"], true).tolist()
    [0.5, 0.5, 0.0]
    """
    counts = np.zeros(len(candidates), dtype=np.int64)
    if len(candidates) == 1:
        return np.ones(1)
    total = np.zeros_like(candidates[0])
    best, chosen = -np.inf, counts.copy()
    for step in range(1, rounds + 1):
        tried = [(total + one) / step for one in candidates]
        values = [metric.sign * metric.of(true, t, weights, positive, 0.5) for t in tried]
        # NaN, of outputs that are not finite or of one class only, never wins.
        ranked = np.where(np.isnan(values), -np.inf, values)
        place = int(np.argmax(ranked))
        counts[place] += 1
        total = total + candidates[place]
        if ranked[place] > best:
            best, chosen = float(ranked[place]), counts.copy()
    if chosen.sum() == 0:
        return np.full(len(candidates), 1 / len(candidates))
    found: Array = chosen / chosen.sum()
    return found
