"""Rows of dense and sparse input for the engine; sparse rows are made dense in parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

from fastmlp.base.validation import Array
from fastmlp.training.data import Data
from fastmlp.training.trainer import Trainer

# Number of elements that are made dense, or copied, at a time.
_PART = 1 << 20


def convert(x: Any, dtype: np.dtype[Any]) -> Any:
    """Return a table in one float type; a sparse one stays sparse, in CSR form.

    Raises
    ------
    ValueError
        If a number is too large for the type.
    """
    with np.errstate(over="ignore"):
        table = x.tocsr().astype(dtype) if sparse.issparse(x) else np.ascontiguousarray(x, dtype)
    numbers = table.data if sparse.issparse(table) else table
    if x.dtype.itemsize > dtype.itemsize and not np.isfinite(numbers).all():
        raise ValueError(
            f"X contains infinity or a value too large for dtype('{dtype}'): scale it, or give "
            "dtype='float64'"
        )
    return table


def rows_of_a_part(columns: int) -> int:
    """Return the number of rows to make dense at a time."""
    return max(1, _PART // max(columns, 1))


def scores(net: Any, x: Any, chosen: Array | None = None) -> Array:
    """Return the network's outputs for the chosen rows, by default for all."""
    table = convert(x, net.dtype)
    if chosen is None and not sparse.issparse(table):
        found: Array = net.predict(table)
        return found
    part, count = rows_of_a_part(table.shape[1]), len(chosen) if chosen is not None else x.shape[0]
    out = np.empty((count, net.out_features), net.dtype)
    for first in range(0, count, part):
        rows = slice(first, min(first + part, count))
        some = table[rows if chosen is None else chosen[rows]]
        net.predict(some.toarray() if sparse.issparse(table) else some, out=out[rows])
    return out


class Rows:
    """Rows to train on: inputs, targets, weights or None.

    With ``chosen``, they are the rows of ``x`` at these positions; targets and weights are theirs.
    """

    def __init__(
        self, x: Any, target: Array, weights: Array | None, chosen: Array | None = None
    ) -> None:
        self.x, self.target, self.weights, self.chosen = x, target, weights, chosen
        self.count = len(target)
        self._is_sparse = sparse.issparse(x)
        self._data = Data([x], [target], weights)
        if chosen is not None:
            self._data = Data(
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

    def parts(self) -> Iterator[tuple[float, Data]]:
        """Yield dense parts, each with its fraction of the mean loss."""
        size = rows_of_a_part(self.x.shape[1]) if self._is_sparse else self.count
        for first in range(0, self.count, size):
            part = self.take(slice(first, first + size))
            total = part.rows if part.weights is None else part.weights.sum(dtype=np.float64)
            whole = part.rows == self.count or self.total == 0.0
            yield (1.0 if whole else float(total) / self.total), part

    def take(self, rows: Any) -> Data:
        """Return the rows at an index, dense."""
        found = self.x[rows if self.chosen is None else self.chosen[rows]]
        x = found.toarray() if self._is_sparse else np.ascontiguousarray(found)
        weights = None if self.weights is None else self.weights[rows]
        return Data([x], [np.ascontiguousarray(self.target[rows])], weights)

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
        if not self._is_sparse:
            trainer.epoch(self._data, order, batch, rates, penalties, losses)
        elif batch > rows_of_a_part(self.x.shape[1]):
            self._large_batches(trainer, order, batch, rates, penalties, losses)
        else:
            self._part_by_part(trainer, order, batch, rates, penalties, losses)
        return losses

    def _part_by_part(
        self, trainer: Trainer, order: Array | None, batch: int, rates: Array, penalties: Array,
        losses: Array,
    ) -> None:  # fmt: skip
        batches = rows_of_a_part(self.x.shape[1]) // batch
        for first in range(0, len(rates), batches):
            span = slice(first, first + batches)
            data = self.take(self._rows(order, first * batch, batches * batch))
            trainer.epoch(data, None, batch, rates[span], penalties[span], losses[span])

    def _large_batches(
        self, trainer: Trainer, order: Array | None, batch: int, rates: Array, penalties: Array,
        losses: Array,
    ) -> None:  # fmt: skip
        """Train on batches that are too large to be dense at once."""
        for k in range(len(rates)):
            rows = self._rows(order, k * batch, batch)
            weights = None if self.weights is None else self.weights[rows]
            place = rows if self.chosen is None else self.chosen[rows]
            part = Rows(self.x[place], self.target[rows], weights)
            losses[k] = trainer.step_in_parts(part, rates[k], penalties[k])

    def _rows(self, order: Array | None, first: int, count: int) -> Any:
        rows = slice(first, min(first + count, self.count))
        return rows if order is None else order[rows]
