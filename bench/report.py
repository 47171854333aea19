"""The complete benchmark in one run: `python -m bench.report --help`."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.busy import measure_busy
from bench.cells import CELLS, FAMILIES, Cell
from bench.contestants import CONTESTANTS, OURS
from bench.datasets import TASKS
from bench.fits import measure_task
from bench.fitters import fitters_of
from bench.goals import all_goals
from bench.limits import measure_limits, round_trip_seconds
from bench.machine import describe_machine, measure_imports, wheel_bytes
from bench.measure import QUICK, Effort, WrongResult, measure_cell, measure_family
from bench.memory import measure_memory
from bench.plots import draw
from bench.pool import ROOT, Pool, WorkerError, all_threads
from bench.tables import markdown
from fastmlp import _core

# A quick run leaves out cells whose calls take a second.
QUICK_FLOPS = 1e9
QUICK_EPOCHS = 2


class Run:
    """Measures part by part and keeps the results in a file.

    After an interruption, a new run continues from that file.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.suffix = f"-{options.isa}" if options.isa else ""
        self.file = options.out / f"results{self.suffix}.json"
        self.effort = QUICK if options.quick else Effort()
        self.names = options.contestants or [
            name for name, row in CONTESTANTS.items() if row.quick or not options.quick
        ]
        self.found = self._resumed()

    def _resumed(self) -> dict[str, Any]:
        """Results of an interrupted run with equal build, machine and options, or none."""
        options = self.options
        key = {"machine": describe_machine(), "quick": options.quick, "contestants": self.names}
        key["selected"] = options.cells
        if self.file.exists():
            old = json.loads(self.file.read_text("utf-8"))
            same = all(_undated(old.get(name)) == _undated(value) for name, value in key.items())
            if same and not old.get("complete"):
                return old
        return {**key, "complete": False}

    def all(self) -> None:
        self._limits("limits before")
        self._cells()
        if self.options.cells is None:
            self._around()
        self._limits("limits after")
        self.found["complete"] = True
        self.save()

    def _around(self) -> None:
        quick, fitters = self.options.quick, fitters_of(self.names)
        # Rounds and epochs.
        effort = (1, QUICK_EPOCHS) if quick else (2, None)
        for task in TASKS.values():
            self._part("fits", task.name, partial(measure_task, task, fitters, *effort))
        self._keep("busy", lambda: measure_busy(*([1] if quick else [])))
        self._keep("memory", lambda: measure_memory(self.names, *([1] if quick else [])))
        self._keep("imports", lambda: measure_imports(*([3] if quick else [])))
        self._keep("wheel", wheel_bytes)

    def _cells(self) -> None:
        # One contestant after the other; the workers of all kinds of cells stay alive but stopped.
        with Pool() as pool:
            for cell in CELLS:
                if self._wanted(cell):
                    self._part(
                        "cells", cell.name,
                        lambda cell=cell: measure_cell(pool, cell, self.names, self.effort),
                    )  # fmt: skip
            for name, cells in FAMILIES.items():
                if OURS in self.names and all(map(self._wanted, cells)):
                    self._part("families", name, lambda cells=cells: self._family(pool, cells))

    def _wanted(self, cell: Cell) -> bool:
        if self.options.cells is not None:
            return any(words in cell.name for words in self.options.cells)
        return not self.options.quick or (cell.group != "more" and cell.flops < QUICK_FLOPS)

    def _family(self, pool: Pool, cells: Sequence[Cell]) -> dict[str, Any]:
        try:
            return measure_family(pool, cells, self.effort)
        except (WorkerError, WrongResult) as error:
            return {OURS: {"failed": str(error)}}

    def _limits(self, name: str) -> None:
        threads = sorted({1, all_threads()})
        isa = self.found["machine"]["instruction set"]
        self._keep(name, lambda: measure_limits(isa, threads))
        earlier, now = self.found.get("limits", {}), self.found[name]
        self.found["limits"] = {key: max(now[key], earlier.get(key, 0.0)) for key in now}
        self._keep(f"round trip, {name}", lambda: round_trip_seconds(isa))
        self.save()

    def _part(self, part: str, name: str, measure: Callable[[], Any]) -> None:
        """Measure a part without results, and save it."""
        known = self.found.setdefault(part, {})
        if name not in known:
            start = time.perf_counter()
            known[name] = measure()
            print(f"{time.perf_counter() - start:6.1f} s  {name}", flush=True)
            self.save()

    def _keep(self, name: str, measure: Callable[[], Any]) -> None:
        if name not in self.found:
            self.found[name] = measure()
            self.save()

    def save(self) -> None:
        """Write a second file and rename it; an interruption leaves the first one intact."""
        self.options.out.mkdir(parents=True, exist_ok=True)
        partial = self.file.with_suffix(".part")
        partial.write_text(json.dumps(self.found, indent=1), "utf-8")
        partial.replace(self.file)

    def write(self) -> Path:
        """Write tables and plots; return the Markdown file."""
        plots = draw(self.found, self.options.out, self.suffix)
        path: Path = self.options.out / f"report{self.suffix}.md"
        path.write_text(markdown(self.found, plots), "utf-8")
        return path


def _undated(value: Any) -> Any:
    """The facts about a machine, without the date."""
    # Through JSON, like the object that it is compared with.
    value = json.loads(json.dumps(value))
    return {k: v for k, v in value.items() if k != "date"} if isinstance(value, dict) else value


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a rough run of a few minutes")
    parser.add_argument("--isa", help="instruction set of fastmlp and of the limit, such as avx2")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results")
    parser.add_argument(
        "--cells", nargs="+", metavar="WORDS",
        help="only cells (and limits) whose name contains one of these words",
    )  # fmt: skip
    parser.add_argument("--contestants", nargs="+", metavar="NAME", choices=CONTESTANTS)
    return parser.parse_args(arguments)


def _use_isa(isa: str) -> None:
    """In this process and in its child processes."""
    _core.use_isa(isa)
    os.environ["FASTMLP_ISA"] = isa


def _print_goals(found: dict[str, Any], path: Path) -> None:
    for goal in all_goals(found):
        if goal.reached is not None:
            print(f"{goal.verdict:5} {goal.name}: {goal.wanted}; reached {goal.reached}")
    print(path)


def main(arguments: Iterable[str] | None = None) -> None:
    options = _parse(None if arguments is None else list(arguments))
    if options.isa:
        _use_isa(options.isa)
    run = Run(options)
    run.all()
    _print_goals(run.found, run.write())


if __name__ == "__main__":
    main()
