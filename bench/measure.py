"""Measures a cell: each contestant is checked, then timed in interleaved rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.cells import ALL, Cell
from bench.contestants import CONTESTANTS, OURS
from bench.pool import Pool, Worker, WorkerError, WorkerUnsupported, all_threads
from bench.problems import TOLERANCE, Array, Problem, error_of

# Pause between two blocks, for work that the last one may have left to the machine.
PAUSE_SECONDS = 0.02
# After the first round, a number of threads is dropped if the other one is this much faster.
HOPELESS = 1.4


@dataclass(frozen=True)
class Effort:
    """How long to measure: the number of rounds, and the length of a block (at least one call)."""

    rounds: int = 7
    block_seconds: float = 0.04
    # A slow call (a second) is repeated less often.
    total_seconds: float = 2.0

    def rounds_for(self, block: float) -> int:
        return max(3, min(self.rounds, int(self.total_seconds / block)))


QUICK = Effort(rounds=3, block_seconds=0.01, total_seconds=0.3)


class WrongResult(Exception):
    """A contestant's weights or outputs differ from those of the reference."""


@dataclass
class Entry:
    """One participant of the rounds."""

    worker: Worker
    problem: Problem
    slot: int = 0
    calls: int = 1
    times: list[float] = field(default_factory=list)
    failure: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    def calibrate(self, effort: Effort) -> None:
        """Choose the number of calls in a block; the first blocks include one-time work."""
        seconds = self.worker.ask("seconds", self.slot, 1)
        for _ in range(3):
            self.calls = max(1, round(effort.block_seconds / max(seconds, 1e-8)))
            if seconds * self.calls > 4 * effort.block_seconds:
                break
            # A tenth of a block is long enough for this.
            seconds = self.worker.ask("seconds", self.slot, max(1, self.calls // 10))
        self.calls = max(1, round(effort.block_seconds / max(seconds, 1e-8)))

    def run_block(self) -> None:
        self.times.append(self.worker.ask("seconds", self.slot, self.calls))

    def attempt(self, action: Callable[[], None]) -> None:
        """Run an action after the usual pause; a failure affects only this entry."""
        time.sleep(PAUSE_SECONDS)
        try:
            action()
        except WorkerError as error:
            self.failure = str(error)


def check(
    worker: Worker, problem: Problem, expected: Sequence[Array], slot: int = 0, precision: str = ""
) -> float:
    """Compare with the float64 reference; return the error.

    ``precision`` is that of the contestant's products, if it is not the cell's. Each library has
    its own dropout masks. So peers are compared without dropout; then dropout must change their
    results.

    Raises
    ------
    WrongResult
        If the error is beyond the tolerance of the cell's kind and precision.
    """
    start = problem.flat_weights() if problem.cell.kind == "train" else None
    if not problem.dropout or worker.ask("has_reference_masks"):
        error = error_of(worker.ask("result_in", slot), list(expected), start)
    else:
        plain = Problem(problem.cell, dropout=0.0)
        wanted = plain.expected()
        error = error_of(worker.ask("result", plain), wanted, start)
        change = error_of(worker.ask("result_in", slot), wanted, start)
        if not 0.05 < change < 100.0:
            raise WrongResult(f"dropout changed the update by {change:.3g} of its size")
    limit = TOLERANCE[problem.cell.kind, precision or problem.cell.precision]
    if not error <= limit:
        raise WrongResult(f"relative error {error:.3g}, allowed {limit:.0e}")
    return error


def interleave(entries: Sequence[Entry], effort: Effort) -> None:
    """Time the entries in rounds; each round starts with another entry."""
    for entry in entries:
        entry.attempt(partial(entry.calibrate, effort))
    running, done = [entry for entry in entries if not entry.failure], 0
    while running:
        for i in range(len(running)):
            entry = running[(i + done) % len(running)]
            entry.attempt(entry.run_block)
        done += 1
        running = [entry for entry in running if not entry.failure]
        best = {e.worker.name: min(_medians(running, e.worker.name)) for e in running}
        running = [
            entry
            for entry in running
            if done < effort.rounds_for(entry.median * entry.calls)
            and (len(_medians(running, entry.worker.name)) == 1 or _may_win(entry, best))
        ]


def _medians(entries: Iterable[Entry], name: str) -> list[float]:
    return [entry.median for entry in entries if entry.worker.name == name]


def _may_win(entry: Entry, best: dict[str, float]) -> bool:
    return entry.median <= HOPELESS * best[entry.worker.name]


def threads_tried(name: str, cell: Cell) -> list[int]:
    """The numbers of threads to run a contestant with; the better one counts."""
    if cell.threads != ALL:
        return [min(cell.threads, all_threads())]
    return [all_threads()] if CONTESTANTS[name].ours else sorted({1, all_threads()})


def measure_cell(
    pool: Pool, cell: Cell, names: Iterable[str], effort: Effort
) -> dict[str, dict[str, Any]]:
    """Results by contestant.

    ``seconds`` (median), ``threads``, ``rounds`` and ``error``; or the reason why there are none:
    ``missing``, ``unsupported`` or ``failed``.
    """
    problem = Problem(cell)
    expected = problem.expected()
    results: dict[str, dict[str, Any]] = {}
    entries: list[tuple[Entry, float]] = []
    for name in names:
        row = CONTESTANTS[name]
        if not row.runs(cell):
            continue
        if why := row.missing():
            results[name] = {"missing": why}
            continue
        try:
            for threads in threads_tried(name, cell):
                entry = Entry(pool.worker(name, threads), problem)
                entry.worker.ask("setup", entry.slot, problem)
                error = check(entry.worker, problem, expected, precision=row.precision)
                entries.append((entry, error))
        except WorkerUnsupported as error:
            results[name] = {"unsupported": str(error)}
        except (WorkerError, WrongResult) as error:
            results[name] = {"failed": str(error)}
            entries = [pair for pair in entries if pair[0].worker.name != name]
    interleave([entry for entry, _ in entries], effort)
    for entry, error in entries:
        if entry.failure:
            results[entry.worker.name] = {"failed": entry.failure}
            continue
        entry.worker.ask("drop", entry.slot)
        _keep_better(results, entry, error)
    return results


def _lower_quartile(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=4)[0] if len(times) > 1 else times[0]


def _keep_better(results: dict[str, dict[str, Any]], entry: Entry, error: float) -> None:
    known = results.get(entry.worker.name)
    if known and "failed" in known:
        return
    tried = {**(known["tried"] if known else {}), entry.worker.threads: entry.median}
    if known is None or entry.median < known["seconds"]:
        known = {
            "seconds": entry.median,
            "threads": entry.worker.threads,
            "rounds": entry.times,
            "error": error,
        }
    results[entry.worker.name] = {**known, "tried": tried}


def measure_family(pool: Pool, cells: Sequence[Cell], effort: Effort) -> dict[str, dict[str, Any]]:
    """Results of fastmlp by cell, with the cells interleaved.

    ``seconds`` is the lower quartile of the rounds. On a machine that is slow for seconds at a
    time, the medians of two adjacent sizes may fall on different sides; the quartiles rarely do.
    """
    worker = pool.worker(OURS, all_threads())
    entries = []
    for slot, cell in enumerate(cells, start=1):
        problem = Problem(cell)
        worker.ask("setup", slot, problem)
        check(worker, problem, problem.expected(), slot)
        entries.append(Entry(worker, problem, slot))
    # The entries are different cells here, not numbers of threads for one contestant.
    rounds = 2 * effort.rounds
    for entry in entries:
        entry.calibrate(effort)
    for done in range(rounds):
        for i in range(len(entries)):
            time.sleep(PAUSE_SECONDS)
            entries[(i + done) % len(entries)].run_block()
    for entry in entries:
        worker.ask("drop", entry.slot)
    return {
        entry.problem.cell.name: {"seconds": _lower_quartile(entry.times), "rounds": entry.times}
        for entry in entries
    }
