"""Files under a source: noticed if they change or become shorter while a fit reads them."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array


class Stamp(NamedTuple):
    """What changes with a file."""

    size: int
    modified: int | None


def changed(path: str, known: Stamp, found: Stamp | None) -> ArgumentError:
    """Return the error for a file that is no longer what it was."""
    if found is None:
        what = "is gone"
    elif found.size != known.size:
        what = f"has {found.size} bytes, and had {known.size}"
    else:
        what = "has been written to"
    return ArgumentError(
        f"x: the file {path} {what} since the source was opened; want files that stay as they are "
        "during a fit"
    )


class MappedArray:
    """A memory-mapped array and its file.

    Reading a part of the map that the file no longer has would end the process, so the size of the
    file is looked at before each block. Pages that have been read are given back: otherwise they
    would count as memory of this process until the system needs it.
    """

    def __init__(self, array: np.memmap[Any, Any]) -> None:
        self._path = None if array.filename is None else os.fspath(array.filename)
        self._map: Any = array._mmap  # type: ignore[attr-defined]
        # A map that may be written to can change its file's time long after the write.
        self._is_read_only = array.mode == "r"
        self._known = self._stamp()
        start = np.frombuffer(self._map, np.uint8).ctypes.data
        self._begin = array.ctypes.data - start
        self._row = array.strides[0] if array.ndim and array.flags.c_contiguous else 0
        # Pages of a private copy would lose what was written to them.
        self._gives_back = array.mode != "c" and hasattr(mmap, "MADV_DONTNEED")

    def _stamp(self) -> tuple[int, Stamp] | None:
        """Return number and stamp of the file; None if there is none any more."""
        try:
            found = os.stat(self._path) if self._path is not None else None
        except OSError:
            return None
        if found is None:
            return None
        modified = found.st_mtime_ns if self._is_read_only else None
        return found.st_ino, Stamp(found.st_size, modified)

    def check(self) -> None:
        """Raise if the file has changed. A file that was replaced or removed stays mapped."""
        found, known = self._stamp(), self._known
        if found is None or known is None or found[0] != known[0]:
            return
        if found[1] != known[1]:
            raise changed(str(self._path), known[1], found[1])

    def give_back(self, begin: int, end: int) -> None:
        """Give back the memory of some rows."""
        if not (self._gives_back and self._row):
            return
        first = self._begin + begin * self._row
        start = first - first % mmap.PAGESIZE
        self._map.madvise(mmap.MADV_DONTNEED, start, self._begin + end * self._row - start)


def mapped(arrays: Sequence[Any]) -> list[MappedArray]:
    """Return those of the arrays that are memory maps."""
    return [
        MappedArray(one) for one in arrays if isinstance(one, np.memmap) and hasattr(one, "_mmap")
    ]


def sample_rows(array: Array, most: int) -> Array:
    """Return copies of at most so many rows, evenly spread, by which data is recognised."""
    rows = len(array)
    places = np.unique(np.linspace(0, rows - 1, min(rows, most)).astype(np.int64))
    return np.stack([np.array(array[place]) for place in places])
