"""The rows of a fit that come from a source, epoch after epoch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastmlp import _core
from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, FastMLPError
from fastmlp.data.read_ahead import ReadAhead
from fastmlp.data.source import Source, seed_of
from fastmlp.optim.lbfgs import LBFGS
from fastmlp.training.data import Data
from fastmlp.training.feed import BATCH_SIZE, Begun, Feed, Part, dropped
from fastmlp.training.joining import in_batches
from fastmlp.training.members import MemberRows
from fastmlp.training.reading import Reading, Window

if TYPE_CHECKING:
    from fastmlp.training.objective import Evaluation
    from fastmlp.training.protocol import TrainerLike

# Memory of the rows that are shuffled together, and of those handed on together without a shuffle.
_WINDOW_BYTES = 1 << 26
_CHUNK_BYTES = 1 << 22
# Windows, and chunks, that wait while others are trained and read.
_WINDOWS_AHEAD = 1
_CHUNKS_AHEAD = 4
# Of a row beside its inputs: target, weight, place in the order.
_BESIDE = 16


class Options(NamedTuple):
    """How a source is read."""

    batch_size: int | None
    drop_last: bool
    shuffle: bool
    seed: int
    finite: bool
    members: int


class StreamFeed(Feed):
    """Batches of a source, with a reader that works ahead.

    The rows of an epoch come in windows of ``window`` rows. With a shuffle, the blocks are first
    put into another order, if the source can do so and there are more rows than a window has; then
    the rows of each window are. The first window of an epoch has the order that arrays of as many
    rows would have.
    """

    def __init__(self, trainer: TrainerLike, source: Source, options: Options) -> None:
        if isinstance(trainer.optimizer, LBFGS):
            raise ArgumentError(
                "optimizer: got LBFGS, which takes all rows at once, for a stream; want another "
                "one, or arrays"
            )
        self._trainer, self.source, self._options = trainer, source, options
        self._shuffles = options.shuffle and not source.keeps_order
        batch = BATCH_SIZE if source.batch_rows is None else source.batch_rows
        if options.batch_size is not None:
            batch = check.size(options.batch_size, "batch_size")
        self.batch_size = batch if source.rows is None else min(batch, source.rows)
        self.window = self._window_rows()
        self.rows = source.rows
        self.bytes = source.bytes
        self.data = None

    def _window_rows(self) -> int:
        row = row_bytes(self._trainer)
        if self._shuffles:
            return self.source.window or max(1, _WINDOW_BYTES // row)
        return max(1, _CHUNK_BYTES // row // self.batch_size) * self.batch_size

    def check_epochs(self, epochs: int) -> None:
        self.source.check_epochs(epochs)

    def steps(self) -> int | None:
        if self.rows is None:
            return None
        return -(-dropped(self.rows, self.batch_size, self._options.drop_last) // self.batch_size)

    @contextmanager
    def open(self, epoch: int, index: int, begun: Begun | None) -> Iterator[Iterator[Part]]:
        """Give the parts of an epoch; the reader's thread ends with the block."""
        seed = self._options.seed if self._shuffles else None
        rows = self.source.rows
        is_one_window = rows is not None and rows <= self.window
        blocks = self.source.open(epoch, None if is_one_window else seed)
        reading = Reading(
            self._trainer, self.source, blocks, index, self.window, self._options.finite,
            self._options.members,
        )  # fmt: skip
        depth = _WINDOWS_AHEAD if self._shuffles else _CHUNKS_AHEAD
        parts = self._parts(reading, epoch, begun)
        ahead = ReadAhead(parts, depth * self.source.read_ahead, reading.stopped.set)
        try:
            yield self._handed_on(ahead, reading)
        finally:
            ahead.close()

    def _handed_on(
        self, ahead: ReadAhead[tuple[list[Part], Window | None]], reading: Reading
    ) -> Iterator[Part]:
        try:
            for parts, window in ahead:
                yield from parts
                if window is not None:
                    reading.free.put(window.buffer)
        except Exception as error:
            if not isinstance(error, FastMLPError):
                where = f"block {reading.number + 1} of the stream, epoch {reading.epoch + 1}"
                error.add_note(f"raised while the fit waited for {where}")
            raise
        self.rows = reading.rows

    def _parts(
        self, reading: Reading, epoch: int, begun: Begun | None
    ) -> Iterator[tuple[list[Part], Window | None]]:
        """Yield the parts of each window. It runs on the reader's thread."""
        done = 0 if begun is None else begun.steps * self.batch_size
        skip = done // self.window
        current: list[Window] = []
        last: Window | None = None

        def ordered() -> Iterator[Data]:
            for window in reading.windows(skip):
                current.append(window)
                self._check_mark(window, begun)
                data = self._ordered(window, epoch)
                first = max(0, done - window.number * self.window)
                yield data.rows_at(slice(min(first, data.rows), data.rows))

        batches = in_batches(
            ordered(), self.batch_size, not self._options.drop_last, begun=done > 0
        )
        for datas in batches:
            window = current.pop() if current else None
            last = window or last
            assert last is not None
            mark = last.number, last.mark
            parts = [Part(data, mark) for data in datas]
            if parts and window is not None:
                parts[-1] = parts[-1]._replace(bytes=window.bytes)
            yield parts, window

    def _ordered(self, window: Window, epoch: int) -> Data:
        data, members = window.data, self._options.members
        seed = seed_of(self._options.seed, window.number) if self._shuffles else None
        if members > 1:
            order = MemberRows([np.arange(data.rows)] * members, seed).order(epoch, data.rows)
            return data.at(order)
        return data if seed is None else data.at(_core.permutation(data.rows, seed, epoch))

    def _check_mark(self, window: Window, begun: Begun | None) -> None:
        if begun is not None and begun.mark == (window.number, window.mark):
            return
        if begun is not None and begun.mark[0] == window.number:
            raise ArgumentError(
                "x: the stream gives other rows than when the checkpoint was written; want the "
                "same rows in the same order"
            )

    def describe(self) -> dict[str, Any]:
        return {"stream": self.source.describe(), "window": self.window}


class HeldOut:
    """Validation rows of a source, which are read anew after each epoch.

    The scores and the targets of all rows are held in memory, the inputs are not.
    """

    def __init__(self, trainer: TrainerLike, source: Source, finite: bool, members: int) -> None:
        self._trainer, self._source = trainer, source
        self._finite, self._members = finite, members
        self._size = max(1, _CHUNK_BYTES // row_bytes(trainer))
        # How many rows a prediction gets at a time.
        self.rows = self._size if source.rows is None else min(self._size, source.rows)

    def evaluation(self, epoch: int) -> Evaluation:
        """Return losses and scores of the predictions."""
        try:
            with self._windows(epoch) as windows:
                return self._trainer.evaluation_of_parts(windows)
        except (ArgumentError, ArgumentTypeError) as error:
            raise type(error)(f"validation {error}") from error.__cause__

    @contextmanager
    def _windows(self, epoch: int) -> Iterator[Iterator[Data]]:
        """Give the rows, which a thread of its own reads ahead."""
        reading = Reading(
            self._trainer, self._source, self._source.open(0, None), epoch, self._size,
            self._finite, self._members,
        )  # fmt: skip
        depth = _CHUNKS_AHEAD * self._source.read_ahead
        ahead = ReadAhead(reading.windows(0), depth, reading.stopped.set)

        def handed_on() -> Iterator[Data]:
            for window in ahead:
                yield window.data
                reading.free.put(window.buffer)

        try:
            yield handed_on()
        finally:
            ahead.close()

    def check_epochs(self, epochs: int) -> None:
        """Refuse a number of epochs that the source cannot give."""
        self._source.check_epochs(epochs)

    def describe(self) -> dict[str, Any]:
        """Describe the source."""
        return self._source.describe()


def row_bytes(trainer: TrainerLike) -> int:
    """Return the memory of a row, by the widths of the network's inputs."""
    net = trainer.net
    widths: list[int] = net.core_net().widths_in
    size: int = net.dtype.itemsize
    return size * sum(widths) + _BESIDE
