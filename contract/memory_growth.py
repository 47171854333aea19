"""By how much the heap grows when the same request of a call fails again and again.

One lost block at one such point shows, which an average over all points would hide.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from contract.memory_attempts import Level, Subject
from contract.memory_calls import heap_reader
from contract.memory_cases import cases

WARM_UP, CALLS, WINDOWS = 8, 16, 3
LEAST_BLOCK = 64  # bytes: the core takes no less
# What each thread keeps of freed blocks is in use for the heap's count, by up to 120 bytes a call.
ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}


def measurable() -> bool:
    """Whether the C library tells what is in use."""
    return heap_reader()() > 0


def of(
    subject: Subject, level: Level, nth: int, beside: Callable[[], object] | None = None
) -> float:
    """Bytes in use that a call leaves whose ``nth`` request fails; ``beside`` it something else.

    It is the median of some windows: a table of Python's grows seldom, but then by kilobytes.
    """
    heap, held = heap_reader(), []

    def repeat(count: int) -> None:
        for _ in range(count):
            subject.fail(level, nth)
            if beside:
                beside()

    repeat(WARM_UP)
    for _ in range(WINDOWS + 1):
        gc.collect()
        held.append(heap())
        repeat(CALLS)
    return statistics.median(after - before for before, after in itertools.pairwise(held)) / CALLS


def trial(level: Level) -> float:
    """The same with the least block lost beside each call, which the measure has to see."""
    library = ctypes.CDLL(None)
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject(cases()[0], Path(folder))
        return of(subject, level, 1, lambda: library.malloc(LEAST_BLOCK))
