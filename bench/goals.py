"""The goals and the values reached; every verdict is computed from the results."""

from __future__ import annotations

import statistics
from typing import Any, NamedTuple

from bench.accuracy import ACCURACY_TASKS
from bench.busy import MANY_THREADS
from bench.cells import (
    CELLS,
    CLIFF,
    FAMILIES,
    LARGE,
    LETTER,
    MNIST,
    SMALL,
    SQUARE,
    WIDE_MNIST,
    Cell,
)
from bench.contestants import OURS, PEERS
from bench.figures import (
    geometric_mean,
    ratio_to,
    ratio_to_fastest,
    seconds_of,
    share_of_limit,
    worst_falls,
)
from bench.fitters import OUR_ESTIMATORS

# Cell -> how many times faster than the fastest peer.
TRAINING_RATIOS = [
    (Cell("train", 256, SQUARE), 1.25),
    (Cell("train", 1024, LARGE), 1.2),
    (Cell("train", 256, SQUARE, optimizer="adam"), 1.2),
    (Cell("train", 256, SQUARE, dtype="float64"), 1.2),
    (Cell("train", 256, SQUARE, threads=1), 1.2),
]
# Cell -> how many times faster than ONNX Runtime.
PREDICTION_RATIOS = [
    (Cell("predict", 1024, LARGE), 1.1),
    (Cell("predict", 512, WIDE_MNIST), 1.1),
    (Cell("predict", 512, WIDE_MNIST, threads=1), 1.1),
    (Cell("predict", 128, MNIST, threads=1), 1.1),
    (Cell("predict", 256, LETTER, activation="silu"), 1.3),
    (Cell("predict", 256, LETTER, activation="gelu"), 1.3),
    (Cell("predict", 1, MNIST, out=True), 1.3),
]
# Cell -> how many times faster than fastmlp in float32.
BFLOAT16_RATIOS = [
    (Cell("train", 1024, LARGE, "bfloat16"), 1.8),
    (Cell("train", 256, SQUARE, "bfloat16"), 1.7),
    (Cell("train", 128, MNIST, "bfloat16"), 1.3),
    (Cell("predict", 1024, LARGE, "bfloat16"), 1.9),
    (Cell("predict", 1, LARGE, "bfloat16"), 1.8),
]
BFLOAT16_TORCH = (Cell("train", 1024, LARGE, "bfloat16"), 1.2)
# Bound by memory: half the bytes, once they are packed.
FROZEN_BFLOAT16 = (Cell("predict", 1, LARGE, "frozen"), 1.8)
FROZEN_RATIO, INT8_RATIO, INT8_WIDTH = 1.3, 2.0, 1024
# Cell -> fraction of the multiply-add peak.
SHARES = [
    (Cell("train", 1024, LARGE), 0.90),
    (Cell("train", 256, SQUARE), 0.88),
    (Cell("train", 64, (1000, 100, 10)), 0.60),
    (Cell("train", 256, LETTER, activation="gelu"), 0.60),
    (Cell("train", 256, LETTER, activation="silu"), 0.60),
]
# Cells with groups or folds -> fraction of the multiply-add peak.
BLOCK_SHARES = {32: 0.70, 20: 0.30}
FOLD_SHARE = 0.85
AVX2_SHARES = [(Cell("train", 1024, LARGE), 0.85), (Cell("train", 256, SQUARE), 0.85)]
# The other training steps with at least so much work.
LARGE_STEP_SHARE, LARGE_STEP_FLOPS = 0.85, 1e7
LATENCIES = [(Cell("train", 1, SMALL), 1.6e-6), (Cell("predict", 1, SMALL), 1.2e-6)]
FIT_RATIOS = [
    ("digits", "scikit-learn", 20.0), ("MNIST-10k", "scikit-learn", 5.0),
    ("letter", "scikit-learn", 5.0), ("digits", "jax", 2.0), ("letter", "jax", 2.0),
    ("MNIST-10k", "jax", 1.4),
]  # fmt: skip
# A higher fraction means that other programs were running while the limit was measured.
BELIEVABLE = 1.02
BUSY_SLOWDOWN = 1.1
SIDE_BY_SIDE = 1.3
HALF_BUSY_RATIO = 0.8
MANY_THREADS_RATIO = 1.2
MEMORY_RATIO = 1.5
ACCURACY_POINTS = 0.3
IMPORT_SECONDS = 0.010
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
    parts = (
        _training, _prediction, _latencies, _shares, _bfloat16, _frozen, _graphs, _blocks, _fits,
    )  # fmt: skip
    others = (_adjacent_sizes, _memory, _busy, _sizes)
    return [goal for part in (*parts, *others) for goal in part(found)]


def _at_least(name: str, value: float | None, wanted: float, whom: str) -> Goal:
    reached = None if value is None else f"{value:.2f}x"
    return Goal(name, f"{wanted:g}x {whom}", reached, value is not None and value >= wanted)


def _at_most(name: str, value: float | None, wanted: float, whom: str, where: str = "") -> Goal:
    reached = None if value is None else f"{value:.2f}x" + (f" ({where})" if where else "")
    text = f"at most {wanted:g}x {whom}"
    return Goal(name, text, reached, value is not None and value <= wanted)


def _training(found: dict[str, Any]) -> list[Goal]:
    names = _names("train", "core", "more")
    fastest = {name: ratio_to_fastest(found, name) for name in names}
    eager = {name: ratio_to(found, name, "torch") for name in names}
    return [
        _each("training step, each cell", fastest, 1.0, "the fastest peer"),
        _mean("training step, geometric mean", fastest, 2.5, "the fastest peer"),
        _mean("training step, geometric mean", eager, 6.5, "torch eager"),
        *(
            _at_least(c.name, ratio_to_fastest(found, c.name), wanted, "the fastest peer")
            for c, wanted in TRAINING_RATIOS
        ),
    ]


def _prediction(found: dict[str, Any]) -> list[Goal]:
    names, onnx = _names("predict", "core", "more"), "onnxruntime"
    ratios = {name: ratio_to(found, name, onnx) for name in names}
    fastest = {name: ratio_to_fastest(found, name) for name in names}
    return [
        _each("prediction, each cell", fastest, 1.0, "the fastest peer"),
        _each("prediction, each cell", ratios, 1.0, "ONNX Runtime"),
        _mean("prediction, geometric mean", ratios, 1.8, "ONNX Runtime"),
        *(
            _at_least(c.name, ratio_to(found, c.name, onnx), wanted, "ONNX Runtime")
            for c, wanted in PREDICTION_RATIOS
        ),
    ]


def _bfloat16(found: dict[str, Any]) -> list[Goal]:
    fastest = {
        cell.name: ratio_to_fastest(found, cell.name) for cell in CELLS if cell.group == "bfloat16"
    }
    cell, wanted = BFLOAT16_TORCH
    torch = ratio_to(found, cell.name, "torch", "torch.compile")
    return [
        _each("bfloat16, each cell", fastest, 1.0, "the fastest peer"),
        *(
            _at_least(c.name, ratio_to(found, c.name, "fastmlp float32"), ratio, "our float32")
            for c, ratio in BFLOAT16_RATIOS
        ),
        _at_least(cell.name, torch, wanted, "torch under autocast, eager or compiled"),
        *_accuracy(found),
    ]


def _accuracy(found: dict[str, Any]) -> list[Goal]:
    """Mean score of float32 minus that of bfloat16, over fits from the same seeds."""
    goals = []
    for task in ACCURACY_TASKS:
        scores = found.get("accuracy", {}).get(task, {})
        reached, loss = None, 0.0
        if "bfloat16" in scores:
            pairs = zip(scores["float32"], scores["bfloat16"], strict=True)
            losses = [100 * (single - half) for single, half in pairs]
            loss = statistics.mean(losses)
            error = statistics.stdev(losses) / len(losses) ** 0.5
            reached = f"{loss:+.2f} points over {len(losses)} seeds (standard error {error:.2f})"
        name = f"bfloat16, test score lost, {task}"
        text = f"at most {ACCURACY_POINTS:g} points"
        goals.append(Goal(name, text, reached, loss <= ACCURACY_POINTS))
    return goals


def _frozen(found: dict[str, Any]) -> list[Goal]:
    cells = [cell for cell in CELLS if cell.group == "frozen"]
    names = [cell.name for cell in cells]
    wide = [cell.name for cell in cells if min(cell.widths) >= INT8_WIDTH]
    ratios = {name: ratio_to(found, name, "onnxruntime") for name in names}
    int8 = {name: ratio_to(found, name, OURS, ours="fastmlp int8") for name in wide}
    cell, wanted = FROZEN_BFLOAT16
    bfloat16 = ratio_to(found, cell.name, OURS, ours="fastmlp bfloat16")
    return [
        _each("frozen prediction, each cell", ratios, FROZEN_RATIO, "ONNX Runtime"),
        _at_least(f"{cell.name}, bfloat16", bfloat16, wanted, "our frozen float32"),
        _each(f"int8, {INT8_WIDTH} wide and more", int8, INT8_RATIO, "our frozen float32"),
    ]


def _graphs(found: dict[str, Any]) -> list[Goal]:
    ratios = {c.name: ratio_to_fastest(found, c.name) for c in CELLS if c.group == "graph"}
    return [_each("graphs, each cell", ratios, 1.0, "the fastest peer")]


def _blocks(found: dict[str, Any]) -> list[Goal]:
    cells = [cell for cell in CELLS if cell.group == "blocks"]
    ratios = {cell.name: ratio_to_fastest(found, cell.name) for cell in cells}
    wanted = {c: FOLD_SHARE if c.fold > 1 else BLOCK_SHARES[c.groups] for c in cells}
    return [
        *(_share(found, cell, share) for cell, share in wanted.items()),
        _each("groups and folds, each cell", ratios, 1.0, "the fastest peer"),
    ]


def _names(kind: str, *groups: str) -> list[str]:
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
        goals.append(_share(found, cell, wanted))
    return goals if avx2 else [*goals, _large_steps(found)]


def _share(found: dict[str, Any], cell: Cell, wanted: float) -> Goal:
    share = share_of_limit(found, cell)
    reached = None if share is None else f"{share:.1%}"
    passed = share is not None and wanted <= share < BELIEVABLE
    return Goal(cell.name, f"{wanted:.0%} of the FMA peak", reached, passed)


def _large_steps(found: dict[str, Any]) -> Goal:
    """The training steps with much work for which no other share is a goal."""
    own = {cell.name for cell, _ in SHARES}
    names = [name for name in _names("train", "core", "more") if name not in own]
    cells = [c for c in CELLS if c.name in names and c.flops >= LARGE_STEP_FLOPS]
    name = f"training step, each other cell of {LARGE_STEP_FLOPS / 1e6:g} MFLOP and more"
    text = f"{LARGE_STEP_SHARE:.0%} of the FMA peak"
    shares = {cell.name: share_of_limit(found, cell) for cell in cells}
    known = {cell: share for cell, share in shares.items() if share is not None}
    if not known:
        return Goal(name, text, None, False)
    worst = min(known, key=known.__getitem__)
    below = sum(share < LARGE_STEP_SHARE for share in known.values())
    reached = f"{known[worst]:.1%} at worst ({worst}); {below} of {len(known)} below"
    passed = below == 0 and len(known) == len(shares) and max(known.values()) < BELIEVABLE
    return Goal(name, text, reached + _left_out(shares, known), passed)


def _fits(found: dict[str, Any]) -> list[Goal]:
    goals = []
    for task, peer, wanted in FIT_RATIOS:
        results = found.get("fits", {}).get(task, {})
        for name in (OURS, OUR_ESTIMATORS):
            ours, theirs = results.get(name, {}), results.get(peer, {})
            ratio = None
            if "seconds" in ours and "seconds" in theirs:
                ratio = theirs["seconds"] / ours["seconds"]
            what = f"fit {task}" if name == OURS else f"fit {task}, {name}"
            goals.append(_at_least(what, ratio, wanted, peer))
    return goals


def _memory(found: dict[str, Any]) -> list[Goal]:
    """Peaks over the minimum and over the least of the peers, at worst."""
    over, beside = {}, {}
    for cell, row in found.get("memory", {}).items():
        peers = [row[n] for n in PEERS if isinstance(row.get(n), int)]
        if isinstance(row.get(OURS), int):
            over[cell] = row[OURS] / row["minimum"]
            if peers:
                beside[cell] = row[OURS] / min(peers)
    return [
        _worst("memory of a training step, each cell", over, MEMORY_RATIO, "the minimum"),
        _worst("memory of a training step, each cell", beside, 1.0, "the least of the peers"),
    ]


def _worst(name: str, ratios: dict[str, float], wanted: float, whom: str) -> Goal:
    worst = max(ratios, key=ratios.__getitem__) if ratios else ""
    return _at_most(name, ratios.get(worst), wanted, whom, worst)


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
    """All threads compared with one, while other programs or other fits run."""
    busy = found.get("busy", {})
    one = "the time of 1 thread"
    loads = [name for name in busy if "," in name and not name.endswith("quiet")]
    goals = [
        _at_most(f"all threads, {name}", _all_over_one(busy, name), BUSY_SLOWDOWN, one)
        for name in loads or ["step, one processor busy"]
    ]
    goals.append(
        _at_most("all threads, one processor half busy, 256, 1024x4",
                 _all_over_one(busy, "large step, one processor half busy"), HALF_BUSY_RATIO, one)
    )  # fmt: skip
    for kind, ratio in busy.get("side by side", {}).items():
        goals.append(_at_most(f"all threads, side by side in {kind}", ratio, SIDE_BY_SIDE, one))
    many = busy.get("many threads", {})
    fewest = many.get(min(many, key=int)) if many else None
    for count in MANY_THREADS:
        ratio = many[str(count)] / fewest if fewest and str(count) in many else None
        whom = "the time of a thread for each processor"
        goals.append(_at_most(f"{count} threads", ratio, MANY_THREADS_RATIO, whom))
    return goals


def _all_over_one(busy: dict[str, Any], name: str) -> float | None:
    steps = busy.get(name, {})
    counts = sorted(steps, key=int)
    return steps[counts[-1]] / steps[counts[0]] if len(counts) > 1 else None


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
