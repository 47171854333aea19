"""Reads a source: checks its blocks, and joins them to windows of a fixed number of rows."""

from __future__ import annotations

import queue
import threading
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastmlp.base import sparse
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, OutOfMemoryError
from fastmlp.data.source import Block, Rows, Source
from fastmlp.training.data import Data
from fastmlp.training.joining import Buffer, compact

if TYPE_CHECKING:
    from fastmlp.training.protocol import TrainerLike


class Window(NamedTuple):
    """Rows of a source in its order, their number in it, and what was read for them."""

    number: int
    data: Data
    buffer: Buffer
    bytes: int
    mark: int  # a checksum of its first and its last row


class Reading:
    """One pass over a source. It runs on the reader's thread.

    ``size`` is the number of rows of a window. ``number`` counts the blocks, and ``first`` is a row
    of the first piece; all others must be like it.
    """

    def __init__(
        self, trainer: TrainerLike, source: Source, blocks: Iterator[Block], epoch: int, size: int,
        finite: bool, members: int,
    ) -> None:  # fmt: skip
        self.trainer, self.source, self.blocks = trainer, source, blocks
        self.epoch, self.size, self.finite, self.members = epoch, size, finite, members
        self.rows = self.bytes = self.number = 0
        self.stopped = threading.Event()
        self.free: queue.SimpleQueue[Buffer] = queue.SimpleQueue()
        self.first: Data | None = None

    def windows(self, skip: int) -> Iterator[Window]:
        """Yield the windows, without the first ``skip`` ones."""
        number, filled, read = skip, 0, 0
        buffer: Buffer | None = None
        for piece in self.pieces(skip * self.size):
            at = 0
            while at < piece.rows:
                count = min(self.size - filled, piece.rows - at)
                buffer = buffer or self._buffer(piece)
                self._put(buffer, filled, piece.rows_at(slice(at, at + count)))
                filled, at = filled + count, at + count
                if filled == self.size:
                    yield self._window(number, buffer, filled, self.bytes - read)
                    number, filled, read, buffer = number + 1, 0, self.bytes, None
        if buffer is not None:
            yield self._window(number, buffer, filled, self.bytes - read)

    def _window(self, number: int, buffer: Buffer, rows: int, read: int) -> Window:
        data = buffer.head(rows)
        return Window(number, data, buffer, read, checksum(data))

    def _buffer(self, like: Data) -> Buffer:
        """Return memory that has been used before, if there is some."""
        if self.first is None:
            self.first = compact(like.first(1))
        try:
            found = self.free.get_nowait()
        except queue.Empty:
            rows = self.size if self.source.rows is None else min(self.size, self.source.rows)
            return Buffer(self.first, rows)
        found.clear()
        return found

    def _put(self, buffer: Buffer, at: int, rows: Data) -> None:
        try:
            buffer.put(at, rows)
        except ArgumentError as error:
            raise ArgumentError(f"block {self.number} of epoch {self.epoch + 1}, {error}") from None

    def pieces(self, skip: int) -> Iterator[Data]:
        """Yield checked rows, without the first ``skip`` ones, which are not read if possible."""
        try:
            yield from self._pieces(skip)
        finally:
            close = getattr(self.blocks, "close", None)
            if close is not None:
                close()

    def _pieces(self, skip: int) -> Iterator[Data]:
        for block in self.blocks:
            if self.stopped.is_set():
                return
            self.number += 1
            if block.rows is not None and block.rows <= skip:
                skip -= block.rows
                self._count(block.rows)
                continue
            start = block.start
            for rows in self._read(block):
                if self.stopped.is_set():
                    return
                data = self._checked(rows, start)
                if data is None:
                    continue
                self._count(data.rows)
                self.bytes += sum(map(_bytes, rows))
                start = None if start is None else start + data.rows
                dropped = min(skip, data.rows)
                skip -= dropped
                if dropped < data.rows:
                    yield data.rows_at(slice(dropped, data.rows))
        self._check_end()

    def _read(self, block: Block) -> Iterator[Rows]:
        try:
            yield from block.read(self.trainer.net.dtype)
        except (ArgumentError, ArgumentTypeError) as error:
            raise type(error)(self._placed(error, None)) from error.__cause__

    def _checked(self, rows: Rows, start: int | None) -> Data | None:
        """Check and convert a piece; None if it has no rows."""
        x, y, weights = rows
        if _is_empty(x):
            return None
        try:
            return self.trainer.checked_rows(x, y, weights, self.finite, self.members)
        except (ArgumentError, ArgumentTypeError, OutOfMemoryError) as error:
            raise type(error)(self._placed(error, start)) from None

    def _placed(self, error: Exception, start: int | None) -> str:
        """Say where in the stream an error is."""
        text = str(error)
        if text.startswith("x: the file"):
            return text
        rows = "" if start is None else f" (from row {start} on)"
        return f"block {self.number} of epoch {self.epoch + 1}{rows}, {text}"

    def _count(self, rows: int) -> None:
        self.rows += rows
        known = self.source.rows
        if known is not None and self.rows > known:
            raise ArgumentError(
                f"x: got at least {self.rows} rows in epoch {self.epoch + 1}; want {known}, the "
                "number of rows of the source"
            )

    def _check_end(self) -> None:
        known = self.source.rows
        if self.rows == 0:
            again = (
                "; a generator can be read once: give a function that returns a new one for each "
                "epoch"
            )
            raise ArgumentError(
                f"x: got no rows in epoch {self.epoch + 1} of the stream; want at least one"
                f"{again if self.epoch else ''}"
            )
        if known is not None and self.rows != known:
            raise ArgumentError(
                f"x: got {self.rows} rows in epoch {self.epoch + 1}; want {known}, the number of "
                "rows of the source"
            )


def checksum(data: Data) -> int:
    """Return a checksum of the first and the last row, by which a window is recognised."""
    found = 0
    for one in data.x:
        ends = one[np.array([0, data.rows - 1])]
        array = ends.value if isinstance(ends, sparse.SparseRows) else ends
        found = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data, found)
    return found


def _is_empty(x: Any) -> bool:
    """Whether rows are none; what has no length is for the validation to refuse."""
    first = next(iter(x.values()), None) if isinstance(x, Mapping) else x
    shape = getattr(first, "shape", None)
    if shape is None:
        return isinstance(first, (list, tuple)) and len(first) == 0
    return len(shape) > 1 and shape[0] == 0


def _bytes(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(map(_bytes, value.values()))
    size = getattr(value, "nbytes", 0)
    return size if isinstance(size, int) else 0
