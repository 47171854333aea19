"""Scores of predictions; 1 is perfect. Each loss names the one that it reports.

All take predictions ``(N, C)``, targets as ``Loss.target`` returns them, and weights ``(N,)`` or
None.
"""

from __future__ import annotations

import numpy as np

from fastmlp.base.validation import Array


def accuracy(scores: Array, target: Array, weights: Array | None) -> float:
    """Fraction of rows whose largest score is that of the label (or of the likeliest class)."""
    wanted = target if target.ndim == 1 else target.argmax(axis=1)
    return _mean(scores.argmax(axis=1) == wanted, weights)


def binary_accuracy(scores: Array, target: Array, weights: Array | None) -> float:
    """Fraction of elements where the score is above 0 exactly if the target is at least 1/2."""
    return _mean(((scores > 0) == (target >= 0.5)).mean(axis=1), weights)


def r2(scores: Array, target: Array, weights: Array | None) -> float:
    """Fraction of the variance explained, averaged over the columns."""
    found, wanted = scores.astype(np.float64), target.astype(np.float64)
    if _is_empty(wanted, weights):
        return float("nan")
    centre = np.average(wanted, axis=0, weights=weights)
    return _explained((found - wanted) ** 2, (wanted - centre) ** 2, weights)


def d2_poisson(scores: Array, target: Array, weights: Array | None) -> float:
    """Fraction of the Poisson deviance explained by rates ``exp(scores)``."""
    wanted = target.astype(np.float64)
    if _is_empty(wanted, weights):
        return float("nan")
    centre = np.average(wanted, axis=0, weights=weights)
    found = _poisson_deviance(np.exp(scores.astype(np.float64)), wanted)
    baseline = _poisson_deviance(np.broadcast_to(centre, wanted.shape), wanted)
    return _explained(found, baseline, weights)


def d2_pinball(
    scores: Array, target: Array, weights: Array | None, quantiles: tuple[float, ...]
) -> float:
    """Fraction of the pinball loss of the best constants explained."""
    found, wanted = scores.astype(np.float64), target.astype(np.float64)
    if _is_empty(wanted, weights):
        return float("nan")
    wanted = np.repeat(wanted, found.shape[1] // wanted.shape[1], axis=1)
    levels = np.resize(np.array(quantiles), wanted.shape[1])
    columns = zip(wanted.T, levels, strict=True)
    best = np.array([_quantile(column, weights, level) for column, level in columns])
    return _explained(_pinball(wanted - found, levels), _pinball(wanted - best, levels), weights)


def _mean(values: Array, weights: Array | None) -> float:
    if _is_empty(values, weights):
        return float("nan")
    return float(np.average(values, weights=weights))


def _is_empty(values: Array, weights: Array | None) -> bool:
    return len(values) == 0 if weights is None else float(weights.sum()) == 0.0


def _explained(errors: Array, baseline: Array, weights: Array | None) -> float:
    """Mean over columns of 1 - errors / baseline; with baseline 0: 1 if errors are 0, else 0."""
    left = np.average(errors, axis=0, weights=weights)
    whole = np.average(baseline, axis=0, weights=weights)
    # Infinite predictions make NaN errors; the score must then be NaN, not 1.
    without = np.where(np.isnan(left + whole), np.nan, left > 0)
    ratio = np.divide(left, whole, out=without, where=whole > 0)
    return float(np.mean(1.0 - ratio))


def _poisson_deviance(rate: Array, count: Array) -> Array:
    """``count log(count / rate) - count + rate``, with ``0 log 0 = 0``."""
    safe = np.where(count > 0, count, 1.0)
    positive = np.where(count > 0, rate, 1.0)
    deviance: Array = np.where(count > 0, count * np.log(safe / positive), 0.0) - count + rate
    return deviance


def _pinball(difference: Array, levels: Array) -> Array:
    loss: Array = np.maximum(levels * difference, (levels - 1.0) * difference)
    return loss


def _quantile(values: Array, weights: Array | None, level: float) -> float:
    """Return the least value up to which the weights reach ``level`` of their sum."""
    order = np.argsort(values)
    part = np.ones(len(values)) if weights is None else weights[order].astype(np.float64)
    reached = np.cumsum(part)
    where = int(np.searchsorted(reached, level * reached[-1]))
    return float(values[order][min(where, len(values) - 1)])
