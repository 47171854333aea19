"""Peak memory of training steps (Linux only), each contestant and cell in a fresh process.

`python -m bench.memory NAME INDEX` prints the peak bytes of one; `measure_memory` runs all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.cells import LARGE, MNIST, SMALL, SQUARE, WIDE_MNIST, Cell
from bench.contestants import CONTESTANTS
from bench.pool import ROOT, all_threads, pinned_environment
from bench.problems import Problem

CELLS = [
    Cell("train", 128, MNIST, optimizer="adam"),
    Cell("train", 4096, WIDE_MNIST),
    Cell("train", 256, SQUARE, optimizer="adam"),
    Cell("train", 1024, LARGE),
]
# Loads what a library loads at its first step, so that it does not count for the measured step.
FIRST = Cell("train", 64, SMALL, optimizer="adam")
STEPS = 3


def measure_memory(
    names: Iterable[str], cells: int = len(CELLS)
) -> dict[str, dict[str, int | str]]:
    """Peak bytes above the memory before the network was built, by cell and contestant."""
    found: dict[str, dict[str, int | str]] = {
        cell.name: {"minimum": cell.minimum_bytes} for cell in CELLS[:cells]
    }
    for name in names:
        if "train" not in CONTESTANTS[name].kinds:
            continue
        for index, cell in enumerate(CELLS[:cells]):
            found[cell.name][name] = CONTESTANTS[name].missing() or _in_fresh_process(name, index)
    return found


def _in_fresh_process(name: str, index: int) -> int | str:
    command = [sys.executable, "-m", "bench.memory", name, str(index)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=pinned_environment(all_threads())
    )
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or ["failed"])[-1]
    return int(json.loads(done.stdout.splitlines()[-1]))


def peak_bytes(name: str, cell: Cell) -> int:
    """Peak resident bytes of some steps, above the memory before the network was built."""
    kind = CONTESTANTS[name].load()
    kind(Problem(FIRST), all_threads()).call()
    problem = Problem(cell)
    before = _status("VmRSS")
    contestant = kind(problem, all_threads())
    # Linux: forgets the peak of building the network.
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(STEPS):
        contestant.call()
    contestant.sync()
    return _status("VmHWM") - before


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


if __name__ == "__main__":
    print(json.dumps(peak_bytes(sys.argv[1], CELLS[int(sys.argv[2])])))
