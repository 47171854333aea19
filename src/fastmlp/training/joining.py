"""Rows of a stream copied one behind another, into memory that is used again and again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastmlp.base import sparse
from fastmlp.base.errors import ArgumentError
from fastmlp.losses.named_rows import NamedRows
from fastmlp.training.data import Data


class Buffer:
    """Room for some rows of checked data, as the first ones are: of each array, and of weights."""

    def __init__(self, like: Data, rows: int) -> None:
        self._members = like.members
        self._counts = len(like.x), len(like.target)
        self._rooms = [_room(one, rows) for one in like.arrays()]

    def clear(self) -> None:
        """Forget the rows of the last use."""
        for room in self._rooms:
            if isinstance(room, list):
                room.clear()

    def put(self, at: int, rows: Data) -> None:
        """Copy some rows to a position, after those put before."""
        arrays = rows.arrays()
        if len(arrays) != len(self._rooms):
            has, had = ("weights", "none") if rows.weights is not None else ("no weights", "some")
            raise ArgumentError(
                f"sample_weight: got {has}, after blocks with {had}; want the same in every block"
            )
        names = ["x"] * self._counts[0] + ["y"] * self._counts[1] + ["sample_weight"]
        for name, room, one in zip(names, self._rooms, arrays, strict=False):
            _put(room, at, one, name)

    def head(self, rows: int) -> Data:
        """Return the first rows; a view, except of sparse rows."""
        found = [_head(room, rows) for room in self._rooms]
        x, targets = self._counts
        weights = found[x + targets] if len(found) > x + targets else None
        return Data(found[:x], found[x : x + targets], weights, members=self._members)


def _room(one: Any, rows: int) -> Any:
    if isinstance(one, NamedRows):
        return NamedRows({name: _room(array, rows) for name, array in one.arrays.items()})
    if isinstance(one, sparse.SparseRows):
        return []
    return np.empty((rows, *one.shape[1:]), one.dtype)


def _put(room: Any, at: int, one: Any, name: str) -> None:
    if isinstance(room, list):
        if not isinstance(one, sparse.SparseRows):
            raise ArgumentError(f"{name}: got a dense block after sparse ones; want one kind")
        room.append(one[:])  # an index makes a copy
        return
    if isinstance(room, NamedRows):
        if not isinstance(one, NamedRows) or one.arrays.keys() != room.arrays.keys():
            raise ArgumentError(f"{name}: got other names than in the first block; want the same")
        for key, array in one.arrays.items():
            _put(room.arrays[key], at, array, f"{name}[{key!r}]")
        return
    if isinstance(one, (NamedRows, sparse.SparseRows)) or (one.dtype, one.shape[1:]) != (
        room.dtype, room.shape[1:]
    ):  # fmt: skip
        found = f"{one.dtype}, rows of shape {one.shape[1:]}" if hasattr(one, "shape") else "others"
        raise ArgumentError(
            f"{name}: got {found}; want {room.dtype}, rows of shape {room.shape[1:]}, as in the "
            "first block"
        )
    room[at : at + len(one)] = one


def _head(room: Any, rows: int) -> Any:
    if isinstance(room, list):
        return joined(room)
    if isinstance(room, NamedRows):
        return NamedRows({name: _head(array, rows) for name, array in room.arrays.items()})
    return room[:rows]


def joined(parts: Sequence[Any]) -> Any:
    """Return arrays, or rows of another kind, one behind another in one."""
    first = parts[0]
    if isinstance(first, NamedRows):
        names = first.arrays
        return NamedRows({name: joined([one.arrays[name] for one in parts]) for name in names})
    if not isinstance(first, sparse.SparseRows):
        return np.concatenate(parts)
    ends = np.cumsum([0, *(int(one.start[-1] - one.start[0]) for one in parts)])
    starts = [one.start[:-1] - one.start[0] + end for one, end in zip(parts, ends, strict=False)]
    columns = np.concatenate([one.column[one.start[0] : one.start[-1]] for one in parts])
    values = np.concatenate([one.value[one.start[0] : one.start[-1]] for one in parts])
    return sparse.SparseRows(np.concatenate([*starts, ends[-1:]]), columns, values, first.width)


def compact(data: Data) -> Data:
    """Return a copy of the rows that count, in their order, and of no others."""
    places = np.arange(data.rows) if data.chosen is None else data.chosen.ravel()
    weights = None if data.weights is None else data.weights[places]
    several = data.chosen is not None and data.chosen.ndim == 2
    chosen = np.arange(len(places)).reshape(data.rows, -1) if several else None
    x, targets = [one[places] for one in data.x], [one[places] for one in data.target]
    return Data(x, targets, weights, chosen, data.members)


def after(first: Data, second: Data) -> Data:
    """Return the rows of two results of `compact`, one behind another."""
    chosen = None
    if first.chosen is not None and second.chosen is not None:
        chosen = np.concatenate([first.chosen, second.chosen + len(first.x[0])])
    weights = None
    if first.weights is not None and second.weights is not None:
        weights = np.concatenate([first.weights, second.weights])
    x, targets = (
        [joined(pair) for pair in zip(a, b, strict=True)]
        for a, b in ((first.x, second.x), (first.target, second.target))
    )
    return Data(x, targets, weights, chosen, first.members)


def in_batches(
    windows: Iterator[Data], batch: int, keeps_last: bool, begun: bool
) -> Iterator[list[Data]]:
    """Cut the rows of windows into parts of whole batches; yield those that end in each window.

    A batch goes on over the border of two windows. The last part of all has the remaining rows:
    ``keeps_last`` or not, if there is no other batch. ``begun``: others were before.
    """
    carried: Data | None = None
    for window in windows:
        parts, at = [], 0
        if carried is not None:
            at = min(batch - carried.rows, window.rows)
            carried = after(carried, compact(window.rows_at(slice(0, at))))
            if carried.rows == batch:
                parts.append(carried)
                carried = None
        end = at + (window.rows - at) // batch * batch
        if end > at:
            parts.append(window.rows_at(slice(at, end)))
        if end < window.rows:
            # A copy: the memory of the window is used again.
            carried = compact(window.rows_at(slice(end, window.rows)))
        begun = begun or bool(parts)
        yield parts
    if carried is not None and (keeps_last or not begun):
        yield [carried]
