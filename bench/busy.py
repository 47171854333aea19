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
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

import fastmlp as fm
from bench.cells import MNIST, SQUARE
from bench.pool import ROOT, all_threads, pinned_environment
from bench.problems import SEED

BATCH, LARGE_BATCH, ROWS = 128, 256, 1024
# A network as those of reinforcement learning, and its batch.
CONTROL, CONTROL_BATCH = (4, 256, 256, 2), 64
# Blocks on one thread and on all threads alternate. The result is a mean, because a median would
# hide stalls.
BLOCK_SECONDS, ROUNDS = 0.5, 12
WORKERS, SIDE_ROUNDS, SIDE_SECONDS = 4, 5, 0.3
# Many more threads than processors.
MANY_THREADS = (64, 128)
# Programs that work all the time, for half of it, and in bursts of 2 to 200 ms.
BUSY = "while True: pass"
HALF_BUSY = """
from time import perf_counter, sleep
while True:
    end = perf_counter() + 0.01
    while perf_counter() < end:
        pass
    sleep(0.01)
"""
BURSTY = """
from random import Random
from time import perf_counter, sleep
rng = Random(0)
while True:
    end = perf_counter() + 0.002 * 100 ** rng.random()
    while perf_counter() < end:
        pass
    sleep(0.002 * 100 ** rng.random())
"""
# An environment: it answers each line on its standard input after a millisecond of work.
ENVIRONMENT = """
import sys
from time import perf_counter
for line in sys.stdin:
    end = perf_counter() + 0.001
    while perf_counter() < end:
        pass
    print(line, end="", flush=True)
"""
# What runs beside the work: the codes of processes that work by themselves.
LOADS: dict[str, list[str]] = {
    "quiet": [],
    "one processor busy": [BUSY],
    "one processor half busy": [HALF_BUSY],
    "two processors busy": [BUSY, BUSY],
    "bursts": [BURSTY],
}
PING_PONG = "an environment in another process"
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


class SquaredError:
    """A loss of the user's own, as reinforcement learning needs them."""

    def forward(self, scores: np.ndarray, y: np.ndarray) -> float:
        self._error = scores - y
        return float((self._error * self._error).mean())

    def backward(self) -> np.ndarray:
        return 2.0 / self._error.size * self._error


def make_net(widths: tuple[int, ...]) -> fm.Sequential:
    layers: list[fm.Layer] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [fm.ReLU()] if layers else []
        layers.append(fm.Linear(fan_in, fan_out))
    return fm.Sequential(*layers, seed=SEED)


def make_trainer(widths: tuple[int, ...] = MNIST) -> tuple[fm.Trainer, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(SEED)
    trainer = fm.Trainer(make_net(widths), fm.CrossEntropyLoss(), fm.SGD(lr=1e-3))
    x = rng.standard_normal((ROWS, widths[0]), dtype=np.float32)
    return trainer, x, rng.integers(widths[-1], size=ROWS)


def training_step(widths: tuple[int, ...], batch: int) -> Callable[[], object]:
    trainer, x, y = make_trainer(widths)
    return partial(trainer.step, x[:batch], y[:batch])


def own_step() -> Callable[[], object]:
    """A step with a loss of the user's own."""
    rng = np.random.default_rng(SEED)
    trainer = fm.Trainer(make_net(CONTROL), SquaredError(), fm.Adam(lr=1e-3))
    x = rng.standard_normal((CONTROL_BATCH, CONTROL[0]), dtype=np.float32)
    return partial(trainer.step, x, rng.standard_normal((CONTROL_BATCH, CONTROL[-1])))


def by_hand() -> Callable[[], object]:
    """A prediction, and a step that consists of its three parts."""
    rng = np.random.default_rng(SEED)
    net = make_net(CONTROL)
    optimizer = fm.Adam(net, lr=1e-3)
    x = rng.standard_normal((CONTROL_BATCH, CONTROL[0]), dtype=np.float32)

    def run() -> None:
        y = net.predict(x)
        net.backward(net.forward(x, training=True) - 0.9 * y)
        optimizer.step()

    return run


# The work that is timed.
WORKS: dict[str, Callable[[], Callable[[], object]]] = {
    "step": lambda: training_step(MNIST, BATCH),
    "large step": lambda: training_step(SQUARE, LARGE_BATCH),
    "step with an own loss": own_step,
    "step by hand": by_hand,
}


@contextlib.contextmanager
def beside(codes: list[str]) -> Iterator[None]:
    """Runs programs in processes of their own meanwhile."""
    with contextlib.ExitStack() as stack:
        for code in codes:
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", code]))
            stack.callback(process.kill)
        yield


def mean_seconds(work: Callable[[], object], counts: list[int], rounds: int) -> dict[int, float]:
    """Mean seconds of a call for each number of threads, in interleaved blocks."""
    seconds, calls = dict.fromkeys(counts, 0.0), dict.fromkeys(counts, 0)
    for _ in range(rounds):
        for count in counts:
            with fm.threads(count):
                start = time.perf_counter()
                while (passed := time.perf_counter() - start) < BLOCK_SECONDS:
                    work()
                    calls[count] += 1
            seconds[count] += passed
    return {count: seconds[count] / calls[count] for count in counts}


def ping_pong(counts: list[int], rounds: int) -> dict[int, float]:
    """Steps while an environment in another process works, then one answer from it."""
    command = [sys.executable, "-c", ENVIRONMENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        to, back, step = process.stdin, process.stdout, own_step()
        assert to is not None
        assert back is not None

        def run() -> None:
            to.write(b"a\n")
            to.flush()
            for _ in range(8):
                step()
            back.readline()

        try:
            return mean_seconds(run, counts, rounds)
        finally:
            process.kill()


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


def measure_loads(counts: list[int], rounds: int) -> dict[str, dict[int, float]]:
    """Mean seconds of each work beside each load."""
    found = {}
    for load, codes in LOADS.items():
        with beside(codes):
            for name, make in WORKS.items():
                blocks = rounds if codes else max(1, rounds // 4)
                found[f"{name}, {load}"] = mean_seconds(make(), counts, blocks)
    found[f"step with an own loss, {PING_PONG}"] = ping_pong(counts, rounds)
    return found


def main(rounds: int) -> None:
    counts = sorted({1, all_threads()})
    many = [all_threads(), *MANY_THREADS]
    print(json.dumps({
        **measure_loads(counts, rounds),
        "many threads": mean_seconds(training_step(MNIST, BATCH), many, max(1, rounds // 2)),
        "side by side": {kind: slowdown(kind, min(rounds, SIDE_ROUNDS)) for kind in EXECUTORS},
    }))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
