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

from bench.accuracy import ACCURACY_TASKS, SEEDS, measure_accuracy
from bench.busy import measure_busy
from bench.cells import CELLS, FAMILIES, Cell
from bench.contestants import CONTESTANTS, OURS
from bench.datasets import TASKS
from bench.fits import measure_task
from bench.fitters import fitters_of
from bench.goals import all_goals
from bench.limits import measure_limits, round_trip_seconds
from bench.machine import describe_machine, measure_imports, wheel_bytes
from bench.markdown import markdown
from bench.measure import QUICK, Effort, WrongResult, measure_cell, measure_family
from bench.memory import measure_memory
from bench.plots import draw
from bench.pool import ROOT, Pool, WorkerError, all_threads
from bench.processor import file_name, processor_name
from bench.summary import write_summaries
from fastmlp import _core

RESULTS = ROOT / "bench" / "results"
# A quick run leaves out cells whose calls take a second.
QUICK_FLOPS = 1e9
QUICK_EPOCHS = 2
# Facts that may differ between parts of one report; each part names its own.
OF_A_PART = ("commit", "core", "date")


def group_of(cell: Cell) -> str:
    """The group of the report, as ``--only`` takes it."""
    if cell.group in ("core", "more"):
        return {"train": "training", "predict": "prediction"}[cell.kind]
    return {"graph": "graphs"}.get(cell.group, cell.group)


# Group -> the parts of the results that it consists of, besides cells.
GROUPS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("training", "prediction", "bfloat16", "frozen", "graphs", "blocks"), ()),
    "adjacent": ("families",),
    "fits": ("fits",),
    "accuracy": ("accuracy",),
    "busy": ("busy",),
    "memory": ("memory",),
    "size": ("imports", "wheel"),
}


class Run:
    """Measures group by group and keeps the results in a file.

    After an interruption, a new run continues from that file. A run of some groups keeps the
    results of the others.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.suffix = f"-{options.isa}" if options.isa else ""
        self.file = options.out / f"results{self.suffix}.json"
        self.effort = QUICK if options.quick else Effort()
        self.names = options.contestants or [
            name for name, row in CONTESTANTS.items() if row.quick or not options.quick
        ]
        self.groups = [name for name in GROUPS if not options.only or name in options.only]
        self.found = self._start()

    def _start(self) -> dict[str, Any]:
        """The results to continue with.

        They are those of an interrupted run with equal build, machine and options; or those of the
        other groups, if only some are wanted; or none.
        """
        options = self.options
        key = {"machine": describe_machine(), "quick": options.quick, "contestants": self.names}
        key |= {"selected": options.cells, "only": options.only}
        if not self.file.exists():
            return {**key, "complete": False}
        old = json.loads(self.file.read_text("utf-8"))
        same = all(_undated(old.get(name)) == _undated(value) for name, value in key.items())
        if same and not old.get("complete"):
            return old
        return {**(self._others(old, key) if options.only else {}), **key, "complete": False}

    def _others(self, old: dict[str, Any], key: dict[str, Any]) -> dict[str, Any]:
        """The results of the groups that stay as they are."""
        for name in ("machine", "quick", "contestants", "selected"):
            if _undated(old.get(name), OF_A_PART) != _undated(key[name], OF_A_PART):
                raise SystemExit(f"{self.file} was measured with another {name}; run all groups")
        cells = {cell.name for cell in CELLS if group_of(cell) in self.groups}
        parts = {part for group in self.groups for part in GROUPS[group]}
        kept = {name: value for name, value in old.items() if name not in parts}
        kept["cells"] = {n: v for n, v in old.get("cells", {}).items() if n not in cells}
        kept["groups"] = {n: v for n, v in old.get("groups", {}).items() if n not in self.groups}
        # Measured anew; the best of both counts.
        return {name: v for name, v in kept.items() if not name.endswith(("before", "after"))}

    def all(self) -> None:
        self._limits("limits before")
        # One contestant after the other; the workers of all kinds of cells stay alive but stopped.
        with Pool() as pool:
            for group in self.groups:
                facts = {name: self.found["machine"][name] for name in OF_A_PART}
                self.found.setdefault("groups", {}).setdefault(group, {**facts, "seconds": 0.0})
                self._cells(pool, group)
                if self.options.cells is None or group == "adjacent":
                    self._around(pool, group)
        self._limits("limits after")
        self.found["complete"] = True
        self.save()

    def _cells(self, pool: Pool, group: str) -> None:
        for cell in CELLS:
            if group_of(cell) == group and self._wanted(cell):
                measure = partial(measure_cell, pool, cell, self.names, self.effort)
                self._part(group, "cells", cell.name, measure)

    def _around(self, pool: Pool, group: str) -> None:
        """Measure what is not a cell."""
        quick, names = self.options.quick, self.names
        if group == "adjacent" and OURS in names:
            for name, cells in FAMILIES.items():
                if all(map(self._wanted, cells)):
                    self._part(group, "families", name, partial(self._family, pool, cells))
        elif group == "fits":
            # Rounds and epochs.
            effort = (1, QUICK_EPOCHS) if quick else (2, None)
            for task in TASKS.values():
                measure = partial(measure_task, task, fitters_of(names), *effort)
                self._part(group, "fits", task.name, measure)
        elif group == "accuracy" and OURS in names:
            for task in ACCURACY_TASKS:
                measure = partial(measure_accuracy, task, 2 if quick else SEEDS)
                self._part(group, "accuracy", task, measure)
        elif group == "busy" and OURS in names:
            self._part(group, "", "busy", partial(measure_busy, *([1] if quick else [])))
        elif group == "memory":
            names = [name for name in names if not CONTESTANTS[name].aside]
            measure = partial(measure_memory, names, *([1] if quick else []))
            self._part(group, "", "memory", measure)
        elif group == "size":
            self._part(group, "", "imports", partial(measure_imports, *([3] if quick else [])))
            self._part(group, "", "wheel", wheel_bytes)

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

    def _part(self, group: str, part: str, name: str, measure: Callable[[], Any]) -> None:
        """Measure what has no result yet, for ``found[part][name]`` or ``found[name]``; save it."""
        known = self.found.setdefault(part, {}) if part else self.found
        if name not in known:
            start = time.perf_counter()
            known[name] = measure()
            seconds = time.perf_counter() - start
            self.found["groups"][group]["seconds"] += seconds
            print(f"{seconds:6.1f} s  {name}", flush=True)
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


def _undated(value: Any, besides: Sequence[str] = ("date",)) -> Any:
    """The facts about a machine, without the date."""
    # Through JSON, like the object that it is compared with.
    value = json.loads(json.dumps(value))
    return (
        {k: v for k, v in value.items() if k not in besides} if isinstance(value, dict) else value
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a rough run of a few minutes")
    parser.add_argument("--isa", help="instruction set of fastmlp and of the limit, such as avx2")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER",
        help="default: the processor's folder in bench/results; then the README is renewed too",
    )  # fmt: skip
    parser.add_argument(
        "--only", nargs="+", metavar="GROUP", choices=GROUPS,
        help=f"renew only these groups: {', '.join(GROUPS)}",
    )  # fmt: skip
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
    published = options.out is None
    options.out = options.out or RESULTS / file_name(processor_name())
    if options.isa:
        _use_isa(options.isa)
    run = Run(options)
    run.all()
    _print_goals(run.found, run.write())
    if published:
        write_summaries(RESULTS, options.out)


if __name__ == "__main__":
    main()
