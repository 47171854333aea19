"""How many threads the core may use."""

from __future__ import annotations

from _thread import _local  # threading takes 0.7 ms to import
from types import TracebackType

from fastmlp import _core
from fastmlp.base import validation

MAX_THREADS = 1024


class _Blocks(_local):
    depth = 0


# How many ``threads`` blocks this Python thread is in.
blocks = _Blocks()


def get_num_threads() -> int:
    """Return how many threads a call from this thread may use.

    That is the number of the innermost ``fm.threads`` block, or of ``fm.set_num_threads``, or
    ``OMP_NUM_THREADS``, or the number of cores; and never more than the limit that threadpoolctl,
    or another user of OpenMP, has set for this thread.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.get_num_threads() >= 1
    True
    """
    return _core.get_num_threads()


def set_num_threads(n: int) -> None:
    """Set how many threads calls of this process may use; results do not depend on it.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If ``n`` is not an integer from 1 to 1024.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.set_num_threads(fm.get_num_threads())
    """
    _core.set_num_threads(validation.integer(n, "n", 1, MAX_THREADS))


class threads:
    """Context manager: calls that this Python thread makes in its block use ``n`` threads.

    They use fewer where fewer are faster, such as for small networks or while other programs take
    the processors. Results have the same bits in any case. Blocks can be nested. One object can be
    entered several times and by several Python threads.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If ``n`` is not an integer from 1 to 1024.

    Examples
    --------
    >>> import fastmlp as fm
    >>> with fm.threads(1):
    ...     fm.get_num_threads()
    1
    """

    def __init__(self, n: int) -> None:
        self.n = validation.integer(n, "n", 1, MAX_THREADS)
        import threading  # takes a tenth of what importing fastmlp takes

        self._local = threading.local()

    def __enter__(self) -> threads:
        previous = self._local.__dict__.setdefault("previous", [])
        # Both before the number changes, because they may run out of memory.
        previous.append(0)
        blocks.depth += 1
        previous[-1] = _core.scoped_threads(self.n)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _core.scoped_threads(self._local.previous.pop())
        blocks.depth -= 1
