"""Streams of batches or blocks: iterables, functions that return them, PyTorch's data loaders."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import GeneratorType
from typing import Any

import numpy as np

from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.data.source import Block, Rows, Source, checked_window

_WANTED = "(x, y) or (x, y, sample_weight)"


class IterableSource(Source):
    """Blocks of an iterable; see `iterable`."""

    def __init__(
        self,
        blocks: Any,
        rows: int | None = None,
        *,
        window: int | None = None,
        read_ahead: bool = True,
    ) -> None:
        if not hasattr(blocks, "__iter__") and not callable(blocks):
            raise ArgumentTypeError(
                f"blocks: got {check.shown(blocks)}; want an iterable that gives {_WANTED}, or a "
                "function that returns one"
            )
        self._blocks = blocks
        self.rows = None if rows is None else check.size(rows, "rows")
        self.window = checked_window(window)
        self.read_ahead = check.flag(read_ahead, "read_ahead")

    def open(self, epoch: int, seed: int | None) -> Iterator[Block]:
        found = self._blocks if hasattr(self._blocks, "__iter__") else self._blocks()
        try:
            # Here, so that worker processes of a data loader do not begin on the reader's thread.
            items = iter(found)
        except TypeError:
            raise ArgumentTypeError(
                f"x: got {check.shown(found)} from {check.shown(self._blocks)}; want an iterable "
                f"that gives {_WANTED}"
            ) from None
        return _blocks_of(items)

    def check_epochs(self, epochs: int) -> None:
        if epochs > 1 and isinstance(self._blocks, GeneratorType):
            raise ArgumentError(
                f"x: got a generator, which can be read once, for {epochs} epochs; want a function "
                "that returns a new one for each epoch, or epochs=1"
            )


class LoaderSource(IterableSource):
    """A PyTorch ``DataLoader``: its batches are the steps, in its order."""

    keeps_order = True

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        self.batch_rows = loader.batch_size
        try:
            rows = len(loader.sampler)
        except TypeError:  # an IterableDataset
            return
        if loader.batch_size is None:  # a batch sampler of the user
            return
        self.rows = rows // loader.batch_size * loader.batch_size if loader.drop_last else rows


def is_loader(value: Any) -> bool:
    """Whether this is a PyTorch ``DataLoader``; does not import PyTorch."""
    module = sys.modules.get("torch.utils.data")
    return module is not None and isinstance(value, module.DataLoader)


def iterable(
    blocks: Any,
    rows: int | None = None,
    *,
    window: int | None = None,
    read_ahead: bool = True,
) -> IterableSource:
    """Read rows from an iterable, or a function that returns one for each epoch.

    ``fm.fit(net, blocks, loss=...)`` does so by itself; this function is for the arguments below.

    Parameters
    ----------
    blocks : iterable or callable
        Gives ``(x, y)`` or ``(x, y, sample_weight)``, each as ``fit`` takes them, with any number
        of rows. ``fit`` cuts its batches from them, across the borders of blocks. Arrays are
        copied, so a block may be written over when the next one is asked for.
    rows : int, optional
        Number of rows of an epoch, which schedules that change from step to step need, and
        progress shows. Another number during a fit is an error.
    window : int, optional
        Rows that are shuffled together; by default as many as have 64 MiB.
    read_ahead : bool, default True
        Whether a thread of its own asks for the blocks while the network trains.

    Returns
    -------
    IterableSource

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument has a wrong type or value.

    Examples
    --------
    >>> import numpy as np
    >>> import fastmlp as fm
    >>> def blocks():
    ...     rng = np.random.default_rng(0)
    ...     for _ in range(10):
    ...         x = rng.standard_normal((300, 4))
    ...         yield x, x.sum(axis=1)
    >>> net = fm.Sequential(fm.Linear(4, 1), seed=0)
    >>> source = fm.data.iterable(blocks, rows=3000)
    >>> history = fm.fit(net, source, loss=fm.MSELoss(), epochs=3, schedule=fm.OneCycleLR(0.1))
    >>> history.loss[-1] < 0.1
    True
    """
    return IterableSource(blocks, rows, window=window, read_ahead=read_ahead)


def _blocks_of(items: Iterator[Any]) -> Iterator[Block]:
    try:
        for item in items:
            yield Block(_Read(item))
    finally:
        if hasattr(items, "close"):
            items.close()


class _Read:
    """Gives one item of an iterable as rows."""

    def __init__(self, item: Any) -> None:
        self._item = item

    def __call__(self, dtype: np.dtype[Any]) -> list[Rows]:
        item = self._item
        if not isinstance(item, (tuple, list)) or len(item) not in (2, 3):
            what = f"{type(item).__name__} of {len(item)}" if hasattr(item, "__len__") else ""
            raise ArgumentTypeError(f"x: got {what or check.shown(item)}; want {_WANTED}")
        x, y, *weights = item
        return [(x, y, weights[0] if weights else None)]
