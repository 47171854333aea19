"""SIGINT at random moments of calls, and how long the calls take to end."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from contract import native
from contract.figures import Figure, Scale, at_least, at_most, exactly, fact
from contract.interruption_calls import FITS, OTHERS

SOON = 0.1  # seconds
WATCHDOG = 120.0  # seconds; a call takes a few
WATCHDOG_OF_CHECKS = 600.0  # seconds: they repeat 100,000 steps, also with counters


@dataclass
class Found:
    """The outcomes of signals to one kind of call."""

    waits: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def late(self) -> int:
        """How many calls took longer than allowed."""
        return sum(wait > SOON for wait in self.waits)


def run(scale: Scale) -> list[Figure]:
    """All kinds of calls."""
    rng = random.Random(7)
    slow = () if scale.full else ("fit, long steps",)
    fits = {name: Found() for name in FITS if name not in slow}
    others = {name: Found() for name in OTHERS if _is_there(name)}
    if not scale.full:
        others = {"predict": Found()}
    of_fits, of_others = scale.choose(len(fits), 500), scale.choose(3, 50 * len(others))
    _send(scale, fits, of_fits, rng)
    _send(scale, others, of_others, rng)
    return _figures(scale, "fit", fits, of_fits) + _figures(scale, "other calls", others, of_others)


def _is_there(name: str) -> bool:
    package = {"L-BFGS": "scipy", "estimator": "sklearn"}.get(name)
    return package is None or importlib.util.find_spec(package) is not None


def _send(scale: Scale, kinds: dict[str, Found], signals: int, rng: random.Random) -> None:
    """Interrupt calls of each kind in turn."""
    names = list(kinds)
    with Calls(scale) as calls:
        for k in range(signals):
            found = kinds[names[k % len(names)]]
            wait, wrong = calls.interrupt(names[k % len(names)], rng)
            found.waits.append(wait)
            found.wrong += wrong
            if k % 20 == 0:
                scale.say(f"signal {k} of {signals}")


def _figures(scale: Scale, name: str, kinds: dict[str, Found], least: int) -> list[Figure]:
    waits = np.array([wait for found in kinds.values() for wait in found.waits])
    wrong = [what for found in kinds.values() for what in found.wrong]
    late = ", ".join(f"{found.late()} of {kind}" for kind, found in kinds.items() if found.late())
    figures = [at_least(f"{name}: signals", len(waits), least)]
    if scale.full:
        share = float((waits <= SOON).mean())
        figures.append(at_least(f"{name}: ended within 100 ms", share, 0.99, note=late))
    else:  # with so few calls, a busy machine may delay any of them
        median = float(np.median(waits))
        figures.append(at_most(f"{name}: median time to the end", median, SOON, "s", late))
    for percent in (50, 90, 99, 100):
        figures.append(fact(f"{name}: {percent}% ended within, s", _percentile(waits, percent)))
    for kind, found in kinds.items():
        each = " ".join(f"{_percentile(found.waits, p):.4f}" for p in (50, 90, 100))
        figures.append(fact(f"{kind}: 50%, 90% and all ended within, s", each))
    what = "network, history or resumed result wrong"
    return [*figures, exactly(f"{name}: {what}", len(wrong), 0, "; ".join(wrong[:5]))]


def _percentile(waits: Any, percent: int) -> float:
    return round(float(np.percentile(waits, percent)), 5)


class Calls:
    """The process that makes the calls."""

    def __init__(self, scale: Scale) -> None:
        command = [sys.executable, "-m", "contract.interruption_calls", str(scale.scratch)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=native.ROOT,
            start_new_session=True,
        )  # fmt: skip

    def __enter__(self) -> Calls:
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def interrupt(self, name: str, rng: random.Random) -> tuple[float, list[str]]:
        """Start a call and send the signal; return the seconds until its end, and the faults."""
        assert self._process.stdin is not None
        with self._killed_after(WATCHDOG):
            print(json.dumps([name, rng.choice([1, 2])]), file=self._process.stdin, flush=True)
            assert self._read() == "ready"
            time.sleep(rng.uniform(0.0, 0.2))
            sent = time.monotonic_ns()
            os.kill(self._process.pid, signal.SIGINT)
            ended = self._read()
        with self._killed_after(WATCHDOG_OF_CHECKS):
            return (ended - sent) * 1e-9, [f"{name}: {what}" for what in self._read()]

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        watchdog = threading.Timer(seconds, self._process.kill)
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the interrupted process ended with {self._process.wait()}")
        return json.loads(line)
