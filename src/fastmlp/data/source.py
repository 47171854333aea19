"""What a fit reads its rows from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from fastmlp import _core
from fastmlp.base import validation as check

# Rows as a user gives them: x, y, sample_weight (None: all 1).
Rows = tuple[Any, Any, Any]

_SEEDS = 2**64
# The golden ratio of the 64-bit integers: seeds that differ by multiples of it are far apart.
_STRIDE = 0x9E3779B97F4A7C15


class Block(NamedTuple):
    """Rows of a source that follow one another.

    ``read(dtype)`` yields them in one or more pieces ``(x, y, sample_weight)``; the arrays are used
    until the next piece is asked for. ``dtype`` is that of the network: inputs that have to be
    made anyway are best made in it. ``rows`` is their number and ``start`` the position of the
    first one in the source, each None if it is not known before they are read.
    """

    read: Callable[[np.dtype[Any]], Iterable[Rows]]
    rows: int | None = None
    start: int | None = None


class Source:
    """Rows that a fit reads block by block, once in each epoch.

    A source of your own has an ``open``; the other attributes have defaults.

    Attributes
    ----------
    rows : int or None
        Number of rows of an epoch; None if it is not known.
    bytes : int or None
        Bytes of an epoch, for progress.
    batch_rows : int or None
        Rows of a step, unless the fit has a ``batch_size``.
    keeps_order : bool
        Whether the source itself decides about the order of rows: ``shuffle`` then does nothing.
    window : int or None
        Rows that are shuffled together; by default as many as have 64 MiB.
    read_ahead : bool
        Whether a thread of its own reads while the network trains.
    has_places : bool
        Whether its blocks tell ``rows`` and ``start``; then a fraction of the rows can be set aside
        for validation.

    Examples
    --------
    >>> import numpy as np
    >>> import fastmlp as fm
    >>> class Squares(fm.data.Source):
    ...     def open(self, epoch, seed):
    ...         for k in range(4):
    ...             x = np.linspace(k, k + 1, 50).reshape(-1, 1)
    ...             yield fm.data.Block(lambda dtype, x=x: [(x, x**2, None)])
    >>> net = fm.Sequential(fm.Linear(1, 8), fm.Tanh(), fm.Linear(8, 1), seed=0)
    >>> len(fm.fit(net, Squares(), loss=fm.MSELoss(), epochs=3))
    3
    """

    rows: int | None = None
    bytes: int | None = None
    batch_rows: int | None = None
    keeps_order: bool = False
    window: int | None = None
    read_ahead: bool = True
    has_places: bool = False

    def open(self, epoch: int, seed: int | None) -> Iterator[Block]:
        """Begin an epoch: return its blocks.

        It is called on the thread of the fit; the blocks are then asked for, and read, on the
        reader's thread. With a ``seed``, a source that can read its blocks in any order gives them
        in an order that is determined by ``seed`` and ``epoch``; None is the order of the source.
        """
        raise NotImplementedError

    def check_epochs(self, epochs: int) -> None:
        """Refuse a number of epochs that the source cannot give."""

    def describe(self) -> dict[str, Any]:
        """Describe the source by numbers and text, so that a checkpoint recognises its fit."""
        return {"type": type(self).__qualname__, "rows": self.rows}


def seed_of(seed: int, number: int) -> int:
    """Return the seed of the row order of a window; that of window 0 is ``seed`` itself.

    Number -1 is the order of the blocks.
    """
    return (seed + number * _STRIDE) % _SEEDS


def block_order(blocks: int, epoch: int, seed: int | None) -> list[int]:
    """Return the order of the blocks of an epoch; without a seed, their own."""
    if seed is None:
        return list(range(blocks))
    order: list[int] = _core.permutation(blocks, seed_of(seed, -1), epoch).tolist()
    return order


def checked_window(value: Any) -> int | None:
    """Check the argument ``window`` of the sources."""
    return None if value is None else check.size(value, "window")
