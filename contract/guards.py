"""Arrays that begin or end at memory that must not be touched."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

from contract.figures import Unavailable

NO_ACCESS, READ_AND_WRITE = 0, 3


class Guards:
    """A context whose arrays lie between inaccessible pages; touching one ends the process."""

    def __init__(self) -> None:
        self._maps: list[mmap.mmap] = []
        try:
            self._mprotect = ctypes.CDLL(None, use_errno=True).mprotect
        except (AttributeError, TypeError) as error:
            raise Unavailable("this system has no mprotect") from error

    def __enter__(self) -> Guards:
        return self

    def __exit__(self, *_: object) -> None:
        """Makes the pages ordinary ones, which are freed with the last array that uses them."""
        for whole in self._maps:
            self._protect(whole, 0, len(whole), READ_AND_WRITE)
        self._maps.clear()

    def place(self, values: np.ndarray, at_end: bool) -> np.ndarray:
        """A copy of ``values`` that ends at the second guard, or begins at the first one."""
        page = mmap.PAGESIZE
        room = -(-max(values.nbytes, 1) // page) * page
        whole = mmap.mmap(-1, room + 2 * page)
        start = page + (room - values.nbytes if at_end else 0)
        array = np.frombuffer(whole, values.dtype, values.size, start).reshape(values.shape)
        array[...] = values
        self._maps.append(whole)
        for at in (0, page + room):
            self._protect(whole, at, page, NO_ACCESS)
        return array

    def _protect(self, whole: mmap.mmap, at: int, length: int, access: int) -> None:
        begin = ctypes.addressof(ctypes.c_char.from_buffer(whole)) + at
        if self._mprotect(ctypes.c_void_p(begin), ctypes.c_size_t(length), access) != 0:
            raise OSError(ctypes.get_errno(), "mprotect")
