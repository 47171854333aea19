"""The same work for the columns, or for parts of the rows, of a large table on several threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import fastmlp as fm

LARGE = 50_000  # rows, from which on several threads work


def side_by_side(work: Callable[[Any], Any], items: Sequence[Any], rows: int) -> list[Any]:
    """Return what `work` returns for each item; on several threads if there are many rows.

    Arrow and NumPy, which do nearly all of the work, release the interpreter's lock.
    """
    threads = fm.get_num_threads()
    if threads == 1 or rows < LARGE:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))
