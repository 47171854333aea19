"""Independent tasks that share the threads: one each while many wait, more each for the last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from fastmlp import _core
from fastmlp.base.threads import blocks, get_num_threads, threads

# The pool whose task this Python thread runs, and the place of its worker.
_present = threading.local()


class _Pool:
    """Hands out the tasks, and tells each worker how many threads it may use now."""

    def __init__(
        self, tasks: Sequence[Callable[[], Any]], n_threads: int, done: Callable[[int], None]
    ) -> None:
        self._tasks, self._total, self._done = tasks, n_threads, done
        self.results: list[Any] = [None] * len(tasks)
        self.workers = max(1, min(n_threads, len(tasks)))
        self._lock = threading.Lock()
        self._next = 0
        self._running: list[int] = []
        self.stopped = False

    def work(self, worker: int) -> None:
        """Run tasks until none is left."""
        outer = getattr(_present, "task", None)
        try:
            while (taken := self._take(worker)) is not None:
                self._run(*taken, worker)
        finally:
            _present.task = outer

    def _take(self, worker: int) -> tuple[int, int] | None:
        with self._lock:
            number = self._next
            if self.stopped or number == len(self._tasks):
                if worker in self._running:
                    self._running.remove(worker)
                return None
            self._next += 1
            if worker not in self._running:
                self._running.append(worker)
            return number, self._share(worker)

    def _run(self, number: int, share: int, worker: int) -> None:
        with threads(share):
            _present.task = _Task(self, worker, share)
            try:
                self.results[number] = self._tasks[number]()
            except BaseException as error:
                self.results[number] = error
                if not isinstance(error, Exception):  # Ctrl-C, SystemExit: they end all tasks
                    self.stopped = True
                    raise
        self._done(number)

    def share(self, worker: int) -> int:
        """Return how many threads this worker's task may use now."""
        with self._lock:
            return self._share(worker)

    def _share(self, worker: int) -> int:
        left = len(self._tasks) - self._next
        active = min(len(self._running) + left, self.workers)
        more = self._running.index(worker) < self._total % active
        return max(1, self._total // active + more)


class _Task:
    """A running task: its thread may use `threads` threads, as far as its pool has told it."""

    def __init__(self, pool: _Pool, worker: int, share: int) -> None:
        self._pool, self._worker, self._threads = pool, worker, share
        self._depth = blocks.depth

    def renew(self) -> None:
        """Take the present share; end the task if its pool is stopped."""
        if self._pool.stopped:
            raise KeyboardInterrupt
        share = self._pool.share(self._worker)
        # In a ``threads`` block of the task's own, that block decides.
        if share != self._threads and blocks.depth == self._depth:
            _core.scoped_threads(share)
            self._threads = share


def renew_share() -> None:
    """Take as many threads as the task of this Python thread may use now: between epochs."""
    task = getattr(_present, "task", None)
    if task is not None:
        task.renew()


def run_side_by_side(
    tasks: Sequence[Callable[[], Any]], n_threads: int | None = None,
    done: Callable[[int], None] = lambda number: None,
) -> list[Any]:  # fmt: skip
    """Run independent tasks on some Python threads; return their results in order.

    Parameters
    ----------
    tasks : sequence of callables
        Called without arguments, in order. While more tasks wait than there are threads, each
        runs with `fm.get_num_threads()` = 1; the last ones share the threads that become free.
        A fit takes up a larger share at its next epoch.
    n_threads : int, optional
        Threads in all; those of the calling thread by default. With 1, the tasks run in it, one
        after another. So tasks within tasks take no more threads than the outer ones may use.
    done : callable
        Called with the number of each task that ends, in the thread that ran it.

    Returns
    -------
    list
        The result of each task, or the exception that it raised: a failing task does not end the
        others.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C. Fits that run end after their present epoch. The attribute ``results`` is the
        list so far: tasks that were ended have an exception, tasks that never began None.

    Examples
    --------
    >>> run_side_by_side([lambda: 1, lambda: 1 // 0, lambda: 3], n_threads=2)
    [1, ZeroDivisionError('integer division or modulo by zero'), 3]
    """
    pool = _Pool(tasks, get_num_threads() if n_threads is None else n_threads, done)
    try:
        if pool.workers == 1:
            pool.work(0)
        else:
            _in_threads(pool)
    except KeyboardInterrupt as error:
        error.results = pool.results  # type: ignore[attr-defined]
        raise
    return pool.results


def _in_threads(pool: _Pool) -> None:
    """Let each worker of the pool work; whatever ends the wait for them ends all tasks."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(pool.workers, thread_name_prefix="fastmlp-task") as executor:
        futures = [executor.submit(pool.work, worker) for worker in range(pool.workers)]
        try:
            for future in futures:
                future.result()
        finally:
            pool.stopped = True
