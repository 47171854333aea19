"""Where the rows of a fit come from, epoch after epoch: from arrays, or from a stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastmlp import _core
from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.optim.lbfgs import LBFGS
from fastmlp.training.data import Data
from fastmlp.training.fingerprint import fingerprint
from fastmlp.training.members import MemberRows, Members

if TYPE_CHECKING:
    from fastmlp.training.protocol import TrainerLike

BATCH_SIZE = 128
# Sums over the earlier calls of an epoch, which the core continues.
_TOTALS = 5
# The place of a part in a fit of arrays.
NO_MARK = (0, 0)


class Part(NamedTuple):
    """Rows of an epoch that are trained in one call: whole batches, but for the epoch's last.

    ``mark`` is number and checksum of their window, by which a resumed fit knows the stream again,
    and ``bytes`` what has been read for them.
    """

    data: Data
    mark: tuple[int, int] = NO_MARK
    bytes: int = 0


class Begun:
    """An epoch that has begun: what a checkpoint between its steps needs, beside the network."""

    def __init__(
        self, steps: int = 0, totals: Array | None = None, losses: Array | None = None,
        members: Array | None = None, mark: tuple[int, int] = NO_MARK, bytes: int = 0,
        seconds: float = 0.0,
    ) -> None:  # fmt: skip
        self.steps, self.mark, self.bytes, self.seconds = steps, mark, bytes, seconds
        self.totals: Array = np.zeros(_TOTALS) if totals is None else totals
        self.losses: Array = np.empty((0, 2)) if losses is None else losses
        self.members = members

    @property
    def loss(self) -> float:
        """The mean loss so far: of means, sums and penalties."""
        rows, _, mean, total, penalty = self.totals.tolist()
        return float("nan") if rows == 0.0 else mean + total + penalty


class Feed(ABC):
    """The rows of a fit.

    Attributes
    ----------
    rows : int or None
        Rows of an epoch, including those that ``drop_last`` leaves out; None if not known yet.
    bytes : int or None
        Bytes that are read in an epoch, if that is known.
    batch_size : int
    data : Data or None
        All rows, if they are in memory.
    """

    rows: int | None
    bytes: int | None = None
    batch_size: int
    data: Data | None

    @abstractmethod
    def open(
        self, epoch: int, index: int, begun: Begun | None
    ) -> AbstractContextManager[Iterator[Part]]:
        """Give the parts of an epoch, without the steps of one that has begun.

        ``epoch`` counts the trainer's epochs and determines the order, ``index`` those of the fit.
        """

    @abstractmethod
    def steps(self) -> int | None:
        """Return the number of steps of an epoch; None if it is not known yet."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Describe the rows, so that a checkpoint recognises its fit."""

    def check_epochs(self, epochs: int) -> None:  # noqa: B027  (arrays give any number)
        """Refuse a number of epochs that the rows cannot give."""


def dropped(rows: int, batch: int, drop_last: bool) -> int:
    """Return the rows of an epoch that are trained."""
    return rows // batch * batch if drop_last and rows >= batch else rows


class ArrayFeed(Feed):
    """Rows in memory: each epoch is one part."""

    def __init__(
        self, trainer: TrainerLike, data: Data, batch_size: int | None, drop_last: bool,
        seed: int | None, members: Members | None,
    ) -> None:  # fmt: skip
        """Without a ``seed``, the rows stay in their order."""
        self._is_full = isinstance(trainer.optimizer, LBFGS)
        self._trainer, self._seed, self._members = trainer, seed, members
        self._member_rows = self._rows_of_members(data)
        self.rows = data.rows if self._member_rows is None else self._member_rows.rows
        self.batch_size = self._rows_of_a_step(batch_size, self.rows)
        # With a shuffle, the rows that are left out are others in each epoch.
        self._kept = dropped(self.rows, self.batch_size, drop_last)
        in_order = seed is None and self._member_rows is None
        self.data: Data = data.first(self._kept) if drop_last and in_order else data

    def _rows_of_members(self, data: Data) -> MemberRows | None:
        """Each member takes the rows of its list, or all rows."""
        if self._members is None and data.members == 1:
            return None
        if self._is_full:
            raise ArgumentError("members: LBFGS takes all rows at once; leave it out")
        lists = [] if self._members is None else self._members.train
        if not lists:
            rows = np.arange(data.rows) if data.chosen is None else data.chosen
            lists = [rows] * data.members
        return MemberRows(lists, self._seed)

    def _rows_of_a_step(self, batch_size: int | None, rows: int) -> int:
        if batch_size is None:
            return rows if self._is_full else min(BATCH_SIZE, rows)
        size = min(check.size(batch_size, "batch_size"), rows)
        if self._is_full and size < rows:
            raise ArgumentError(
                f"batch_size: got {size}; LBFGS takes all {rows} rows, leave batch_size out"
            )
        return size

    def steps(self) -> int:
        return -(-self._kept // self.batch_size)

    def open(
        self, epoch: int, index: int, begun: Begun | None
    ) -> AbstractContextManager[Iterator[Part]]:
        data = self._ordered(epoch)
        done = 0 if begun is None else min(begun.steps * self.batch_size, self._kept)
        if done:
            data = data.rows_at(slice(done, self._kept))
        return nullcontext(iter([Part(data)] if data.rows else []))

    def _ordered(self, epoch: int) -> Data:
        """Return the rows of an epoch in their order."""
        if self._member_rows is not None:
            return self.data._replace(chosen=self._member_rows.order(epoch, self._kept))
        if self._seed is None:
            return self.data
        return self.data.at(_core.permutation(self.data.rows, self._seed, epoch)[: self._kept])

    def describe(self) -> dict[str, Any]:
        data = self.data
        weights = [] if data.weights is None else [data.weights]
        return {
            "x": fingerprint(data.x, data.chosen),
            "y": fingerprint(data.target, data.chosen),
            "sample_weight": fingerprint(weights, data.chosen),
            **self._described_members(),
        }

    def _described_members(self) -> dict[str, Any]:
        if self._member_rows is None:
            return {}
        rows = None if self._members is None else self._members.describe()
        return {"members": self.data.members, "member_rows": rows}
