"""A busy machine: training steps while other programs work, and several fits at the same time.

`python -m bench.busy` prints all results as JSON; `measure_busy` runs it in a fresh process.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

import fastmlp as fm
from bench.cells import MNIST, SQUARE
from bench.pool import ROOT, all_threads, pinned_environment
from bench.problems import SEED

BATCH, LARGE_BATCH, ROWS = 128, 256, 1024
# Blocks on one thread and on all threads alternate. The result is a mean, because a median would
# hide stalls.
BLOCK_SECONDS, ROUNDS = 0.5, 8
WORKERS, SIDE_ROUNDS, SIDE_SECONDS = 4, 5, 0.3
# Many more threads than processors.
MANY_THREADS = (64, 128)
# A program that works all the time, and one that works for half of it.
BUSY = "while True: pass"
HALF_BUSY = """
from time import perf_counter, sleep
while True:
    end = perf_counter() + 0.01
    while perf_counter() < end:
        pass
    sleep(0.01)
"""
# Each runs so many fits at the same time, in Python threads or in spawned processes.
EXECUTORS: dict[str, Callable[[], Executor]] = {
    "processes": lambda: ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")),
    "threads": lambda: ThreadPoolExecutor(WORKERS),
}


def measure_busy(rounds: int = ROUNDS) -> dict[str, Any]:
    """Run this module in a fresh process, with the default number of threads."""
    command = [sys.executable, "-m", "bench.busy", str(rounds)]
    environment = pinned_environment(all_threads())
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode != 0:
        return {"failed": (done.stderr.strip().splitlines() or ["failed"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def make_trainer(widths: tuple[int, ...] = MNIST) -> tuple[fm.Trainer, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(SEED)
    layers: list[fm.Layer] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [fm.ReLU()] if layers else []
        layers.append(fm.Linear(fan_in, fan_out))
    trainer = fm.Trainer(fm.Sequential(*layers, seed=SEED), fm.CrossEntropyLoss(), fm.SGD(lr=1e-3))
    x = rng.standard_normal((ROWS, widths[0]), dtype=np.float32)
    return trainer, x, rng.integers(widths[-1], size=ROWS)


@contextlib.contextmanager
def busy_processor(code: str = BUSY) -> Iterator[None]:
    """Keeps one processor busy from another process."""
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        try:
            yield
        finally:
            process.kill()


def steps_on(
    counts: list[int], rounds: int, widths: tuple[int, ...] = MNIST, batch: int = BATCH
) -> dict[int, float]:
    """Mean seconds of a step for each number of threads, in interleaved blocks."""
    trainer, x, y = make_trainer(widths)
    x, y = x[:batch], y[:batch]
    seconds, steps = dict.fromkeys(counts, 0.0), dict.fromkeys(counts, 0)
    for _ in range(rounds):
        for count in counts:
            with fm.threads(count):
                start = time.perf_counter()
                while (passed := time.perf_counter() - start) < BLOCK_SECONDS:
                    trainer.step(x, y)
                    steps[count] += 1
            seconds[count] += passed
    return {count: seconds[count] / steps[count] for count in counts}


def fit_for(threads: int, epochs: int) -> None:
    """One fit, in a worker of a group."""
    trainer, x, y = make_trainer()
    with fm.threads(threads):
        trainer.fit(x, y, epochs=epochs, batch_size=BATCH, progress=False)


def slowdown(kind: str, rounds: int) -> float:
    """Wall time of simultaneous fits, with all threads each relative to one thread each."""
    start = time.perf_counter()
    fit_for(1, 4)
    epochs = max(1, round(4 * SIDE_SECONDS / (time.perf_counter() - start)))
    ratios = []
    with EXECUTORS[kind]() as workers:

        def wall(threads: int) -> float:
            start = time.perf_counter()
            list(workers.map(fit_for, [threads] * WORKERS, [epochs] * WORKERS))
            return time.perf_counter() - start

        wall(all_threads())  # starts processes and threads
        for _ in range(rounds):
            ratios.append(wall(all_threads()) / wall(1))
    return statistics.median(ratios)


def main(rounds: int) -> None:
    counts = sorted({1, all_threads()})
    quiet = steps_on(counts, max(1, rounds // 4))
    with busy_processor():
        busy = steps_on(counts, rounds)
    large = SQUARE, LARGE_BATCH
    large_quiet = steps_on(counts, max(1, rounds // 4), *large)
    with busy_processor(HALF_BUSY):
        half_busy = steps_on(counts, rounds, *large)
    print(json.dumps({
        "step, quiet": quiet,
        "step, one processor busy": busy,
        "large step, quiet": large_quiet,
        "large step, one processor half busy": half_busy,
        "many threads": steps_on([all_threads(), *MANY_THREADS], max(1, rounds // 2)),
        "side by side": {kind: slowdown(kind, min(rounds, SIDE_ROUNDS)) for kind in EXECUTORS},
    }))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
