"""Gradients of a network checked against central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp import validation
from fastmlp.errors import ArgumentTypeError
from fastmlp.losses import Loss
from fastmlp.network import Sequential
from fastmlp.validation import Array

# Entries that disagree at one step size are tried at others: a wrong gradient is wrong at each,
# while a kink within the step, or rounding, spoils only some.
_OTHER_STEPS = (10.0, 0.1, 0.01)
_AGREES = 1e-7
# Relative errors are taken of at least this part of the largest gradient: below it, rounding
# in the loss, about 1e-16 / eps, would be all that is measured.
_PART_OF_LARGEST = 1e-3
_LEAST = 1e-8


def gradcheck(
    net: Sequential, loss: Loss, x: Any, y: Any, eps: float = 1e-5, sample_weight: Any = None
) -> float:
    """Compare backward's gradients with central differences, all in float64.

    Parameters
    ----------
    net : Sequential
        Unchanged: a float64 copy is checked, in training mode with one fixed dropout mask.
    loss : Loss
    x : array_like, shape (N, in_features)
    y : array_like
        Targets, as ``loss`` takes them.
    eps : float, default 1e-5
        Step of the differences. Where they disagree, 10 eps, eps / 10 and eps / 100 are tried.
    sample_weight : array_like, shape (N,), optional

    Returns
    -------
    float
        Largest ``abs(a - n) / (abs(a) + abs(n))`` over all parameters and inputs, analytic ``a``
        against numeric ``n``; the denominator is at least 1e-3 of the largest gradient.
        Below 1e-6 is right; at a kink itself (``ReLU`` of exactly 0) the two differ.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If shapes, types or values do not fit.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(3, 4), fm.Tanh(), fm.Linear(4, 2), seed=0)
    >>> fm.gradcheck(net, fm.CrossEntropyLoss(), [[0.1, 0.2, 0.3]], [1]) < 1e-6
    True
    """
    if not isinstance(net, Sequential):
        raise ArgumentTypeError(f"net: got {net!r}; want a Sequential")
    if not isinstance(loss, Loss):
        raise ArgumentTypeError(f"loss: got {loss!r}; want a loss")
    step = validation.real(eps, "eps", 0.0, low_open=True)
    twin = net.copy(dtype="float64")
    rows = validation.matrix(x, "x", validation.FLOAT64, net.in_features).copy()
    count = twin.step_count

    def value() -> float:
        # The same count draws the same dropout mask.
        twin.step_count = count
        return loss.forward(twin.forward(rows, training=True), y, sample_weight)

    value()
    dx = twin.backward(loss.backward())
    pairs = [(twin.params, twin.grads.copy()), (rows.reshape(-1), dx.reshape(-1).copy())]
    largest = max((float(np.abs(a).max()) for _, a in pairs if a.size), default=0.0)
    floor = max(_LEAST, _PART_OF_LARGEST * largest)
    errors = [
        _error(value, place, i, exact, step, floor)
        for place, gradient in pairs
        for i, exact in enumerate(gradient.tolist())
    ]
    return float(np.max(errors, initial=0.0))


def _error(
    value: Callable[[], float], place: Array, i: int, analytic: float, eps: float, floor: float
) -> float:
    """Relative error of one entry, at the step size where it is least."""
    least = np.inf
    for scale in (1.0, *_OTHER_STEPS):
        numeric = _slope(value, place, i, scale * eps)
        size = max(abs(analytic) + abs(numeric), floor)
        error = abs(analytic - numeric) / size
        # A NaN is never less, so it would be lost.
        if error != error:
            return float("nan")
        least = min(least, error)
        if least < _AGREES:
            break
    return float(least)


def _slope(value: Callable[[], float], place: Array, i: int, eps: float) -> float:
    kept = place[i]
    place[i] = kept + eps
    above = value()
    place[i] = kept - eps
    below = value()
    place[i] = kept
    return (above - below) / (2.0 * eps)
