"""The benchmark with pytest-benchmark: one group for each cell, with every contestant in it.

Run with ``pytest bench --benchmark-only``. Contestants run in separate processes, as in
`bench.report`; their measured times advance the clock that pytest-benchmark reads.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

# `bench` is not installed; its modules are imported from the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.cells import Cell
from bench.clock import CLOCK
from bench.contestants import CONTESTANTS
from bench.measure import PAUSE_SECONDS, QUICK, Entry, check, threads_tried
from bench.pool import Pool, WorkerUnsupported
from bench.problems import Problem

ROUNDS = 5


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    return val.name if isinstance(val, Cell) else None


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    with Pool() as workers:
        yield workers


@pytest.fixture
def race(pool: Pool, benchmark):
    """Check a contestant in a cell, then time it with its better number of threads."""

    def run(cell: Cell, name: str) -> None:
        row = CONTESTANTS[name]
        if why := row.missing():
            pytest.skip(f"{name}: {why}")
        problem = Problem(cell)
        expected = problem.expected()
        entries = []
        for threads in threads_tried(name, cell):
            entry = Entry(pool.worker(name, threads), problem)
            try:
                entry.worker.ask("setup", entry.slot, problem)
            except WorkerUnsupported as error:
                pytest.skip(f"{name}: {error}")
            check(entry.worker, problem, expected, precision=row.precision)
            entry.calibrate(QUICK)
            entry.run_block()
            entries.append(entry)
        best = min(entries, key=lambda entry: entry.median)
        benchmark.group = cell.name
        benchmark.extra_info.update(threads=best.worker.threads, flops=cell.flops)
        benchmark.pedantic(lambda: _block(best), rounds=ROUNDS)
        for entry in entries:
            entry.worker.ask("drop", entry.slot)

    return run


def _block(entry: Entry) -> None:
    time.sleep(PAUSE_SECONDS)
    CLOCK.advance(entry.worker.ask("seconds", entry.slot, entry.calls))
