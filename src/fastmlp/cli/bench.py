"""`fastmlp bench`: a few training steps and predictions beside the libraries installed here."""

from __future__ import annotations

import shutil
import statistics
import textwrap
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import fastmlp as fm
from fastmlp.base.errors import FastMLPError
from fastmlp.base.validation import Array
from fastmlp.cli.peers import OURS, PEERS, Peer, Sides, Weights, by_hand
from fastmlp.cli.tables import column_lines, error_line

CELLS = [
    ("train", 1, (8, 64, 64, 4)),
    ("train", 256, (17, 256, 256, 6)),
    ("train", 128, (784, 256, 128, 10)),
    ("predict", 1, (8, 64, 64, 4)),
    ("predict", 128, (784, 256, 128, 10)),
]
ROUNDS = 3
# Seconds between libraries. Threads spin after a call (OpenBLAS's for 0.1 s, ONNX Runtime's for
# 40 ms); a library timed meanwhile would be slower.
PAUSE = 0.12
CHECK_STEPS = 3
# Largest relative error. An update is a small difference of weights: float32 keeps two or three
# digits of it.
TOLERANCE = {"train": 1e-2, "predict": 1e-5}
# Width where there is no terminal: every line fits.
PIPED = 120
INSTALL_HINT = 'pip install "fastmlp[bench]"'


class Line(NamedTuple):
    """A line of the table: median seconds by library, and the errors of those that failed."""

    title: str
    times: dict[str, float]
    failures: dict[str, str]


def run(seconds: float, threads: int | None) -> None:
    """Time each cell for about ``seconds`` per library and print the table."""
    from rich.console import Console
    from rich.progress import track

    if threads:
        fm.set_num_threads(threads)
    peers = [peer for peer in PEERS if not peer.missing()]
    console = Console(stderr=True)
    # Without a refreshing thread, which would disturb the timing.
    cells = track(CELLS, "measuring", console=console, transient=True, auto_refresh=False)
    lines = [_line(peers, *cell, seconds) for cell in cells]
    width = shutil.get_terminal_size((PIPED, 24)).columns
    _print_table(lines, [peer.name for peer in peers], width)
    for note in _notes(lines):
        print(textwrap.fill(note, width, break_long_words=False, break_on_hyphens=False))


def _print_table(lines: Sequence[Line], names: Sequence[str], width: int) -> None:
    rows = [(line.title, [*(_figure(line, name) for name in names), _gain(line)]) for line in lines]
    print(*column_lines([*names, "faster"], rows, width), sep="\n")


def _figure(line: Line, name: str) -> str:
    """Microseconds with three significant digits; from 100 on, as a whole number."""
    if name not in line.times:
        return "failed" if name in line.failures else "-"
    micros = 1e6 * line.times[name]
    return f"{micros:.3g}" if micros < 100 else f"{micros:.0f}"


def _gain(line: Line) -> str:
    others = [time for name, time in line.times.items() if name != OURS]
    return f"{min(others) / line.times[OURS]:.1f}x" if others else "-"


def _notes(lines: Sequence[Line]) -> list[str]:
    """Lines that explain the figures, and list failed and missing libraries."""
    legend = (
        f"Microseconds, medians of {ROUNDS} rounds, threads: {fm.get_num_threads()}; "
        "faster: the fastest of the others over fastmlp."
    )
    failed = [
        f"Failed: {name} in {line.title}: {why}"
        for line in lines
        for name, why in line.failures.items()
    ]
    packages = ", ".join(name for peer in PEERS for name in peer.missing())
    missing = [f"Missing: {packages} ({INSTALL_HINT})"] if packages else []
    return [legend, *failed, *missing]


def _line(
    peers: Sequence[Peer], kind: str, batch: int, widths: tuple[int, ...], seconds: float
) -> Line:
    """Set up the libraries, check their results, and time those that are right."""
    weights, x, y = _problem(batch, widths)
    expected = _expected(kind, weights, x, y)
    calls: dict[str, Callable[[], Any]] = {}
    failures: dict[str, str] = {}
    for peer in peers:
        try:
            sides = peer.make(weights, x, y)
            if kind in sides.calls:
                _check(kind, _result(kind, sides), expected, weights)
                calls[peer.name] = sides.calls[kind]
        except Exception as error:
            # An error of another library must not stop the comparison with the rest.
            if peer.name == OURS:
                raise
            failures[peer.name] = error_line(error)
    title = f"{kind} {batch}, {'-'.join(map(str, widths))}"
    return Line(title, _times(calls, seconds), failures)


def _problem(batch: int, widths: tuple[int, ...]) -> tuple[Weights, Array, Array]:
    """Initial weights, rows and labels."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, widths[0]), dtype=np.float32)
    y = rng.integers(widths[-1], size=batch)
    weights = []
    for fan_in, fan_out in pairwise(widths):
        W = rng.standard_normal((fan_in, fan_out)) * np.sqrt(2 / fan_in)
        # Not zero, so that a library that ignores the biases is found to be wrong.
        b = 0.1 * rng.standard_normal(fan_out)
        weights.append((W.astype("f4"), b.astype("f4")))
    return weights, x, y


def _expected(kind: str, weights: Weights, x: Array, y: Array) -> list[Array]:
    double = [(W.astype("f8"), b.astype("f8")) for W, b in weights]
    return _result(kind, by_hand(double, x.astype("f8"), y))


def _result(kind: str, sides: Sides) -> list[Array]:
    """Return the parameters after some steps, or the scores."""
    if kind == "predict":
        return [np.asarray(sides.calls[kind]())]
    for _ in range(CHECK_STEPS):
        sides.calls[kind]()
    return [np.asarray(array) for array in sides.params()]


def _check(kind: str, found: list[Array], expected: list[Array], weights: Weights) -> None:
    """Raise if a library's weights after the steps, or its scores, are wrong."""
    first = [array for pair in weights for array in pair]
    origins = first if kind == "train" else [np.zeros(1)]
    errors = [
        np.linalg.norm(value - wanted) / np.linalg.norm(wanted - origin)
        for value, wanted, origin in zip(found, expected, origins, strict=True)
    ]
    error = np.max(errors)
    # NaN compares false.
    if not error <= TOLERANCE[kind]:
        raise FastMLPError(f"wrong result, relative error {error:.2g}")


def _times(calls: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Median seconds of a call. Libraries take turns; each round starts with another one."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    # threadpoolctl has no types, so it is imported by name. It limits NumPy's BLAS threads.
    with import_module("threadpoolctl").threadpool_limits(fm.get_num_threads()):
        for i in range(ROUNDS):
            for name in names[i:] + names[:i]:
                time.sleep(PAUSE)
                count = _count(calls[name], seconds / ROUNDS)
                times[name].append(_elapsed(calls[name], count) / count)
    return {name: statistics.median(values) for name, values in times.items()}


def _count(call: Callable[[], Any], seconds: float) -> int:
    """Return how many calls take about `seconds`; this also warms up threads and caches."""
    spent, count = _elapsed(call, 1), 1
    while spent < seconds / 10:
        spent += _elapsed(call, count)
        count *= 2
    return max(1, int(count * seconds / spent))


def _elapsed(call: Callable[[], Any], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - start
