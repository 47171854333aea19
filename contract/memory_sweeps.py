"""Failures of memory at each level, in separate processes, because a failure may end them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
from collections import Counter
from dataclasses import dataclass, field
from math import nan
from typing import Any

from contract import memory_growth, native, preload
from contract.figures import Figure, Scale, Unavailable, at_least, at_most, exactly, fact

# Bytes for each call: half of the smallest block. Python's own tables change by less than a third
# of that.
MOST_LEAKED = 32.0


@dataclass
class Sweep:
    """The outcomes of the failures at one level."""

    least: int  # the least number of failures for a valid run
    whole: bool  # all requests, not a sample
    measured: bool  # also measures the growth of the heap
    cases: int = 0
    failures: int = 0
    absorbed: int = 0
    foreign: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    growths: list[tuple[float, str, int]] = field(default_factory=list)  # bytes a call, and where
    trials: list[float] = field(default_factory=list)  # bytes a call

    def add(self, tally: dict[str, Any]) -> None:
        """Add the outcomes of a case."""
        self.failures += tally["failures"]
        self.absorbed += tally["absorbed"]
        self.foreign.update(tally["foreign"])
        self.places.update(tally["places"])
        self.wrong += tally["wrong"]

    def figures(self, name: str) -> list[Figure]:
        """All figures with their goals."""
        return [
            *(self._growth(name) if self.measured else []),
            fact(f"{name}: calls", self.cases),
            at_least(
                f"{name}: failures",
                self.failures,
                self.least,
                note=f"{self.absorbed} had no effect",
            ),
            exactly(f"{name}: processes that died", len(self.deaths), 0, "; ".join(self.deaths)),
            exactly(
                f"{name}: not MemoryError, state changed, or wrong results afterwards",
                len(self.wrong),
                0,
                "; ".join(self.wrong[:5]),
            ),
            self._others(f"{name}: other errors, made of MemoryError by NumPy or Python itself"),
        ]

    def _others(self, name: str) -> Figure:
        count = self.foreign.total()
        note = ", ".join(f"{one} {kind}" for kind, one in self.foreign.most_common())
        if count:
            note += "; at lines of "
            note += ", ".join(f"{place} ({one})" for place, one in self.places.most_common(8))
        # Some requests are known to fail so; in a sample the number says nothing new.
        return exactly(name, count, 0, note) if self.whole else fact(name, count, note)

    def _growth(self, name: str) -> list[Figure]:
        if not memory_growth.measurable():
            return [fact(f"{name}: leaked", "not run", "the C library does not report it")]
        worst = sorted(self.growths, reverse=True)
        above = sum(growth > MOST_LEAKED for growth, _, _ in worst)
        where = "; ".join(
            f"{case}, request {nth}" for _, case, nth in worst[: max(1, min(above, 5))]
        )
        return [
            at_most(
                f"{name}: leaked by the worst, failing repeatedly",
                worst[0][0] if worst else nan,
                MOST_LEAKED,
                "bytes a call",
                f"{above} of {len(worst)} more; {where}",
            ),
            at_least(
                f"{name}: leaked with a block of {memory_growth.LEAST_BLOCK} bytes lost on purpose",
                min(self.trials, default=nan),
                memory_growth.LEAST_BLOCK,
                "bytes a call",
            ),
        ]


def run(scale: Scale) -> list[Figure]:
    """All levels that this interpreter has."""
    figures = []
    threads = (1, 3) if scale.full else (3,)
    for count in threads:
        name = f"requests of the core, threads {count}"
        sampling = _Sampling(scale.choose(3, 1), 1, scale.choose(50, 1))
        least = scale.choose(50, 200)
        figures += _sweep(scale, "core", count, sampling, least).figures(name)
    name = "requests of Python's objects"
    # Without the GIL, CPython 3.13 itself crashes if a tuple gets no memory.
    if importlib.util.find_spec("_testcapi") and not sysconfig.get_config_var("Py_GIL_DISABLED"):
        sampling = _Sampling(scale.choose(3, 1), scale.choose(301, 1), scale.choose(0, 199))
        least = scale.choose(20, 20_000)
        figures += _sweep(scale, "objects", 1, sampling, least).figures(name)
    else:
        figures.append(fact(name, "not run", "this Python has no _testcapi, or no GIL"))
    name = "requests to the C library, by anyone in the process"
    try:
        extra = preload.build("memory_malloc.c", scale.scratch) | {"PYTHONMALLOC": "malloc"}
    except Unavailable as missing:
        return [*figures, fact(name, "not run", str(missing))]
    sampling = _Sampling(scale.choose(4, 1), scale.choose(307, 1), 0)
    least = scale.choose(20, 20_000)
    # One thread: libgomp ends the process if it gets no memory for a team.
    return figures + _sweep(scale, "malloc", 1, sampling, least, extra).figures(name)


@dataclass(frozen=True)
class _Sampling:
    """Which cases, which of their requests, and which of those repeatedly (0: none)."""

    stride: int
    every: int
    measured: int


def _sweep(
    scale: Scale,
    level: str,
    threads: int,
    sampling: _Sampling,
    least: int,
    extra: dict[str, str] | None = None,
) -> Sweep:
    """Run all cases; if one ends the process, continue after it."""
    measured = sampling.measured if memory_growth.measurable() else 0
    found, first = Sweep(least, scale.full, sampling.measured > 0), 0
    settings = os.environ | (memory_growth.ENVIRONMENT if measured else {}) | (extra or {})
    while True:
        command = [sys.executable, "-m", "contract.memory_failures", level]
        command += map(str, (threads, first, sampling.stride, sampling.every, measured))
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   text=True, cwd=native.ROOT, env=settings)  # fmt: skip
        attempt, done = _listen(scale, process, found, level)
        if process.returncode == 0:
            return found
        found.deaths.append(f"{attempt} ended with {process.returncode}")
        if attempt is None or len(found.deaths) > 20:
            return found
        first += (done + 1) * sampling.stride


def _listen(
    scale: Scale, process: subprocess.Popen[str], found: Sweep, level: str
) -> tuple[Any, int]:
    """Collect tallies until the process ends; return its last attempt and number of cases."""
    attempt, done = None, 0
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            kind, what = json.loads(line)
            if kind == "attempt":
                attempt = what
            elif kind == "growth":
                found.growths.append(tuple(what))
            elif kind == "trial":
                found.trials.append(what)
            elif kind == "case":
                scale.say(f"{level}: {what}")
                found.cases += 1
            else:
                done += 1
                found.add(what)
    return attempt, done
