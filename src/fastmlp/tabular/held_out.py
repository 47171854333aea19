"""What members predict for the rows that they were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.tabular.calibration import temper

if TYPE_CHECKING:
    from fastmlp.tabular.columns import ReadTable

MOST_ROWS = 20_000  # that are kept for a report
MOST_COPIED = 1000  # whose columns are kept too, for the importance of columns


@dataclass(frozen=True)
class HeldOut:
    """Rows that stopped the training of members, and the ensemble's predictions for them.

    Attributes
    ----------
    true, outputs : ndarray
        Targets (n,) and predictions, (n, C) or (n,); each by members that did not see the row.
    read : ReadTable or None
        Some of the rows, for `outputs_of`.
    read_true : ndarray
        Their targets.
    owner : ndarray of int
        Which group of members did not see each of them.
    groups : list of list of (member, weight, temperature)
    """

    true: Array = field(repr=False)
    outputs: Array = field(repr=False)
    read: ReadTable = field(repr=False)
    read_true: Array = field(repr=False)
    owner: Array = field(repr=False)
    groups: Sequence[Sequence[tuple[Any, float, float]]] = field(repr=False)

    def outputs_of(self, read: ReadTable) -> Array:
        """Predict the rows of `read`, or copies of them, each by members that did not see it."""
        owner = np.tile(self.owner, read.n_rows // len(self.owner))
        found: Array | None = None
        for number in np.unique(owner):
            rows = np.flatnonzero(owner == number)
            some = read.rows(rows)
            parts = [calibrated(m.outputs(some), t) for m, _, t in self.groups[number]]
            part = weighted(parts, [weight for _, weight, _ in self.groups[number]])
            if found is None:
                found = np.empty((read.n_rows, *part.shape[1:]))
            found[rows] = part
        assert found is not None
        return found


def weighted(outputs: Sequence[Array], weights: Sequence[float]) -> Array:
    """Return the weighted mean of predictions, always added in the same order."""
    total = outputs[0] * weights[0]
    for one, weight in zip(outputs[1:], weights[1:], strict=True):
        total = total + one * weight
    mean: Array = total / sum(weights)
    return mean


def calibrated(outputs: Array, temperature: float) -> Array:
    """Return tempered probabilities (n, C), and numbers (n,) as they are."""
    return temper(outputs, temperature) if outputs.ndim == 2 else outputs


class FoldSums:
    """Sums of what the members of one model predict for rows that they did not see."""

    def __init__(self, rows: int, classes: int) -> None:
        self._sums = np.zeros((rows, classes) if classes else rows)
        self._counts = np.zeros(rows, dtype=np.int64)

    def add(self, rows: Array, outputs: Array) -> None:
        """Add a member's predictions for some rows."""
        self._sums[rows] += outputs
        self._counts[rows] += 1

    @property
    def known(self) -> Array:
        """Which rows have a prediction."""
        found: Array = self._counts > 0
        return found

    def means(self, rows: Array) -> Array:
        """Return the mean prediction for rows that have one."""
        counts = self._counts[rows]
        sums = self._sums[rows]
        found: Array = sums / (counts[:, None] if sums.ndim == 2 else counts)
        return found
