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
    """Checked rows of each input (arrays, or `SparseRows` of one), targets of each loss, weights.

    Targets are arrays, or `NamedRows` of a loss of the user's own.

    With ``chosen``, only the rows at these positions count, in this order. If the network has
    several ``members``, an input of it is the rows of all members, one behind another. They are all
    the same row, or those of a matrix ``chosen`` (N, members). ``mask`` (N, members) are factors of
    the weights of such rows.
    """

    x: list[Any]
    target: list[Any]
    weights: Array | None
    chosen: Array | None = None
    members: int = 1
    mask: Array | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.x[0] if self.chosen is None else self.chosen)

    @property
    def is_whole(self) -> bool:
        """Whether the arrays are what the network takes."""
        return self.chosen is None and self.members == 1

    def arrays(self) -> list[Array]:
        """Return all arrays, without regard to ``chosen``."""
        return [*self.x, *self.target, *([] if self.weights is None else [self.weights])]

    def at(self, index: Array) -> Data:
        """Return the same arrays, of which only the rows at ``index`` count."""
        return self._replace(chosen=index if self.chosen is None else self.chosen[index])

    def rows_at(self, rows: slice) -> Data:
        """Return a range of the rows, without a copy."""
        if self.chosen is not None:
            return self._replace(chosen=self.chosen[rows])
        weights = None if self.weights is None else self.weights[rows]
        return self._replace(
            x=[x[rows] for x in self.x], target=[y[rows] for y in self.target], weights=weights
        )

    def first(self, rows: int) -> Data:
        """Return the first rows, without a copy."""
        return self.rows_at(slice(rows))

    def taken(self) -> Data:
        """Return the rows that count, as the network takes them."""
        if self.is_whole:
            return self
        x = [self._inputs(array, slice(None)) for array in self.x]
        target, weights = self.taken_targets()
        return Data(x, target, weights)

    def taken_targets(self) -> tuple[list[Any], Array | None]:
        """Return targets and weights of the rows that count, or of each member of each row."""
        if self.chosen is None:
            return self.target, self.weights
        places = self.chosen.ravel()
        weights = None if self.weights is None else self.weights[places]
        if self.mask is not None:
            mask = self.mask.ravel()
            weights = mask if weights is None else weights * mask
        return [y[places] for y in self.target], weights

    def slices(self) -> Iterator[tuple[slice, list[Array]]]:
        """Yield the inputs of rows that count, copied in parts."""
        for rows in in_parts(self.rows, self.members * sum(x.shape[1] for x in self.x)):
            yield rows, [self._inputs(x, rows) for x in self.x]

    def _inputs(self, x: Any, rows: slice) -> Any:
        """Return rows of an input, those of all members one behind another."""
        found = x[rows if self.chosen is None else self.chosen[rows]]
        if self.members == 1:
            return found
        if found.ndim == 3:
            return found.reshape(len(found), -1)
        return np.tile(found, (1, self.members))


def in_parts(rows: int, columns: int) -> Iterator[slice]:
    """Yield slices of rows, with about a million elements each."""
    size = max(1, _PART // max(columns, 1))
    for first in range(0, rows, size):
        yield slice(first, min(first + size, rows))


def checked_steps(
    data: Data, order: Any, batch_size: Any, rates: Any, penalties: Any, losses: Any
) -> tuple[Array | None, int, Array, Array | None, Array | None]:
    """Check the arguments of an epoch for the core: order, batch size, rates, penalties."""
    rows, size, members = data.rows, check.size(batch_size, "batch_size"), data.members
    if order is not None:
        given = check.numeric(order, "order")
        count = min(rows, max(1, given.size))  # the epoch may leave rows out
        order = check.labels(given, "order", count, rows, "row")
        rows = count
    if order is not None or not data.is_whole:
        # A copy, so that nobody writes other rows into it while the core reads them.
        chosen = data.chosen if order is None else data.at(order).chosen
        place = np.array(np.arange(rows) if chosen is None else chosen, check.INT64)
        if members > 1 and place.ndim == 1:
            place = np.repeat(place, members)
        order = check.labels(place.ravel(), "order", rows * members, len(data.x[0]), "row")
    steps = (-(-rows // size),)
    return (
        order,
        size,
        check.shaped(rates, "rates", steps, check.FLOAT64),
        None if penalties is None else check.shaped(penalties, "penalties", steps, check.FLOAT64),
        None if losses is None else check.output(losses, "losses", (*steps, 2), check.FLOAT64, ()),
    )
