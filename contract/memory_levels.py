"""The levels at which requests for memory can fail: the core, Python's objects, malloc."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from fastmlp import _core


class Core:
    """Requests of the C core: the chosen one and all after it fail."""

    is_certain = True

    def __init__(self) -> None:
        self._left = 0

    @contextmanager
    def failing(self, nth: int) -> Iterator[None]:
        """Make the ``nth`` request in a block fail."""
        _core.fail_allocation(nth)
        try:
            yield
        finally:
            self._left = _core.fail_allocation(0)

    def happened(self) -> bool:
        """Whether the last block made that request."""
        return self._left < 0


class Objects:
    """Requests of CPython for objects and their contents: only the chosen one fails."""

    is_certain = False

    def __init__(self) -> None:
        import _testcapi

        self._arm, self._disarm = _testcapi.set_nomemory, _testcapi.remove_mem_hooks

    @contextmanager
    def failing(self, nth: int) -> Iterator[None]:
        """Make the ``nth`` request in a block fail."""
        self._arm(nth, nth + 1)
        try:
            yield
        finally:
            self._disarm()

    def happened(self) -> bool:
        """Unknown: CPython does not report it, so this returns True."""
        return True


class Malloc:
    """All requests to the C library in the calling thread: only the chosen one fails.

    For processes that were started with `memory_malloc.c` in LD_PRELOAD.
    """

    is_certain = True

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._fail = library.contract_fail_malloc
        self._fail.argtypes, self._fail.restype = [ctypes.c_long], ctypes.c_long
        self._left = 0

    @contextmanager
    def failing(self, nth: int) -> Iterator[None]:
        """Make the ``nth`` request in a block fail."""
        self._fail(nth)
        try:
            yield
        finally:
            try:
                self._left = self._fail(0)
            except (MemoryError, ctypes.ArgumentError):  # the request of this call itself failed
                self._left = self._fail(0)

    def happened(self) -> bool:
        """Whether the last block made that request."""
        return self._left < 0
