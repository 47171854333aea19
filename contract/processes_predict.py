"""Predictions of one network by eight threads at once, compared with the same calls in turn."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np

import fastmlp as fm
from contract.figures import Figure, Scale, at_least, exactly, fact

THREADS = 8
LEAST = 1.0
# Rows of a call -> calls of a turn. A turn takes some hundred milliseconds; to wake eight threads
# takes less than a percent of that.
CALLS = {1: 240000, 16: 48000, 256: 4800, 4096: 640}
ADDITIONS, COUNT = 200000, 64


class _Work:
    """Some calls in turn, and the same number divided among threads of a pool."""

    def __init__(self, call: Callable[[int], None], calls: int, pool: ThreadPoolExecutor) -> None:
        self.call, self.calls, self.pool = call, calls, pool
        self.serial(), self.together()  # the first turn of a thread starts its own threads

    def serial(self) -> float:
        """Seconds for all calls in turn."""
        start = time.perf_counter()
        self.call(self.calls)
        return time.perf_counter() - start

    def together(self) -> float:
        """Seconds for the same calls, divided among the threads."""
        ready = threading.Barrier(THREADS)

        def share() -> float:
            ready.wait()
            start = time.perf_counter()
            self.call(self.calls // THREADS)
            return start

        starts = [self.pool.submit(share) for _ in range(THREADS)]
        first = min(start.result() for start in starts)
        return time.perf_counter() - first

    def ratio(self) -> float:
        """The current speed-up of eight threads."""
        return self.serial() / self.together()


class _Predictions:
    """Calls on one network. ``wrong`` holds a verdict for each checked result."""

    def __init__(self, rows: int, threads: int) -> None:
        self.net = fm.Sequential(fm.Linear(64, 64), fm.ReLU(), fm.Linear(64, 10), seed=0)
        self.threads = threads
        # Each caller has its own rows, so the result of another caller would be wrong.
        self.x = np.random.default_rng(0).normal(size=(THREADS, rows, 64)).astype(np.float32)
        with fm.threads(1):
            self.wanted = [self.net.predict(x) for x in self.x]
        self.wrong: list[bool] = []

    def run(self, calls: int) -> None:
        """Timed calls; only the last result is checked."""
        x, out = self.x[0], np.empty_like(self.wanted[0])
        with fm.threads(self.threads):
            for _ in range(calls):
                self.net.predict(x, out=out)
        self.wrong.append(out.tobytes() != self.wanted[0].tobytes())

    def check(self, calls: int, pool: ThreadPoolExecutor) -> None:
        """The same number of calls, divided among the threads; every result is checked."""
        ready = threading.Barrier(THREADS)

        def share(caller: int) -> list[bool]:
            out, wanted = np.empty_like(self.wanted[caller]), self.wanted[caller].tobytes()
            wrong = []
            ready.wait()
            with fm.threads(self.threads):
                for _ in range(calls // THREADS):
                    out.fill(np.nan)
                    self.net.predict(self.x[caller], out=out)
                    wrong.append(out.tobytes() != wanted)
            return wrong

        for wrong in pool.map(share, range(THREADS)):
            self.wrong += wrong


def _additions(calls: int) -> None:
    """Additions in NumPy, which keeps the GIL during them, as small predictions do."""
    x = np.zeros(COUNT, np.float32)
    for _ in range(calls):
        np.add(x, x, out=x)


def figures(scale: Scale) -> Iterator[Figure]:
    """The speed-up of eight callers: each kind of call once in a round, both ways in turn."""
    rounds, part = scale.choose(7, 51), scale.choose(8, 1)
    counts = sorted({1, fm.get_num_threads()})
    cases = list(product(CALLS, counts)) if scale.full else [(256, 1)]
    callers = [_Predictions(*case) for case in cases]
    calls = [CALLS[rows] // part for rows, _ in cases]
    with ThreadPoolExecutor(THREADS) as pool:
        works = [_Work(each.run, n, pool) for each, n in zip(callers, calls, strict=True)]
        additions = _Work(_additions, ADDITIONS // part, pool)
        found = [[work.ratio() for work in (*works, additions)] for _ in range(rounds)]
        for each, n in zip(callers, calls, strict=True):
            each.check(n, pool)
    *ratios, numpy = (statistics.quantiles(each, n=4) for each in zip(*found, strict=True))
    for (rows, threads), (low, middle, high) in zip(cases, ratios, strict=True):
        name = (
            f"Throughput of {THREADS} callers of predict by that of one, calls of {rows} rows "
            f"on {threads} threads at most"
        )
        note = f"quartiles {low:.2f} and {high:.2f} of {rounds} rounds"
        # The suite checks no times, because other programs may run beside it.
        full = scale.full
        yield at_least(name, middle, LEAST, note=note) if full else fact(name, middle, note)
    low, middle, high = numpy
    yield fact(
        f"The same of np.add on {COUNT} numbers, without fastmlp", middle,
        f"quartiles {low:.2f} and {high:.2f} of the same rounds",
    )  # fmt: skip
    wrong = [verdict for each in callers for verdict in each.wrong]
    yield exactly("Wrong predictions among them", sum(wrong), 0, f"of {len(wrong)} checked")
