"""Memory leaks: random calls, and the memory that the process uses after them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from contract import native
from contract.figures import Figure, Scale, at_least, at_most, exactly, fact

MOST_GROWTH, MOST_SLOPE = 2**20, 1.0  # bytes; bytes for each call
MOST_BLOCKS = 0.25  # for each call; a leak in every call would be 1 or more


def run(scale: Scale) -> list[Figure]:
    """Random fits and predictions, then equal rounds of them, which must use equal memory."""
    if not Path("/proc/self/statm").exists():
        return [fact("leaks", "not run", "the system does not report a process's memory in /proc")]
    calls, rounds = scale.choose(800, 100_000), scale.choose(12, 100)
    command = [sys.executable, "-m", "contract.memory_calls", str(calls), str(rounds)]
    done = native.run(command, cwd=native.ROOT)
    found = json.loads(done.stdout.splitlines()[-1])
    at, resident = np.array(found["resident"], float).T
    growth = resident[-len(resident) // 10 :].mean() - resident[: len(resident) // 10 + 1].mean()
    slope = _slope(at, resident)
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(found["outcomes"].items()))
    made = sum(found["outcomes"].values())
    figures = [
        at_least("leaks: random calls after the warm-up", made, calls, note=outcomes),
        exactly("leaks: unexpected outcomes", found["unexpected"], 0, found["first_unexpected"]),
        fact(
            "leaks: resident memory at each tenth of them, MiB",
            " ".join(f"{part[0] / 2**20:.2f}" for part in np.array_split(resident, 10)),
        ),
        at_most("leaks: growth of resident memory", growth, MOST_GROWTH, "bytes"),
    ]
    if scale.full:  # with few calls, one page or one growing table would decide
        figures += [
            at_most("leaks: slope of resident memory", slope, MOST_SLOPE, "bytes a call"),
            at_most(
                "leaks: heap in use, growth over equal rounds",
                found["heap_growth"],
                MOST_SLOPE,
                "bytes a call",
            ),
            at_most(
                "leaks: Python's blocks, growth over equal rounds",
                found["block_growth"],
                MOST_BLOCKS,
                "a call",
                "CPython's own caches grow for a while",
            ),
        ]
    return figures


def _slope(x: Any, y: Any) -> float:
    """The median slope of all pairs (Theil and Sen); a single step is not a leak."""
    i, j = np.triu_indices(len(x), 1)
    return float(np.median((y[j] - y[i]) / (x[j] - x[i])))
