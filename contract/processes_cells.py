"""Fits in other processes and threads, before, after and during a fit of this process.

Runs in a separate process that ``processes.py`` watches; see ``cell``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib
import importlib.util
import json
import multiprocessing
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from tests import process_reports

import fastmlp as fm
from contract import processes_hosts as hosts

Job = tuple[str, int]
Ended = tuple[int, str]  # epochs of a fit, and the bits of its parameters and losses
MOMENTS = ("before", "after", "during")

# The trainer that a thread of this process uses; a forked worker has it in its state at the fork.
_at_work: list[fm.Trainer] = []


def fit(job: Job) -> str:
    """Check the network that is being fitted, then fit another one while the host library works.

    The host library works only in the first process: GNU OpenMP hangs in a forked child whose
    parent has used it, and fastmlp cannot change that.
    """
    host, seed = job
    importlib.import_module(hosts.MODULES[host])
    for trainer in _at_work:
        _look_at(trainer.net)
    return str(process_reports.fit(seed)["bits"])


def _look_at(net: Any) -> None:
    """A busy network predicts and can be copied; after a fork, it may refuse everything else."""
    rows = process_reports.X[:64]
    net.predict(rows)
    assert net.copy().forward(rows).shape == (64, process_reports.WIDTHS[-1])
    if multiprocessing.parent_process() is not None:
        with contextlib.suppress(fm.StateError):
            net.forward(rows)


# ---- ways ----


def _executor(method: str, jobs: Sequence[Job]) -> list[str]:
    return process_reports.executor(method, fit, jobs)


def _loky(jobs: Sequence[Job]) -> list[str]:
    return process_reports.with_joblib("loky", fit, jobs)


def _threads(jobs: Sequence[Job]) -> list[str]:
    with ThreadPoolExecutor(len(jobs)) as workers:
        return list(workers.map(fit, jobs))


def _asyncio(jobs: Sequence[Job]) -> list[str]:
    async def all_at_once() -> list[str]:
        loop = asyncio.get_running_loop()
        half = len(jobs) // 2
        calls = [asyncio.to_thread(fit, job) for job in jobs[:half]]
        futures = [loop.run_in_executor(None, fit, job) for job in jobs[half:]]
        return list(await asyncio.gather(*calls, *futures))

    return asyncio.run(all_at_once())


WAYS: dict[str, Callable[[Sequence[Job]], list[str]]] = {
    "fork": lambda jobs: _executor("fork", jobs),
    "forkserver": lambda jobs: _executor("forkserver", jobs),
    "spawn": lambda jobs: _executor("spawn", jobs),
    "loky": _loky,
    "threads": _threads,
    "asyncio": _asyncio,
}


def installed(way: str) -> bool:
    return way != "loky" or importlib.util.find_spec("joblib") is not None


# ---- moments ----

_SEED = 99  # of the fit during which others run


class _UntilDone:
    """A callback that keeps its fit running until the others have finished."""

    def __init__(self) -> None:
        self.started, self.done = threading.Event(), threading.Event()

    def on_epoch_end(self, state: Any) -> None:
        self.started.set()
        if self.done.is_set():
            state.stop()


@contextlib.contextmanager
def _amid_a_fit(ended: list[Ended]) -> Iterator[None]:
    """Runs a fit in another thread; appends its end to the list."""
    trainer, callback = process_reports.make_trainer(_SEED), _UntilDone()
    with ThreadPoolExecutor(1) as background:
        running = background.submit(_fit_here, trainer, 10**6, callback)
        try:
            assert callback.started.wait(process_reports.TIMEOUT), running.exception()
            _at_work.append(trainer)
            yield
        finally:
            _at_work.clear()
            callback.done.set()
        history = running.result()
    ended.append((len(history.loss), _bits(trainer.net, history)))


def _fit_here(trainer: fm.Trainer, epochs: int, callback: Any) -> fm.History:
    return trainer.fit(
        process_reports.X, process_reports.Y, epochs=epochs, batch_size=process_reports.BATCH,
        callbacks=[callback], progress=False, check_finite=False,
    )  # fmt: skip


def _bits(net: Any, history: fm.History) -> str:
    return hashlib.sha256(net.params.tobytes() + np.array(history.loss).tobytes()).hexdigest()


class _Remember:
    """A callback that records the bits after some numbers of epochs."""

    def __init__(self, epochs: Collection[int]) -> None:
        self.wanted, self.bits = set(epochs), dict[int, str]()

    def on_epoch_end(self, state: Any) -> None:
        if state.epoch + 1 in self.wanted:
            self.bits[state.epoch + 1] = _bits(state.net, state.history)


def bits_by_epoch(epochs: Collection[int]) -> dict[int, str]:
    """The bits of a fit that runs alone, after these numbers of epochs."""
    remember = _Remember(epochs)
    if epochs:
        _fit_here(process_reports.make_trainer(_SEED), max(epochs), remember)
    return remember.bits


def cell(way: str, moment: str, host: str, seeds: Sequence[int]) -> None:
    """Print the bits of fits from these seeds, run in this way at this moment.

    Also print how the fit during which they ran ended, or None.
    """
    fm.set_num_threads(process_reports.THREADS)
    jobs = [(host, seed) for seed in seeds]
    ended: list[Ended] = []
    if moment == "after":
        process_reports.fit(0)
    with _amid_a_fit(ended) if moment == "during" else contextlib.nullcontext():
        found = WAYS[way](jobs)
    print(json.dumps([found, ended[0] if ended else None]))
