"""Rows of dense and of sparse tables, as the engine takes them: sparse ones a part at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from fastmlp.fitting import Data
from fastmlp.training import Trainer
from fastmlp.validation import Array

# Numbers that a sparse table is made dense for at a time.
_PART = 1 << 20


def take(x: Any, rows: Any, dtype: np.dtype[Any]) -> Array:
    """Some rows, dense, contiguous, in one float type."""
    part = x[rows]
    dense = part.toarray() if sparse.issparse(part) else part
    return np.ascontiguousarray(dense, dtype)


def ready(x: Any, dtype: np.dtype[Any]) -> Any:
    """A table for training: rows that can be taken quickly; a sparse one stays sparse."""
    return x.tocsr() if sparse.issparse(x) else np.ascontiguousarray(x, dtype)


def rows_of_a_part(columns: int, batch: int) -> int:
    """Rows to take at a time: whole batches."""
    return max(1, _PART // max(columns, 1) // batch) * batch


def epoch(
    trainer: Trainer, x: Any, y: Array, weights: Array | None, order: Array | None,
    batch: int, lr: float,
) -> float:  # fmt: skip
    """One pass over the rows in this order; the mean loss, by rows."""
    if not sparse.issparse(x):
        rates = np.full(-(-len(x) // batch), lr)
        return trainer.epoch(Data([x], [y], weights), order, batch, rates)
    total, part = 0.0, rows_of_a_part(x.shape[1], batch)
    for first in range(0, x.shape[0], part):
        rows: Any = slice(first, first + part)
        rows = rows if order is None else order[rows]
        dense, target = take(x, rows, trainer.net.dtype), np.ascontiguousarray(y[rows])
        data = Data([dense], [target], None if weights is None else weights[rows])
        rates = np.full(-(-len(dense) // batch), lr)
        total += len(dense) * trainer.epoch(data, None, batch, rates)
    return total / float(x.shape[0])


def scores(net: Any, x: Any) -> Array:
    """What the network gives for all rows."""
    if not sparse.issparse(x):
        found: Array = net.predict(x)
        return found
    table, part = x.tocsr(), rows_of_a_part(x.shape[1], 1)
    out = np.empty((x.shape[0], net.out_features), net.dtype)
    for first in range(0, x.shape[0], part):
        rows = slice(first, min(first + part, x.shape[0]))
        net.predict(take(table, rows, net.dtype), out=out[rows])
    return out
