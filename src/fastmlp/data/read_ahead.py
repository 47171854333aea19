"""A thread that reads ahead."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Seconds for which `close` waits for a reader that is in the middle of a block.
PATIENCE = 2.0
_END = object()


class ReadAhead(Generic[T]):
    """The items of an iterator, which a thread of its own asks for ahead of time.

    Parameters
    ----------
    items : iterator
        An exception that it raises is raised here, in its turn. It is closed on the thread if it
        has ``close``.
    depth : int
        How many items may wait; 0: there is no thread, and each is asked for when it is needed.
    stop : callable
        Called by `close`: it must make the iterator end soon.
    """

    def __init__(self, items: Iterator[T], depth: int, stop: Callable[[], None]) -> None:
        self._items, self._stop = items, stop
        self._is_started = self._is_stopped = False
        self._thread: threading.Thread | None = None
        self._waiting: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(max(depth, 1))
        if depth:
            context = contextvars.copy_context()  # np.errstate is in it
            self._thread = threading.Thread(
                target=context.run, args=(self._read,), name="fastmlp-reader", daemon=True
            )

    def _read(self) -> None:
        last: tuple[Any, BaseException | None] = (_END, None)
        try:
            try:
                for item in self._items:
                    if self._is_stopped:
                        break
                    self._waiting.put((item, None))
            finally:
                self._close_items()
        except BaseException as error:  # also KeyboardInterrupt, which belongs to the fit
            last = _END, error
        self._waiting.put(last)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._thread is None:
            return next(self._items)
        if not self._is_started:
            # Here, where the caller will close: Ctrl-C may come while the thread starts.
            self._is_started = True
            self._thread.start()
        item, error = self._waiting.get()
        if item is not _END:
            found: T = item
            return found
        self._waiting.put((_END, None))  # for the next call, should there be one
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """End the thread, and close the iterator."""
        self._is_stopped = True
        self._stop()
        thread = self._thread
        if thread is None or not self._is_started:
            self._close_items()
            return
        end = time.monotonic() + PATIENCE
        while thread.is_alive() and time.monotonic() < end:
            self._drop_waiting()
            thread.join(0.01)
        self._drop_waiting()
        if thread.is_alive():
            warnings.warn(
                "the thread that reads the stream is still waiting for its next block; it ends "
                "when it gets it",
                RuntimeWarning,
                stacklevel=2,
            )

    def _drop_waiting(self) -> None:
        while not self._waiting.empty():
            self._waiting.get()

    def _close_items(self) -> None:
        close = getattr(self._items, "close", None)
        if close is not None:
            close()
