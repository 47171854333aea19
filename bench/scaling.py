"""How training steps would scale to more cores: ``python -m bench.scaling``.

Each number of threads really runs, with the engine's own division of work, however few cores there
are. The core notes the processor time of each worker between two barriers. On a machine with a
core for each worker, an interval takes as long as its slowest worker, so the predicted time of a
step is the sum of these maxima, the measured cost of its barriers, and that of one region. The
predictions for one thread and for all cores here are compared with measured times.

What this leaves out: memory bandwidth and third-level caches that the cores share, and clocks that
fall when many cores work.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from bench.cells import LARGE, MNIST, SMALL, SQUARE, WIDE_MNIST, Cell
from bench.contestants.ours import FastMLP
from bench.machine import describe_machine
from bench.pool import ROOT
from bench.problems import Problem
from bench.processor import file_name, processor_name
from fastmlp import _core

HERE = (1, 2)
COUNTS = [1, 2, 4, 8, 16, 32, 64, 128]
CELLS = [
    Cell("train", 64, SMALL),
    Cell("train", 128, MNIST),
    Cell("train", 128, MNIST, optimizer="adam"),
    Cell("train", 128, MNIST, dtype="float64"),
    Cell("train", 512, MNIST),
    Cell("train", 512, WIDE_MNIST),
    Cell("train", 256, SQUARE),
    Cell("train", 256, SQUARE, optimizer="adam"),
    Cell("train", 1024, SQUARE),
    Cell("train", 1024, LARGE),
]
# Cell index -> threads -> the least efficiency that is wanted.
GOALS: dict[int, dict[int, float]] = {1: {8: 0.7, 16: 0.5}, 9: {16: 0.9, 64: 0.8}}
MOST_INTERVALS = 64
# Rounds alternate with each other; the best of each number of threads counts.
ROUNDS, WARM_UP, SECONDS, LEAST_STEPS, MOST_STEPS = 2, 0.1, 0.25, 4, 200
# Seconds. A cache line that another core wrote takes at least this long on a large machine, where
# cores are far apart; the measured cost of a barrier may be that of two near cores.
LEAST_BARRIER = 1.5e-7
GROUP = 16  # more threads meet in groups of 16 (csrc/base/meeting.h)


@dataclass
class Prediction:
    """Seconds of a step on ``threads`` threads, and how many of them really ran."""

    threads: int
    work: float  # of all workers together
    barriers: int
    seconds: float


def barrier_seconds(threads: int, each: float) -> float:
    """A barrier of several threads: they arrive one after another, above 16 in groups."""
    groups = -(-threads // GROUP)
    return 0.0 if threads == 1 else each * (min(threads, GROUP) + (groups if groups > 1 else 0))


def warm_up(ours: FastMLP) -> None:
    """Fills caches, starts threads, and gives the system time to spread them.

    Training starts again: after a thousand steps of Adam, moments of dead inputs are denormal
    numbers, which are slow.
    """
    ours.reset()
    end = time.perf_counter() + WARM_UP
    while time.perf_counter() < end:
        _core.trace_work(ours.call, 1, 1)  # a traced step may have more workers than processors


def predict(ours: FastMLP, threads: int, costs: dict[str, float]) -> Prediction:
    """The time of a step if each of ``threads`` workers had its own core."""
    traces: list[np.ndarray] = []
    with fm.threads(threads):
        _core.ignore_thread_cost(True)
        try:
            warm_up(ours)
            end = time.perf_counter() + SECONDS
            while len(traces) < LEAST_STEPS or (
                time.perf_counter() < end and len(traces) < MOST_STEPS
            ):
                traces.append(_core.trace_work(ours.call, threads, MOST_INTERVALS))
        finally:
            _core.ignore_thread_cost(False)
    ran = traces[-1].any(axis=1).sum()
    least = np.quantile(np.array(traces), 0.25, axis=0)  # other programs only make it longer
    work = least.max(axis=0)
    barriers = int((work > 0).sum()) - 1
    region = costs["region"] if threads > 1 else 0.0
    waiting = region + barriers * barrier_seconds(int(ran), max(costs["barrier"], LEAST_BARRIER))
    return Prediction(int(ran), float(least.sum()), barriers, float(work.sum()) + waiting)


def measure(ours: FastMLP, threads: int) -> float:
    """The lower quartile of the seconds of a step."""
    times: list[float] = []
    with fm.threads(threads):
        _core.ignore_thread_cost(True)
        try:
            warm_up(ours)
            end = time.perf_counter() + SECONDS
            while len(times) < LEAST_STEPS or (
                time.perf_counter() < end and len(times) < MOST_STEPS
            ):
                start = time.perf_counter()
                ours.call()
                times.append(time.perf_counter() - start)
        finally:
            _core.ignore_thread_cost(False)
    return statistics.quantiles(times, n=4)[0]


def scale(cell: Cell, counts: list[int]) -> dict[str, Any]:
    """Predictions of one cell, and measurements on one thread and on two."""
    ours = FastMLP(Problem(cell), max(HERE))
    costs = _core.thread_costs()
    rounds, times = [], []
    for _ in range(ROUNDS):
        rounds.append([predict(ours, count, costs) for count in counts])
        times.append([measure(ours, count) for count in HERE])
    predicted = [min(ps, key=lambda p: p.seconds) for ps in zip(*rounds, strict=True)]
    measured = map(min, zip(*times, strict=True))
    core = ours.net.core_net()
    return {
        "cell": cell.name,
        "rows": [vars(p) for p in predicted],
        "advised": [core.advised_threads(cell.batch, count) for count in counts],
        "measured": dict(zip(map(str, HERE), measured, strict=True)),
    }


def efficiency(result: dict[str, Any], index: int) -> float:
    row, alone = result["rows"][index], result["rows"][0]
    return float(alone["seconds"] / row["seconds"] / row["threads"])


def best_seconds(result: dict[str, Any], index: int) -> float:
    """With the number of threads that the engine chooses if COUNTS[index] are allowed."""
    chosen = result["advised"][index]
    return float(result["rows"][COUNTS.index(chosen)]["seconds"])


def goal_text(results: list[dict[str, Any]], cell: int, threads: int) -> str:
    found, wanted = efficiency(results[cell], COUNTS.index(threads)), GOALS[cell][threads]
    verdict = "met" if found >= wanted else "missed"
    where = f"{results[cell]['cell']} on {threads} threads"
    return f"- {where}: {found:.0%}, goal {wanted:.0%}: {verdict}"


def slower_cells(results: list[dict[str, Any]]) -> list[str]:
    """Where more allowed threads make the chosen number slower by more than a twentieth."""
    return [
        f"{result['cell']} with {COUNTS[k + 1]} threads"
        for result in results
        for k in range(len(COUNTS) - 1)
        if best_seconds(result, k + 1) > 1.05 * best_seconds(result, k)
    ]


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def report(results: list[dict[str, Any]], costs: dict[str, float], machine: dict[str, str]) -> str:
    """The page of all predictions."""
    efficient = [
        [r["cell"], *(f"{efficiency(r, k):.0%}" for k in range(len(COUNTS)))] for r in results
    ]
    checked = [
        [r["cell"]]
        + [
            f"{1e6 * seconds:,.0f} us ({r['rows'][COUNTS.index(int(n))]['seconds'] / seconds:.2f})"
            for n, seconds in r["measured"].items()
        ]
        for r in results
    ]
    chosen = [[r["cell"], *map(str, r["advised"])] for r in results]
    slower = slower_cells(results)
    counts = [str(count) for count in COUNTS]
    return "\n".join([
        "# Predicted scaling",
        "",
        "Written by `python -m bench.scaling`, whose first lines say how it predicts and what it "
        "leaves out.",
        "",
        f"{machine['processor']}, {machine['instruction set']}, commit {machine['commit']}, "
        f"{machine['date']}. A region costs {1e6 * costs['region']:.1f} us, a barrier "
        f"{1e6 * costs['barrier']:.2f} us for each thread.",
        "",
        "## Parallel efficiency by number of threads",
        "",
        *table(["cell", *counts], efficient),
        "",
        *(goal_text(results, cell, n) for cell, goals in GOALS.items() for n in goals),
        f"- Slower with more threads allowed: {', '.join(slower) if slower else 'none'}",
        "",
        "## Threads that the engine would choose, by threads allowed",
        "",
        *table(["cell", *counts], chosen),
        "",
        "## Measured times, and predicted divided by measured",
        "",
        *table(["cell", *(f"{n} thread{'s' * (n > 1)}" for n in HERE)], checked),
        "",
    ])  # fmt: skip


def _folder() -> Path:
    return ROOT / "bench" / "results" / file_name(processor_name())


def main() -> None:
    costs = _core.thread_costs()
    results = []
    for cell in CELLS:
        results.append(scale(cell, COUNTS))
        print(cell.name, file=sys.stderr)
    machine = describe_machine()
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else _folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scaling.md").write_text(report(results, costs, machine), "utf-8")


if __name__ == "__main__":
    main()
