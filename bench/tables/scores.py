"""Scores of predictions: the error, by which contestants are ranked, and others."""

from __future__ import annotations

import math

import numpy as np

from bench.problems import Array

# Probabilities below this one count as this one in a log loss, so that one row cannot decide it.
LEAST_PROBABILITY = 1e-7


def scores_of(true: Array, found: Array, classes: int) -> dict[str, float | None]:
    """``error``, ``log_loss`` and ``auc``; of regressions ``error`` and ``mae``.

    The error is the share of wrong classes, or the root mean square error over the standard
    deviation of the test rows' targets, which is the root of 1 - R2.
    """
    if not classes:
        deviation = float(true.std())
        return {
            "error": float(np.sqrt(np.mean((found - true) ** 2))) / deviation,
            "mae": float(np.mean(np.abs(found - true))) / deviation,
        }
    likelihood = np.clip(found[np.arange(len(true)), true], LEAST_PROBABILITY, 1.0)
    return {
        "error": float(np.mean(found.argmax(axis=1) != true)),
        "log_loss": float(-np.mean(np.log(likelihood))),
        "auc": _auc(true, found, classes),
    }


def _auc(true: Array, found: Array, classes: int) -> float | None:
    """Area under the ROC curve; of several classes the mean of each against the rest."""
    areas = [_area(true == k, found[:, k]) for k in range(classes) if np.sum(true == k) > 0]
    if classes == 2:
        areas = [_area(true == 1, found[:, 1])]
    known = [area for area in areas if not math.isnan(area)]
    return float(np.mean(known)) if known else None


def _area(positive: Array, score: Array) -> float:
    from scipy.stats import rankdata

    count = int(positive.sum())
    others = len(positive) - count
    if count == 0 or others == 0:
        return math.nan
    above = float(rankdata(score)[positive].sum()) - count * (count + 1) / 2
    return above / (count * others)
