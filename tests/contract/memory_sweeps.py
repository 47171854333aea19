"""Failures of memory at each level, in processes of their own, which they might end."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from typing import Any

from tests.contract import native, preload
from tests.contract.figures import Figure, Scale, Unavailable, at_most, exactly, fact

# Bytes a failure: less than any block. The heap's own bookkeeping moves by a kilobyte in a round.
MOST_LEAKED = 16.0


@dataclass
class Sweep:
    """What came of the failures at one level."""

    cases: int = 0
    failures: int = 0
    absorbed: int = 0
    foreign: int = 0
    wrong: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    leak: float | None = None  # bytes a failure

    def figures(self, name: str) -> list[Figure]:
        """All of it beside the goals."""
        leak = (
            []
            if self.leak is None
            else [at_most(f"{name}: leaked", self.leak, MOST_LEAKED, "bytes each")]
        )
        return [
            *leak,
            fact(f"{name}: calls", self.cases),
            fact(f"{name}: failures", self.failures, f"{self.absorbed} had no effect"),
            exactly(f"{name}: processes that died", len(self.deaths), 0, "; ".join(self.deaths)),
            exactly(
                f"{name}: not MemoryError, state changed, or wrong results afterwards",
                len(self.wrong),
                0,
                "; ".join(self.wrong[:5]),
            ),
            fact(
                f"{name}: other errors, made of MemoryError by NumPy or Python itself",
                self.foreign,
            ),
        ]


def run(scale: Scale) -> list[Figure]:
    """All levels that are there."""
    figures = []
    threads = (1, 3) if scale.full else (3,)
    for count in threads:
        name = f"requests of the core, threads {count}"
        figures += _sweep(scale, "core", count, scale.choose(3, 1), 1).figures(name)
    name = "requests of Python's objects"
    # Without the GIL, CPython 3.13 crashes by itself where a tuple finds no memory.
    if importlib.util.find_spec("_testcapi") and not sysconfig.get_config_var("Py_GIL_DISABLED"):
        every = scale.choose(301, 1)
        figures += _sweep(scale, "objects", 1, scale.choose(3, 1), every).figures(name)
    else:
        figures.append(fact(name, "not run", "this Python has no _testcapi, or no GIL"))
    name = "requests to the C library, by anyone in the process"
    try:
        extra = preload.build("memory_malloc.c", scale.scratch) | {"PYTHONMALLOC": "malloc"}
    except Unavailable as missing:
        return [*figures, fact(name, "not run", str(missing))]
    every = scale.choose(307, 1)
    # One thread: where libgomp cannot have memory for a team, it ends the process.
    return figures + _sweep(scale, "malloc", 1, scale.choose(4, 1), every, extra).figures(name)


def _sweep(
    scale: Scale,
    level: str,
    threads: int,
    stride: int,
    every: int,
    extra: dict[str, str] | None = None,
) -> Sweep:
    """Run all cases; where one ends the process, go on behind it."""
    found, first = Sweep(), 0
    while True:
        command = [sys.executable, "-m", "tests.contract.memory_failures"]
        rounds = 4 if scale.full and level == "core" else 0
        command += [level, *map(str, (threads, first, stride, every, rounds))]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   text=True, cwd=native.ROOT,
                                   env=os.environ | (extra or {}))  # fmt: skip
        attempt, done = _listen(scale, process, found, level)
        if process.returncode == 0:
            return found
        found.deaths.append(f"{attempt} ended with {process.returncode}")
        if attempt is None or len(found.deaths) > 20:
            return found
        first += (done + 1) * stride


def _listen(
    scale: Scale, process: subprocess.Popen[str], found: Sweep, level: str
) -> tuple[Any, int]:
    """Collect tallies until the process ends; return its last attempt and the cases it ended."""
    attempt, done = None, 0
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            kind, what = json.loads(line)
            if kind == "attempt":
                attempt = what
            elif kind == "leak":
                found.leak = what
            elif kind == "case":
                scale.say(f"{level}: {what}")
                found.cases += 1
            else:
                done += 1
                for name, value in what.items():
                    setattr(found, name, getattr(found, name) + value)
    return attempt, done
