"""Runs the fits that are not in the file of results yet, each in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.pool import ROOT, all_threads, pinned_environment
from bench.tables.contestants import Row
from bench.tables.store import Store, is_quiet


@dataclass(frozen=True)
class Request:
    """A fit: the folders of the tables, a table, a contestant, a seed and a number of threads."""

    folder: str
    more: str
    table: str
    contestant: str
    seed: int
    threads: int


@dataclass(frozen=True)
class Plan:
    """What a run should measure, and which stored results count as measured."""

    folder: str
    more: str
    tables: Sequence[str]
    rows: Sequence[Row]
    seeds: Sequence[int]
    seconds: float = 1800.0  # a fit that takes longer is ended
    any_version: bool = False
    remeasure_busy: bool = False

    def requests(self, store: Store) -> Iterator[tuple[Request, str]]:
        """The fits that are missing, with the contestant's version; seed by seed."""
        done = {self._key(row) for row in store.all() if self._counts(row)}
        for seed in self.seeds:
            for table in self.tables:
                for row in self.rows:
                    version = row.version()
                    key = (row.name, "" if self.any_version else version, table, seed)
                    if key not in done:
                        yield (
                            Request(self.folder, self.more, table, row.name, seed, all_threads()),
                            version,
                        )

    def _key(self, result: dict[str, Any]) -> tuple[Any, ...]:
        version = "" if self.any_version else result["version"]
        return result["contestant"], version, result["table"], result["seed"]

    def _counts(self, result: dict[str, Any]) -> bool:
        return "failed" not in result and (is_quiet(result) or not self.remeasure_busy)


def run(plan: Plan, store: Store) -> None:
    """Measure what is missing; a failure is stored with its reason, and tried again next time."""
    for request, version in plan.requests(store):
        found = fit_in_fresh_process(request, plan.seconds)
        facts = {
            "contestant": request.contestant,
            "version": version,
            "table": request.table,
            "seed": request.seed,
            "threads": request.threads,
            "date": time.strftime("%Y-%m-%d %H:%M"),
        }
        store.add({**facts, **found})
        print(_line({**facts, **found}), flush=True)


def fit_in_fresh_process(request: Request, seconds: float) -> dict[str, Any]:
    """The result of `bench.tables.fit`, or why there is none."""
    command = [sys.executable, "-m", "bench.tables.fit"]
    environment = {**pinned_environment(request.threads), "LOKY_MAX_CPU_COUNT": str(os.cpu_count())}
    try:
        done = subprocess.run(
            command, input=json.dumps(asdict(request)), capture_output=True, text=True, cwd=ROOT,
            env=environment, timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"failed": f"took more than {seconds:g} s"}
    if done.returncode != 0:
        return {"failed": (done.stderr.strip().splitlines() or ["ended without a message"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def _line(result: dict[str, Any]) -> str:
    """A result for the terminal."""
    head = f"{result['table']} {result['seed']} {result['contestant']}"
    if "failed" in result:
        return f"{head}: failed: {result['failed']}"
    busy = "" if is_quiet(result) else f", others used {result['others']:.1f} processors"
    return f"{head}: error {result['error']:.4f}, {result['fit_wall']:.1f} s{busy}"


def missing_reasons(rows: Iterable[Row]) -> dict[str, str]:
    """Contestants that cannot run here, with the reason."""
    return {row.name: reason for row in rows if (reason := row.missing())}
