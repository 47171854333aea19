"""The checked data of a fit, and checks of the arguments of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from fastmlp.base import validation as check
from fastmlp.base.validation import Array


class Data(NamedTuple):
    """Checked rows of each input, targets of each output, and the rows' weights."""

    x: list[Array]
    target: list[Array]
    weights: Array | None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.x[0])

    def arrays(self) -> list[Array]:
        """Return all arrays."""
        return [*self.x, *self.target, *([] if self.weights is None else [self.weights])]

    def take(self, index: Array) -> Data:
        """Return the rows at ``index``."""
        weights = None if self.weights is None else self.weights[index]
        return Data([x[index] for x in self.x], [y[index] for y in self.target], weights)

    def parts(self) -> Iterator[tuple[float, Data]]:
        """Yield all rows, with their fraction of the loss."""
        yield 1.0, self


class Parts(Protocol):
    """Data that is processed in parts; ``Data`` has one part."""

    def parts(self) -> Iterator[tuple[float, Data]]:
        """Yield each part with its fraction of the mean loss."""


def checked_steps(
    rows: int, order: Any, batch_size: Any, rates: Any, penalties: Any, losses: Any
) -> tuple[Array | None, int, Array, Array | None, Array | None]:
    """Check the arguments of an epoch for the core: order, batch size, rates, penalties."""
    size = check.size(batch_size, "batch_size")
    if order is not None:
        # A copy, so that nobody writes other rows into it while the core reads them.
        own = np.array(check.labels(order, "order", rows, rows, "row"), check.INT64)
        order = check.labels(own, "order", rows, rows, "row")
    steps = (-(-rows // size),)
    return (
        order,
        size,
        check.shaped(rates, "rates", steps, check.FLOAT64),
        None if penalties is None else check.shaped(penalties, "penalties", steps, check.FLOAT64),
        None if losses is None else check.output(losses, "losses", (*steps, 2), check.FLOAT64, ()),
    )
