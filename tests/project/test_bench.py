"""The benchmark: it measures, names what is missing, and refuses wrong results."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import measure, report, summary
from bench.cells import CELLS, CORE_TRAINING, FAMILIES, Cell
from bench.contestants import CONTESTANTS, OURS, Row
from bench.contestants.byhand import ByHand
from bench.contestants.ours import FastMLP
from bench.figures import fastest_peer, worst_falls
from bench.goals import all_goals
from bench.markdown import markdown
from bench.measure import Effort, WrongResult, check, measure_cell
from bench.pool import ROOT, Pool, pinned_environment
from bench.problems import Problem
from bench.processor import file_name, processor_name
from bench.worker import Server

ASIDE = [name for name, row in CONTESTANTS.items() if row.aside]
TINY = Effort(rounds=1, block_seconds=1e-3, total_seconds=1e-3)
CELL = Cell("train", 5, (4, 6, 3))
VARIANTS = [
    CELL,
    replace(CELL, optimizer="adam", activation="silu"),
    replace(CELL, widths=(4, 6, 1)),
    replace(CELL, dropout=0.5),
    replace(CELL, kind="predict", dtype="float64"),
    replace(CELL, group="graph", widths=(4, 6, 6, 3)),
    replace(CELL, group="graph", widths=(4, 6, 6, 3), two_heads=True, optimizer="adam"),
    replace(CELL, group="graph", widths=(4, 4, 3), kind="predict"),
]
BLOCKS = [
    replace(CELL, group="blocks", widths=(6, 9, 3), groups=3),
    replace(CELL, group="blocks", widths=(6, 8, 3), fold=2),
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


class NoSecondHead(ByHand):
    """Leaves out the second head's loss."""

    def __init__(self, problem: Problem, threads: int) -> None:
        super().__init__(problem, threads)
        problem.values = self.y[-1][:, -1:]


class NoDropout(ByHand):
    """Applies no dropout."""

    def drop(self, i: int, h: np.ndarray) -> np.ndarray:
        return h


def checked(kind: type, cell: Cell, precision: str = "") -> float:
    worker = Inline(kind)
    expected = Problem(cell).expected()
    worker.ask("setup", 0, Problem(cell))
    return check(worker, Problem(cell), expected, 0, precision)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [FastMLP, ByHand])
@pytest.mark.parametrize("cell", VARIANTS, ids=lambda cell: cell.name)
def test_right_contestants_pass(kind: type, cell: Cell) -> None:
    assert checked(kind, cell) < 1e-2


@pytest.mark.parametrize("cell", BLOCKS, ids=lambda cell: cell.name)
def test_groups_and_folds_pass(cell: Cell) -> None:
    assert checked(FastMLP, cell) < 1e-2
    assert cell.flops < replace(cell, groups=1, fold=1).flops


def test_products_in_bfloat16_pass_where_they_are_asked_for() -> None:
    cell = replace(CELL, group="bfloat16", batch=64, widths=(32, 64, 5))
    assert 1e-4 < checked(FastMLP, cell) < 1e-1
    with pytest.raises(WrongResult, match="relative error"):
        checked(FastMLP, cell, precision="float32")


@pytest.mark.parametrize("kind", [WrongRate, NoBias])
def test_wrong_updates_are_refused(kind: type) -> None:
    with pytest.raises(WrongResult, match="relative error"):
        checked(kind, CELL)


def test_a_missing_second_head_is_noticed() -> None:
    with pytest.raises(WrongResult, match="relative error"):
        checked(NoSecondHead, replace(CELL, group="graph", two_heads=True))


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
    mean = "training step, geometric mean"
    assert verdicts["train 256, 1024x4", "1.25x the fastest peer"] == verdict
    assert verdicts[mean, "2.5x the fastest peer"] == "FAIL"
    assert verdicts[mean, "6.5x torch eager"] == "not measured"


def test_no_goal_is_reached_by_leaving_cells_out() -> None:
    goals = all_goals(example(CORE_TRAINING[1:], 2e-6))
    reached = {goal.name: goal for goal in goals if goal.reached is not None}
    assert reached["training step, each cell"].verdict == "FAIL"


def test_other_settings_of_fastmlp_are_no_peers() -> None:
    results = {name: {"seconds": 1.0} for name in CONTESTANTS}
    results["torch"]["seconds"] = 2.0
    known = {name: results[name] for name in ("torch", OURS, *ASIDE)}
    assert fastest_peer(known) == ("torch", 2.0)


@pytest.mark.parametrize(("ours", "verdict"), [(1.49, "pass"), (1.51, "FAIL")])
def test_memory_is_judged_by_the_minimum_and_by_the_peers(ours: float, verdict: str) -> None:
    row = {"minimum": 1_000_000, OURS: int(1e6 * ours), "numpy": 1_600_000, "jax": "failed"}
    found = {**example([], 1.0), "memory": {"a cell": row}}
    verdicts = {goal.wanted: goal.verdict for goal in all_goals(found)}
    assert verdicts["at most 1.5x the minimum"] == verdict
    assert verdicts["at most 1x the least of the peers"] == "pass"


def test_a_loss_of_accuracy_fails() -> None:
    scores = {"float32": [0.9, 0.92], "bfloat16": [0.9, 0.912]}
    found = {**example([], 1.0), "accuracy": {"letter": scores}}
    goals = {goal.name: goal for goal in all_goals(found)}
    goal = goals["bfloat16, test score lost, letter"]
    assert goal.reached == "+0.40 points over 2 seeds (standard error 0.40)"
    assert goal.verdict == "FAIL"
    assert goals["bfloat16, test score lost, MNIST-10k"].verdict == "not measured"


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


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of cells that a run measures; none is really measured."""
    measured: list[str] = []

    def note(pool: Pool, cell: Cell, names: list[str], effort: Effort) -> dict[str, Any]:
        measured.append(cell.name)
        return {name: {"failed": f"turn {len(measured)}"} for name in names}

    monkeypatch.setattr(report, "measure_cell", note)
    monkeypatch.setattr(report, "measure_limits", lambda isa, threads: {})
    monkeypatch.setattr(report, "round_trip_seconds", lambda isa: None)
    return measured


def test_an_interrupted_run_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noted: list[str]
) -> None:
    cells = [cell.name for cell in CELLS if cell.name.startswith("train 1, 8-64")]
    note, stop_at = report.measure_cell, {cells[1]}

    def stopping(pool: Pool, cell: Cell, *rest: Any) -> dict[str, Any]:
        if cell.name in stop_at:
            raise KeyboardInterrupt
        return note(pool, cell, *rest)

    monkeypatch.setattr(report, "measure_cell", stopping)
    arguments = ["--out", str(tmp_path), "--cells", *cells, "--contestants", OURS]
    with pytest.raises(KeyboardInterrupt):
        report.main(arguments)
    stop_at.clear()
    report.main(arguments)
    assert noted == cells
    assert "turn 1" in (tmp_path / "report.md").read_text("utf-8")


def test_a_run_of_one_group_keeps_the_others(tmp_path: Path, noted: list[str]) -> None:
    arguments = ["--out", str(tmp_path), "--cells", "8-64-64-4", "--contestants", OURS]
    report.main(arguments)
    first = json.loads((tmp_path / "results.json").read_text("utf-8"))
    noted.clear()
    report.main([*arguments, "--only", "frozen"])
    second = json.loads((tmp_path / "results.json").read_text("utf-8"))
    frozen = [cell.name for cell in CELLS if cell.group == "frozen" and cell.name in first["cells"]]
    assert noted == frozen
    changed = {name for name in first["cells"] if first["cells"][name] != second["cells"][name]}
    assert changed <= set(frozen)
    assert list(first["groups"]) == list(report.GROUPS)
    assert set(second["groups"]) == set(report.GROUPS)


def test_groups_of_other_versions_are_not_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noted: list[str]
) -> None:
    arguments = ["--out", str(tmp_path), "--cells", "8-64-64-4", "--contestants", OURS]
    report.main(arguments)
    machine = {**report.describe_machine(), "numpy": "0.1"}
    monkeypatch.setattr(report, "describe_machine", lambda: machine)
    with pytest.raises(SystemExit, match="another machine"):
        report.main([*arguments, "--only", "frozen"])


@pytest.mark.parametrize(
    ("facts", "name", "file"),
    [
        (("AMD EPYC", "AuthenticAMD", 25, 17), "AMD EPYC (Zen 4)", "amd-epyc-zen-4"),
        (("AMD EPYC", "AuthenticAMD", 26, 2), "AMD EPYC (Zen 5)", "amd-epyc-zen-5"),
        (
            ("Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", "GenuineIntel", 6, 143),
            "Intel Xeon Platinum 8481C",
            "intel-xeon-platinum-8481c",
        ),
        (
            ("Intel(R) Xeon(R) Processor @ 2.50GHz", "GenuineIntel", 6, 143),
            "Intel Xeon (family 6 model 143)",
            "intel-xeon-family-6-model-143",
        ),
    ],
)
def test_reports_are_named_after_the_processor(
    facts: tuple[str, str, int, int], name: str, file: str
) -> None:
    keys = ("model name", "vendor_id", "cpu family", "model")
    assert processor_name(dict(zip(keys, map(str, facts), strict=True))) == name
    assert file_name(name) == file


def test_workers_choose_their_own_blas_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "262144")
    environment = pinned_environment(2)
    assert not {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"} & set(environment)
    assert environment["OPENBLAS_NUM_THREADS"] == "2"


def test_the_readme_shows_the_results_that_it_links_to() -> None:
    readme = summary.README.read_text("utf-8")
    results = ROOT / "bench" / "results"
    section = summary.speed_section(results / summary.results_shown(readme))
    assert section in readme
    assert summary.with_section(readme, section) == readme
    assert (results / "README.md").read_text("utf-8") == summary.report_list(results)


def test_names_are_unique() -> None:
    every = [*CELLS, *(cell for cells in FAMILIES.values() for cell in cells)]
    names = [cell.name for cell in CELLS]
    assert len(set(names)) == len(names)
    assert all(cell.flops > 0 and cell.minimum_bytes > 0 for cell in every)
