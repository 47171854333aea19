"""The benchmark: it measures, names what is missing, and refuses wrong results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import measure, report
from bench.cells import CELLS, CORE_TRAINING, FAMILIES, Cell
from bench.contestants import CONTESTANTS, OURS, Row
from bench.contestants.byhand import ByHand
from bench.contestants.ours import FastMLP
from bench.goals import all_goals, worst_falls
from bench.measure import Effort, WrongResult, check, measure_cell
from bench.pool import Pool
from bench.problems import Problem
from bench.tables import markdown
from bench.worker import Server

TINY = Effort(rounds=1, block_seconds=1e-3, total_seconds=1e-3)
CELL = Cell("train", 5, (4, 6, 3))
VARIANTS = [
    CELL,
    replace(CELL, optimizer="adam", activation="silu"),
    replace(CELL, widths=(4, 6, 1)),
    replace(CELL, dropout=0.5),
    replace(CELL, kind="predict", dtype="float64"),
]


class Inline:
    """A worker without a separate process."""

    def __init__(self, kind: type) -> None:
        self.server = Server(kind, 1)

    def ask(self, command: str, *arguments: Any) -> Any:
        return getattr(self.server, command)(*arguments)


class WrongRate(ByHand):
    """Learns a tenth faster than it should."""

    def __init__(self, problem: Problem, threads: int) -> None:
        problem.lr *= 1.1
        super().__init__(problem, threads)


class NoBias(ByHand):
    """Forgets the biases."""

    def step(self) -> float:
        biases = [b.copy() for _, b in self.views]
        value = super().step()
        for (_, b), before in zip(self.views, biases, strict=True):
            b[...] = before
        return value


class NoDropout(ByHand):
    """Applies no dropout."""

    def drop(self, i: int, h: np.ndarray) -> np.ndarray:
        return h


def checked(kind: type, cell: Cell) -> float:
    worker = Inline(kind)
    expected = Problem(cell).expected()
    worker.ask("setup", 0, Problem(cell))
    return check(worker, Problem(cell), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [FastMLP, ByHand])
@pytest.mark.parametrize("cell", VARIANTS, ids=lambda cell: cell.name)
def test_right_contestants_pass(kind: type, cell: Cell) -> None:
    assert checked(kind, cell) < 1e-2


@pytest.mark.parametrize("kind", [WrongRate, NoBias])
def test_wrong_updates_are_refused(kind: type) -> None:
    with pytest.raises(WrongResult, match="relative error"):
        checked(kind, CELL)


def test_missing_dropout_is_noticed() -> None:
    with pytest.raises(WrongResult, match="dropout"):
        checked(NoDropout, replace(CELL, dropout=0.5))


def test_a_cell_is_measured_and_the_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Row("absent", "nowhere:Absent", ("no_such_package",))
    monkeypatch.setitem(CONTESTANTS, "absent", absent)
    monkeypatch.setattr(measure, "all_threads", lambda: 1)
    with Pool() as pool:
        results = measure_cell(pool, CELL, [OURS, "numpy", "absent"], TINY)
    assert results["absent"] == {"missing": "not installed: no_such_package"}
    for name in (OURS, "numpy"):
        assert results[name]["seconds"] > 0
        assert results[name]["error"] < 1e-2


def example(cells: list[Cell], peer_seconds: float) -> dict[str, Any]:
    """Results of a run in which fastmlp takes one microsecond for everything."""
    known = {"threads": 1, "tried": {"1": 0.0}, "rounds": [], "error": 0.0}
    results = {OURS: {"seconds": 1e-6, **known}, "numpy": {"seconds": peer_seconds, **known}}
    machine = {"instruction set": "portable", "threads": "1"}
    return {"machine": machine, "cells": {cell.name: results for cell in cells}}


@pytest.mark.parametrize(("peer_seconds", "verdict"), [(1.3e-6, "pass"), (1.2e-6, "FAIL")])
def test_goals_are_judged_from_the_results(peer_seconds: float, verdict: str) -> None:
    goals = all_goals(example(CORE_TRAINING, peer_seconds))
    verdicts = {(goal.name, goal.wanted): goal.verdict for goal in goals}
    mean = "training step, geometric mean (core)"
    assert verdicts["training step, each cell (core)", "at least 1.25x the fastest peer"] == verdict
    assert verdicts[mean, "2.5x the fastest peer"] == "FAIL"
    assert verdicts[mean, "6x torch eager"] == "not measured"


def test_no_goal_is_reached_by_leaving_cells_out() -> None:
    goals = all_goals(example(CORE_TRAINING[1:], 2e-6))
    reached = {goal.name: goal for goal in goals if goal.reached is not None}
    assert reached["training step, each cell (core)"].verdict == "FAIL"


def test_a_cliff_is_found() -> None:
    cells = [Cell("train", batch, (4, 6, 3)) for batch in (100, 101, 102)]
    times = (1.0, 1.4, 1.41)
    results = {c.name: {"seconds": s} for c, s in zip(cells, times, strict=True)}
    falls = worst_falls(cells, results)
    assert max(falls, key=falls.__getitem__) == cells[1].name
    assert falls[cells[1].name] == pytest.approx(1 - 1.01 / 1.4)


def test_the_report_shows_every_cell_and_goal() -> None:
    found = example(CELLS, 2e-6)
    text = markdown(found, [])
    assert all(cell.name.partition(" ")[2] in text for cell in CELLS)
    assert all(goal.name in text for goal in all_goals(found))


def test_an_interrupted_run_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [cell.name for cell in CELLS if cell.name.startswith("train 1, 8-64")]
    measured: list[str] = []
    stop_at = {cells[1]}

    def note(pool: Pool, cell: Cell, names: list[str], effort: Effort) -> dict[str, Any]:
        if cell.name in stop_at:
            raise KeyboardInterrupt
        measured.append(cell.name)
        return {name: {"failed": "nothing was run"} for name in names}

    monkeypatch.setattr(report, "measure_cell", note)
    monkeypatch.setattr(report, "measure_limits", lambda isa, threads: {})
    arguments = ["--out", str(tmp_path), "--cells", *cells, "--contestants", OURS]
    with pytest.raises(KeyboardInterrupt):
        report.main(arguments)
    stop_at.clear()
    report.main(arguments)
    assert measured == cells
    assert "nothing was run" in (tmp_path / "report.md").read_text("utf-8")


def test_names_are_unique() -> None:
    every = [*CELLS, *(cell for cells in FAMILIES.values() for cell in cells)]
    names = [cell.name for cell in CELLS]
    assert len(set(names)) == len(names)
    assert all(cell.flops > 0 and cell.minimum_bytes > 0 for cell in every)
