"""Predictions of one network by eight threads at once, against the same calls one after another."""

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
# Rows of a call -> calls of a turn, which takes some hundred milliseconds: waking eight threads
# takes less than a percent of it.
CALLS = {1: 240000, 16: 48000, 256: 4800, 4096: 640}
ADDITIONS, COUNT = 200000, 64


class _Work:
    """Some calls one after another, and as many shared by threads that stay."""

    def __init__(self, call: Callable[[int], None], calls: int, pool: ThreadPoolExecutor) -> None:
        self.call, self.calls, self.pool = call, calls, pool
        self.serial(), self.together()  # the first turn of a thread starts threads of its own

    def serial(self) -> float:
        """Seconds for all calls one after another."""
        start = time.perf_counter()
        self.call(self.calls)
        return time.perf_counter() - start

    def together(self) -> float:
        """Seconds for as many calls, shared by the threads, from the first's start on."""
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
        """How much faster eight are, now."""
        return self.serial() / self.together()


class _Predictions:
    """Calls on one network. ``wrong`` has a verdict for each result that was looked at."""

    def __init__(self, rows: int, threads: int) -> None:
        self.net = fm.Sequential(fm.Linear(64, 64), fm.ReLU(), fm.Linear(64, 10), seed=0)
        self.threads = threads
        # Rows of their own for each caller: another one's result is a wrong one.
        self.x = np.random.default_rng(0).normal(size=(THREADS, rows, 64)).astype(np.float32)
        with fm.threads(1):
            self.wanted = [self.net.predict(x) for x in self.x]
        self.wrong: list[bool] = []

    def run(self, calls: int) -> None:
        """Calls that are timed: the last one's result alone is looked at."""
        x, out = self.x[0], np.empty_like(self.wanted[0])
        with fm.threads(self.threads):
            for _ in range(calls):
                self.net.predict(x, out=out)
        self.wrong.append(out.tobytes() != self.wanted[0].tobytes())

    def check(self, calls: int, pool: ThreadPoolExecutor) -> None:
        """As many calls, shared by the threads, each one's result looked at."""
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
    """What NumPy does with the GIL, which small predictions keep as well."""
    x = np.zeros(COUNT, np.float32)
    for _ in range(calls):
        np.add(x, x, out=x)


def figures(scale: Scale) -> Iterator[Figure]:
    """How much faster eight callers are: each kind of call once a round, both ways in turn."""
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
        # The suite judges no times: it may run beside anything.
        full = scale.full
        yield at_least(name, middle, LEAST, note=note) if full else fact(name, middle, note)
    low, middle, high = numpy
    yield fact(
        f"The same of np.add on {COUNT} numbers, without fastmlp", middle,
        f"quartiles {low:.2f} and {high:.2f} of the same rounds",
    )  # fmt: skip
    wrong = [verdict for each in callers for verdict in each.wrong]
    yield exactly(
        "Predictions of them that were wrong", sum(wrong), 0, f"of {len(wrong)} looked at"
    )
