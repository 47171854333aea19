"""Ratios, shares and means of the results of a run; None for what was not measured."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from bench.cells import Cell
from bench.contestants import OURS, PEERS
from bench.limits import limit_name

# Adjacent sizes whose work differs by less than this must have the same FLOP/s.
ALIKE = 0.1


def seconds_of(found: dict[str, Any], cell: str, name: str) -> float | None:
    return found.get("cells", {}).get(cell, {}).get(name, {}).get("seconds")


def fastest_peer(results: dict[str, Any]) -> tuple[str, float] | None:
    """Name and seconds of the fastest contestant besides fastmlp, at the cell's own precision."""
    times = {name: s for name in PEERS if (s := results.get(name, {}).get("seconds")) is not None}
    return min(times.items(), key=lambda pair: pair[1]) if times else None


def ratio_to_fastest(found: dict[str, Any], cell: str) -> float | None:
    """How many times faster fastmlp is than the fastest peer."""
    peer = fastest_peer(found.get("cells", {}).get(cell, {}))
    ours = seconds_of(found, cell, OURS)
    return peer[1] / ours if peer and ours else None


def ratio_to(found: dict[str, Any], cell: str, *names: str, ours: str = OURS) -> float | None:
    """How many times faster fastmlp (or ``ours``) is than the fastest of the named contestants."""
    theirs = [s for name in names if (s := seconds_of(found, cell, name)) is not None]
    own = seconds_of(found, cell, ours)
    return min(theirs) / own if theirs and own else None


def share_of_limit(found: dict[str, Any], cell: Cell, name: str = OURS) -> float | None:
    """The fraction of the multiply-add peak of all threads that the cell's contestants may use."""
    seconds = seconds_of(found, cell.name, name)
    threads = cell.threads or int(found["machine"]["threads"])
    peak = found.get("limits", {}).get(limit_name(cell.precision, threads))
    return cell.flops / seconds / peak if seconds and peak else None


def geometric_mean(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def worst_falls(cells: list[Cell], results: dict[str, Any]) -> dict[str, float]:
    """How far the FLOP/s of each cell are below those of an adjacent size, as a fraction.

    A cell with clearly less work than the one beside it has fewer FLOP/s by nature (batch 1 beside
    batch 2). Such a cell only counts by the extra time that it takes.
    """
    if any("seconds" not in results.get(cell.name, {}) for cell in cells):
        return {}
    falls = {}
    for i, cell in enumerate(cells):
        beside = cells[max(0, i - 1) : i] + cells[i + 1 : i + 2]
        seconds = {c.name: results[c.name]["seconds"] for c in [cell, *beside]}
        falls[cell.name] = max(0.0, *(_fall(cell, other, seconds) for other in beside))
    return falls


def _fall(cell: Cell, other: Cell, seconds: dict[str, float]) -> float:
    work = cell.flops / other.flops
    faster = seconds[other.name] / seconds[cell.name]
    return 1.0 - faster * (1.0 if work < 1.0 - ALIKE else work)
