"""The goals and the values reached; every verdict is computed from the results."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from bench.cells import CELLS, CLIFF, FAMILIES, LARGE, MNIST, SMALL, SQUARE, Cell
from bench.contestants import OURS
from bench.fitters import OUR_ESTIMATORS
from bench.limits import limit_name

BY_NAME = {cell.name: cell for cell in CELLS}
# Adjacent sizes whose work differs by less than this must have the same FLOP/s.
ALIKE = 0.1
SHARES = [(Cell("train", 1024, LARGE), 0.90), (Cell("train", 256, SQUARE), 0.88),
          (Cell("train", 128, MNIST), 0.80)]  # fmt: skip
AVX2_SHARES = [(Cell("train", 1024, LARGE), 0.85), (Cell("train", 256, SQUARE), 0.85)]
LATENCIES = [(Cell("train", 1, SMALL), 2e-6), (Cell("predict", 1, SMALL), 1.2e-6)]
FIT_RATIOS = [
    ("digits", "scikit-learn", 20.0), ("MNIST-10k", "scikit-learn", 4.0),
    ("letter", "scikit-learn", 5.0), ("digits", "jax", 2.0), ("letter", "jax", 2.0),
    ("MNIST-10k", "jax", 1.4),
]  # fmt: skip
# A higher fraction means that other programs were running while the limit was measured.
BELIEVABLE = 1.02
BUSY_SLOWDOWN = 1.3
IMPORT_SECONDS = 0.020
WHEEL_BYTES = 2_000_000


class Goal(NamedTuple):
    """``reached`` is None if it was not measured."""

    name: str
    wanted: str
    reached: str | None
    passed: bool

    @property
    def verdict(self) -> str:
        return "not measured" if self.reached is None else "pass" if self.passed else "FAIL"


def all_goals(found: dict[str, Any]) -> list[Goal]:
    """All goals; if a partial run has no results for one, its ``reached`` is None."""
    goals = [*_training(found), *_prediction(found), *_latencies(found), *_shares(found)]
    return [*goals, *_fits(found), *_sizes(found), *_busy(found), *_adjacent_sizes(found)]


def seconds_of(found: dict[str, Any], cell: str, name: str) -> float | None:
    return found.get("cells", {}).get(cell, {}).get(name, {}).get("seconds")


def fastest_peer(results: dict[str, Any]) -> tuple[str, float] | None:
    """Name and seconds of the fastest contestant besides fastmlp."""
    times = {n: r["seconds"] for n, r in results.items() if n != OURS and "seconds" in r}
    return min(times.items(), key=lambda pair: pair[1]) if times else None


def ratio_to_fastest(found: dict[str, Any], cell: str) -> float | None:
    """How many times faster fastmlp is than the fastest peer."""
    peer = fastest_peer(found.get("cells", {}).get(cell, {}))
    ours = seconds_of(found, cell, OURS)
    return peer[1] / ours if peer and ours else None


def ratio_to(found: dict[str, Any], cell: str, name: str) -> float | None:
    theirs, ours = seconds_of(found, cell, name), seconds_of(found, cell, OURS)
    return theirs / ours if theirs and ours else None


def share_of_limit(found: dict[str, Any], cell: Cell, name: str = OURS) -> float | None:
    """The fraction of the multiply-add peak of all threads that the cell's contestants may use."""
    seconds = seconds_of(found, cell.name, name)
    threads = cell.threads or int(found["machine"]["threads"])
    peak = found.get("limits", {}).get(limit_name(cell.dtype, threads))
    return cell.flops / seconds / peak if seconds and peak else None


def geometric_mean(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def _training(found: dict[str, Any]) -> list[Goal]:
    goals = []
    for label, groups in (("core", ("core",)), ("all", ("core", "more"))):
        names = _names("train", groups)
        fastest = {name: ratio_to_fastest(found, name) for name in names}
        eager = {name: ratio_to(found, name, "torch") for name in names}
        goals += [
            _each(f"training step, each cell ({label})", fastest, 1.25, "the fastest peer"),
            _mean(f"training step, geometric mean ({label})", fastest, 2.5, "the fastest peer"),
            _mean(f"training step, geometric mean ({label})", eager, 6.0, "torch eager"),
        ]
    return goals


def _prediction(found: dict[str, Any]) -> list[Goal]:
    ratios = {n: ratio_to(found, n, "onnxruntime") for n in _names("predict", ("core", "more"))}
    core = {name: ratios[name] for name in _names("predict", ("core",))}
    return [
        _each("inference, each cell", ratios, 1.0, "ONNX Runtime"),
        _mean("inference, geometric mean (core)", core, 1.5, "ONNX Runtime"),
        _mean("inference, geometric mean (all)", ratios, 1.5, "ONNX Runtime"),
    ]


def _names(kind: str, groups: tuple[str, ...]) -> list[str]:
    return [cell.name for cell in CELLS if cell.kind == kind and cell.group in groups]


def _each(name: str, ratios: dict[str, float | None], wanted: float, whom: str) -> Goal:
    known = {cell: ratio for cell, ratio in ratios.items() if ratio is not None}
    text = f"at least {wanted:g}x {whom}"
    if not known:
        return Goal(name, text, None, False)
    worst = min(known, key=known.__getitem__)
    below = sum(ratio < wanted for ratio in known.values())
    reached = f"{known[worst]:.2f}x at worst ({worst}); {below} of {len(known)} below"
    passed = below == 0 and len(known) == len(ratios)
    return Goal(name, text, reached + _left_out(ratios, known), passed)


def _mean(name: str, ratios: dict[str, float | None], wanted: float, whom: str) -> Goal:
    known = {cell: ratio for cell, ratio in ratios.items() if ratio is not None}
    text = f"{wanted:g}x {whom}"
    if not known:
        return Goal(name, text, None, False)
    mean = geometric_mean(known.values())
    reached = f"{mean:.2f}x over {len(known)} cells" + _left_out(ratios, known)
    return Goal(name, text, reached, mean >= wanted and len(known) == len(ratios))


def _left_out(ratios: dict[str, Any], known: dict[str, Any]) -> str:
    count = len(ratios) - len(known)
    return f"; {count} not measured" if count else ""


def _latencies(found: dict[str, Any]) -> list[Goal]:
    goals = []
    for cell, wanted in LATENCIES:
        seconds = seconds_of(found, cell.name, OURS)
        reached = None if seconds is None else f"{1e6 * seconds:.2f} us"
        passed = seconds is not None and seconds <= wanted
        goals.append(Goal(cell.name, f"{1e6 * wanted:g} us", reached, passed))
    return goals


def _shares(found: dict[str, Any]) -> list[Goal]:
    avx2 = found["machine"]["instruction set"] == "avx2"
    goals = []
    for cell, wanted in AVX2_SHARES if avx2 else SHARES:
        share = share_of_limit(found, cell)
        reached = None if share is None else f"{share:.1%}"
        passed = share is not None and wanted <= share < BELIEVABLE
        goals.append(Goal(cell.name, f"{wanted:.0%} of the FMA peak", reached, passed))
    return goals


def _fits(found: dict[str, Any]) -> list[Goal]:
    goals = []
    for task, peer, wanted in FIT_RATIOS:
        results = found.get("fits", {}).get(task, {})
        for name in (OURS, OUR_ESTIMATORS):
            ours, theirs = results.get(name, {}), results.get(peer, {})
            ratio = None
            if "seconds" in ours and "seconds" in theirs:
                ratio = theirs["seconds"] / ours["seconds"]
            reached = None if ratio is None else f"{ratio:.2f}x"
            what = f"fit {task}" if name == OURS else f"fit {task}, {name}"
            passed = ratio is not None and ratio >= wanted
            goals.append(Goal(what, f"{wanted:g}x {peer}", reached, passed))
    return goals


def _sizes(found: dict[str, Any]) -> list[Goal]:
    imports, wheel = found.get("imports", {}), found.get("wheel")
    extra = None
    if "numpy" in imports and OURS in imports:
        extra = imports[OURS] - imports["numpy"]
    return [
        Goal("import", f"{1e3 * IMPORT_SECONDS:.0f} ms over NumPy's own",
             None if extra is None else f"{1e3 * extra:.1f} ms",
             extra is not None and extra <= IMPORT_SECONDS),
        Goal("wheel", f"under {WHEEL_BYTES / 1e6:g} MB",
             None if wheel is None else f"{wheel / 1e6:.2f} MB",
             wheel is not None and wheel < WHEEL_BYTES),
    ]  # fmt: skip


def _busy(found: dict[str, Any]) -> list[Goal]:
    """All threads compared with one, while another program or other fits run."""
    busy = found.get("busy", {})
    steps = busy.get("step, one processor busy", {})
    ratios = {f"side by side in {kind}": r for kind, r in busy.get("side by side", {}).items()}
    if steps:
        counts = sorted(steps, key=int)
        ratios = {"one processor busy": steps[counts[-1]] / steps[counts[0]], **ratios}
    wanted = f"at most {BUSY_SLOWDOWN:g}x the time of 1 thread"
    if not ratios:
        return [Goal("all threads, one processor busy", wanted, None, False)]
    return [
        Goal(f"all threads, {name}", wanted, f"{ratio:.2f}x", ratio <= BUSY_SLOWDOWN)
        for name, ratio in ratios.items()
    ]


def _adjacent_sizes(found: dict[str, Any]) -> list[Goal]:
    goals = []
    for name, cells in FAMILIES.items():
        falls = worst_falls(cells, found.get("families", {}).get(name, {}))
        reached, passed = None, False
        if falls:
            worst = max(falls, key=falls.__getitem__)
            reached, passed = f"{falls[worst]:.1%} ({worst})", falls[worst] <= CLIFF
        goals.append(Goal(f"adjacent sizes: {name}", f"at most {CLIFF:.0%} below", reached, passed))
    return goals


def worst_falls(cells: list[Cell], results: dict[str, Any]) -> dict[str, float]:
    """How far the FLOP/s of each cell are below those of an adjacent size, as a fraction.

    A cell with clearly less work than its neighbour has fewer FLOP/s by nature (batch 1 beside
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
