"""Calibration of probabilities by one number, the temperature, chosen on held-out rows.

Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017.
"""

from __future__ import annotations

import math

import numpy as np

from fastmlp.base.validation import Array

# Held-out rows that a temperature of 1 is worth: few rows hardly move it.
PRIOR_ROWS = 10.0
MOST_ROWS = 20_000  # used to choose it; more rows no longer change three digits
LARGEST = math.log(20.0)  # of the logarithm of the temperature, either sign
STEPS = 20
SMALLEST = 1e-15  # of a probability, before its logarithm is taken


def fit_temperature(true: Array, outputs: Array, weights: Array | None = None) -> float:
    """Return the temperature T with the least log loss of probabilities p^(1/T), normalised.

    Parameters
    ----------
    true : ndarray of int, shape (n,)
    outputs : ndarray, shape (n, C)
        Probabilities of held-out rows.
    weights : ndarray, shape (n,), optional

    Examples
    --------
    >>> sure = np.tile([[0.99, 0.01]], (200, 1))
    >>> bool(fit_temperature(np.repeat([0, 1], 100), sure) > 3)
    True
    """
    rows = slice(None, None, max(1, -(-len(true) // MOST_ROWS)))
    logs = np.log(np.maximum(outputs[rows], SMALLEST))
    true = true[rows]
    share = np.ones(len(true)) if weights is None else weights[rows].astype(np.float64)
    if len(true) == 0 or share.sum() == 0:
        return 1.0
    share = share * (len(true) / share.sum())
    return math.exp(-_root(logs, true, share))


def temper(outputs: Array, temperature: float) -> Array:
    """Return probabilities p^(1/T), normalised by row."""
    if temperature == 1.0:
        return outputs
    logs = np.log(np.maximum(outputs, SMALLEST)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    found: Array = powers / powers.sum(axis=1, keepdims=True)
    return found


def _root(logs: Array, true: Array, share: Array) -> float:
    """Return b = -log T at the minimum, by bisection of the slope, which rises with b."""
    low, high = -LARGEST, LARGEST
    for _ in range(STEPS):
        middle = (low + high) / 2
        if _slope(middle, logs, true, share) > 0:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _slope(b: float, logs: Array, true: Array, share: Array) -> float:
    """Derivative by 1/T = exp(b) of the rows' log loss and the prior, PRIOR_ROWS b^2 / 2."""
    inverse = math.exp(b)
    scaled = logs * inverse
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    expected = (powers * logs).sum(axis=1) / powers.sum(axis=1)
    data = float((share * (expected - logs[np.arange(len(true)), true])).sum())
    return data + PRIOR_ROWS * b / inverse
