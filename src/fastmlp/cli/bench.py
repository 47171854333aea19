"""`fastmlp bench`: a few training steps and predictions beside the libraries installed here."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

import fastmlp as fm
from fastmlp.cli.peers import MAKERS
from fastmlp.errors import FastMLPError

CELLS = [
    ("train", 1, (8, 64, 64, 4)),
    ("train", 256, (17, 256, 256, 6)),
    ("train", 128, (784, 256, 128, 10)),
    ("predict", 1, (8, 64, 64, 4)),
    ("predict", 128, (784, 256, 128, 10)),
]
ROUNDS = 3
# Thread pools spin behind a call, OpenBLAS's for a tenth of a second; nobody is timed meanwhile.
PAUSE = 0.12
CHECK_STEPS = 3
TOLERANCE = 1e-3


def run(seconds: float, threads: int | None) -> None:
    """Time each cell for about ``seconds`` per library and print the table."""
    from rich.console import Console
    from rich.progress import track

    if threads:
        fm.set_num_threads(threads)
    console = Console()
    rows = [_row(*cell, seconds) for cell in track(CELLS, "measuring", transient=True)]
    console.print(_table(rows))
    console.print("Microseconds, medians; faster: the fastest of the others over fastmlp.")


def _table(rows: list[tuple[str, dict[str, float]]]) -> Any:
    from rich import box
    from rich.table import Table

    names = [name for name in MAKERS if any(name in times for _, times in rows)]
    table = Table(*["", *names, "faster"], box=box.SIMPLE_HEAD)
    for column in table.columns:
        column.justify, column.no_wrap = "right", True
    table.columns[0].justify = "left"
    for title, times in rows:
        best = min((time for name, time in times.items() if name != "fastmlp"), default=np.nan)
        cells = [f"{1e6 * times[name]:.4g}" if name in times else "" for name in names]
        table.add_row(title, *cells, f"{best / times['fastmlp']:.1f}x")
    return table


def _row(
    kind: str, batch: int, widths: tuple[int, ...], seconds: float
) -> tuple[str, dict[str, float]]:
    """Name of the cell, and median seconds of each library that is installed."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, widths[0]), dtype=np.float32)
    y = rng.integers(widths[-1], size=batch)
    shapes = list(pairwise(widths))
    weights = [
        ((rng.standard_normal(s) * np.sqrt(2 / s[0])).astype("f4"), np.zeros(s[1], "f4"))
        for s in shapes
    ]
    calls: dict[str, Callable[[], Any]] = {}
    expected: Any = None
    for name, make in MAKERS.items():
        try:
            sides = make(weights, x, y)
        except ImportError:
            continue
        call = sides.step if kind == "train" else sides.predict
        if call is None:
            continue
        result = [np.asarray(call()) for _ in range(CHECK_STEPS)][-1]
        expected = result if expected is None else expected
        if not np.allclose(result, expected, rtol=TOLERANCE, atol=TOLERANCE):
            raise FastMLPError(f"{name} and fastmlp disagree; nothing to compare")
        calls[name] = call
    return f"{kind} {batch}, {'-'.join(map(str, widths))}", _times(calls, seconds)


def _times(calls: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Median seconds of a call; the libraries take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            time.sleep(PAUSE)
            count = _count(call, seconds / ROUNDS)
            start = time.perf_counter()
            for _ in range(count):
                call()
            times[name].append((time.perf_counter() - start) / count)
    return {name: statistics.median(values) for name, values in times.items()}


def _count(call: Callable[[], Any], seconds: float) -> int:
    """How many calls take about that long; as a side effect, pools and caches are awake."""
    start = time.perf_counter()
    call()
    call()
    return max(1, int(2 * seconds / (time.perf_counter() - start)))
