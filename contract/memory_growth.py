"""The growth of the heap if the same request of a call fails repeatedly.

A block lost at one request shows here; an average over all requests would hide it.
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
LEAST_BLOCK = 64  # bytes: the smallest block of the core
# The heap counts the freed blocks that a thread caches as used, up to 120 bytes for each call.
ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}


def measurable() -> bool:
    """Whether the C library reports its used memory."""
    return heap_reader()() > 0


def of(
    subject: Subject, level: Level, nth: int, beside: Callable[[], object] | None = None
) -> float:
    """Bytes that remain used after a call whose ``nth`` request fails; ``beside`` runs with it.

    The median of some windows, because a table of Python rarely grows, but then by kilobytes.
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
    """The same with the smallest block lost in each call, which the measurement must detect."""
    library = ctypes.CDLL(None)
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject(cases()[0], Path(folder))
        return of(subject, level, 1, lambda: library.malloc(LEAST_BLOCK))
