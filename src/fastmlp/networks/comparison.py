"""What a frozen predictor loses against its network."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.base.engine import Ends
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.losses import metrics


class Comparison(NamedTuple):
    """How predictions of a frozen predictor differ from those of a network.

    Attributes
    ----------
    max_difference, rms_difference : float
        The largest difference of two elements, and the root of the mean of their squares.
    agreement : float or None
        Fraction of the rows whose largest element is in the same column; None for one column.
    score, frozen_score : float or None
        Of the network and of the frozen predictor, if there are targets: the accuracy for whole
        numbers and several columns, otherwise R2.
    """

    max_difference: float
    rms_difference: float
    agreement: float | None
    score: float | None = None
    frozen_score: float | None = None

    @property
    def loss(self) -> float | None:
        """The score of the network minus that of the frozen predictor."""
        if self.score is None or self.frozen_score is None:
            return None
        return self.score - self.frozen_score


def compare(ends: Ends, expected: Any, found: Any, targets: Any) -> Any:
    """Return a Comparison of predictions, or a dict of one for each output."""
    names = ends.names
    expected, found = ends.take(expected, "net"), ends.take(found, "net")
    wanted = [None] * len(names) if targets is None else ends.take(targets, "y")
    return ends.give(
        [
            _compared(a, b, None if y is None else _target(y, ends.argument("y", k), a))
            for k, (a, b, y) in enumerate(zip(expected, found, wanted, strict=True))
        ]
    )


def _compared(expected: Array, found: Array, target: Array | None) -> Comparison:
    columns = expected.shape[-1]
    if expected.shape != found.shape:
        raise ArgumentError(
            f"net: got predictions of shape {expected.shape}; want {found.shape}, that of the "
            "frozen predictor's"
        )
    a, b = expected.reshape(-1, columns), found.reshape(-1, columns)
    difference = np.abs(a.astype(np.float64) - b)
    same = a.argmax(axis=1) == b.argmax(axis=1)
    result = (
        float(difference.max(initial=0.0)),
        float(np.sqrt(np.mean(difference**2))) if difference.size else 0.0,
        float(same.mean()) if columns > 1 and same.size else None,
    )
    if target is None:
        return Comparison(*result)
    score = metrics.r2
    if columns > 1 and target.ndim == 1 and np.issubdtype(target.dtype, np.integer):
        score = metrics.accuracy
    elif target.size == len(a) * columns:
        target = target.reshape(-1, columns)
    else:
        raise ArgumentError(f"y: got shape {target.shape}; want labels or shape {expected.shape}")
    return Comparison(*result, score(a, target, None), score(b, target, None))


def _target(values: Any, name: str, expected: Array) -> Array:
    target = np.asarray(values)
    if target.ndim == 0 or len(target) != len(expected.reshape(-1, expected.shape[-1])):
        rows = len(expected.reshape(-1, expected.shape[-1]))
        raise ArgumentError(f"{name}: got shape {target.shape}; want {rows} rows")
    if target.dtype.kind not in "iufb":
        raise ArgumentError(f"{name}: got {target.dtype}; want class labels or numbers")
    return target
