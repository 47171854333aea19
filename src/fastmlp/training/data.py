"""The checked data of a fit, and checks of the arguments of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fastmlp.base import validation as check
from fastmlp.base.validation import Array

# Number of elements of the rows that are copied at a time.
_PART = 1 << 20


class Data(NamedTuple):
    """Checked rows of each input (arrays, or `SparseRows` of one), targets of each output, weights.

    With ``chosen``, only the rows at these positions count, in this order.
    """

    x: list[Any]
    target: list[Array]
    weights: Array | None
    chosen: Array | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.x[0] if self.chosen is None else self.chosen)

    def arrays(self) -> list[Array]:
        """Return all arrays, without regard to ``chosen``."""
        return [*self.x, *self.target, *([] if self.weights is None else [self.weights])]

    def at(self, index: Array) -> Data:
        """Return the same arrays, of which only the rows at ``index`` count."""
        return self._replace(chosen=index if self.chosen is None else self.chosen[index])

    def first(self, rows: int) -> Data:
        """Return the first rows, without a copy."""
        if self.chosen is not None:
            return self._replace(chosen=self.chosen[:rows])
        weights = None if self.weights is None else self.weights[:rows]
        return Data([x[:rows] for x in self.x], [y[:rows] for y in self.target], weights)

    def taken(self) -> Data:
        """Return the rows that count, as arrays of their own if some are chosen."""
        if self.chosen is None:
            return self
        weights = None if self.weights is None else self.weights[self.chosen]
        return Data(
            [x[self.chosen] for x in self.x], [y[self.chosen] for y in self.target], weights
        )

    def slices(self) -> Iterator[tuple[slice, list[Array]]]:
        """Yield chosen rows of the inputs, copied in parts."""
        assert self.chosen is not None
        for rows in in_parts(self.rows, sum(x.shape[1] for x in self.x)):
            yield rows, [x[self.chosen[rows]] for x in self.x]


def in_parts(rows: int, columns: int) -> Iterator[slice]:
    """Yield slices of rows, with about a million elements each."""
    size = max(1, _PART // max(columns, 1))
    for first in range(0, rows, size):
        yield slice(first, min(first + size, rows))


def checked_steps(
    data: Data, order: Any, batch_size: Any, rates: Any, penalties: Any, losses: Any
) -> tuple[Array | None, int, Array, Array | None, Array | None]:
    """Check the arguments of an epoch for the core: order, batch size, rates, penalties."""
    rows, size = data.rows, check.size(batch_size, "batch_size")
    if order is not None:
        given = check.numeric(order, "order")
        count = min(rows, max(1, given.size))  # the epoch may leave rows out
        order = check.labels(given, "order", count, rows, "row")
        rows = count
    if order is not None or data.chosen is not None:
        # A copy, so that nobody writes other rows into it while the core reads them.
        place = np.array(data.at(order).chosen if order is not None else data.chosen, check.INT64)
        order = check.labels(place, "order", rows, len(data.x[0]), "row")
    steps = (-(-rows // size),)
    return (
        order,
        size,
        check.shaped(rates, "rates", steps, check.FLOAT64),
        None if penalties is None else check.shaped(penalties, "penalties", steps, check.FLOAT64),
        None if losses is None else check.output(losses, "losses", (*steps, 2), check.FLOAT64, ()),
    )
