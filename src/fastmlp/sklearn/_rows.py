"""Rows of dense and sparse input for the engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.base import sparse
from fastmlp.base.validation import Array
from fastmlp.training.data import Data
from fastmlp.training.trainer import Trainer

# Number of elements of chosen rows that are copied at a time.
_PART = 1 << 20


def convert(x: Any, dtype: np.dtype[Any]) -> Any:
    """Return a table in one float type; a sparse one stays sparse.

    Raises
    ------
    ValueError
        If a number is too large for the type.
    """
    table: Any
    if sparse.is_sparse(x):
        table = sparse.rows(x, "X", dtype)
        numbers = table.value
    else:
        with np.errstate(over="ignore"):
            table = numbers = np.ascontiguousarray(x, dtype)
    if x.dtype.itemsize > dtype.itemsize and not np.isfinite(numbers).all():
        raise ValueError(
            f"X contains infinity or a value too large for dtype('{dtype}'): scale it, or give "
            "dtype='float64'"
        )
    return table


def scores(net: Any, x: Any, chosen: Array | None = None) -> Array:
    """Return the network's outputs for the chosen rows, by default for all."""
    table = convert(x, net.dtype)
    if chosen is None or sparse.is_sparse(table):
        found: Array = net.predict(table if chosen is None else table[chosen])
        return found
    part, count = max(1, _PART // max(table.shape[1], 1)), len(chosen)
    out = np.empty((count, net.out_features), net.dtype)
    for first in range(0, count, part):
        rows = slice(first, min(first + part, count))
        net.predict(table[chosen[rows]], out=out[rows])
    return out


class Rows:
    """Rows to train on: inputs, targets, weights or None; ``data`` is what a trainer takes.

    With ``chosen``, they are the rows of ``x`` at these positions; targets and weights are theirs.
    """

    def __init__(
        self, x: Any, target: Array, weights: Array | None, chosen: Array | None = None
    ) -> None:
        self.x, self.weights, self.chosen = x, weights, chosen
        self.count = len(target)
        self.data = Data([x], [target], weights)
        if chosen is not None:
            self.data = Data(
                [x], [self._spread(target)], self._spread(weights), np.asarray(chosen, np.int64)
            )
        # The divisor of a mean over all rows.
        self.total = float(self.count if weights is None else weights.sum(dtype=np.float64))

    def _spread(self, values: Array | None) -> Any:
        """Return values of the chosen rows at the positions of these rows."""
        if values is None:
            return None
        spread = np.zeros((self.x.shape[0], *values.shape[1:]), values.dtype)
        spread[self.chosen] = values
        return spread

    def mean(self, values: Array) -> float:
        """Return the mean of one number for each row, weighted by the rows' weights."""
        weighted = values if self.weights is None else values * self.weights
        return float(weighted.sum(dtype=np.float64) / self.total) if self.total > 0.0 else 0.0

    def batch_sums(self, values: Array, order: Array | None, batch: int) -> Array:
        """Return the sum over the rows of each batch."""
        ordered = values if order is None else values[order]
        return np.add.reduceat(ordered, np.arange(0, self.count, batch), dtype=np.float64)

    def epoch(
        self, trainer: Trainer, order: Array | None, batch: int, lr: float, penalties: Array
    ) -> Array:
        """Train one epoch in this order; return loss and penalties of each batch, (batches, 2).

        ``penalties`` are factors of the penalties in each batch.
        """
        losses, rates = np.zeros((len(penalties), 2)), np.full(len(penalties), lr)
        trainer.epoch(self.data, order, batch, rates, penalties, losses)
        return losses
