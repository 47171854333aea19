"""Coverage: which lines and branches of kernels, engine and Python package the suite runs.

A branch of a kernel is covered if some instruction set, in one of the two types, took it: each is
compiled from the same source. Code that no test reaches is listed in ``uncovered.md`` with its
reason; without a reason it is a miss. This item has no quick part.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

from contract import coverage_c, coverage_python, native, reasons
from contract.coverage_build import Build, build
from contract.figures import Figure, Scale, Unavailable, at_least, at_most, exactly, fact

TITLE = "Coverage"
GOAL = 95.0
MOST_SECONDS = 300.0


def run(scale: Scale) -> list[Figure]:
    if not scale.full:
        raise Unavailable("coverage needs the whole suite: it has no quick share")
    known = reasons.read()
    gone = [entry for entry in known if not reasons.stands(entry)]
    if importlib.util.find_spec("coverage") is None:
        raise Unavailable("the package coverage is not installed")
    plain = _plain_suite(scale)
    instrumented = build(scale.scratch)
    scale.say("built the core with counters")
    failures = _run_programs(scale, instrumented)
    outcome, failed = _run_suite(scale, instrumented)
    c, python = coverage_c.measure(instrumented), coverage_python.measure(instrumented)
    unexplained = sorted({*c.missed, *python.missed} - set(known))
    for place in unexplained:
        scale.say(f"no reason for {place}")
    return [
        *plain,
        exactly("C test programs that fail", len(failures), 0, ", ".join(failures)),
        exactly("tests that fail with counters", len(failed), 0, ", ".join(failed)),
        fact("the suite's last line with counters", outcome),
        at_least("branches of kernels and engine", c.branches.percent, GOAL, "%", str(c.branches)),
        fact("lines of kernels and engine", c.lines.percent, str(c.lines)),
        at_least("lines of Python", python.lines.percent, GOAL, "%", str(python.lines)),
        fact("branches of Python", python.branches.percent, str(python.branches)),
        exactly("places without a reason", len(unexplained), 0),
        exactly("listed places that are gone", len(gone), 0, "; ".join(map(str, gone[:3]))),
    ]


def _run_programs(scale: Scale, build: Build) -> list[str]:
    """Run all C test programs; return the names of those that fail."""
    failed = []
    for program in build.programs:
        done = subprocess.run(program, capture_output=True, text=True)
        scale.say(f"{program[0].name}: {done.stdout.strip().splitlines()[-1:]}")
        if done.returncode != 0:
            failed.append(program[0].name)
    return failed


def _plain_suite(scale: Scale) -> list[Figure]:
    """Run pytest on the installed package, as users do; only quiet machines give a valid time."""
    start = time.monotonic()
    outcome, failed = _pytest(scale, [sys.executable], native.ROOT, dict(os.environ))
    seconds = time.monotonic() - start
    return [
        at_most("plain pytest", seconds, MOST_SECONDS, "s", outcome),
        exactly("plain pytest: tests that fail", len(failed), 0, ", ".join(failed)),
    ]


def _run_suite(scale: Scale, build: Build) -> tuple[str, list[str]]:
    """Run pytest on the build with counters; return its last line and the failing tests."""
    python = [sys.executable, "-m", "coverage", "run", f"--rcfile={build.python_settings}"]
    environment = {**os.environ, "PYTHONPATH": str(build.site)}
    return _pytest(scale, python, build.root, environment)


def _pytest(
    scale: Scale, python: list[str], folder: Path, environment: dict[str, str]
) -> tuple[str, list[str]]:
    """The suite's last line and the names of failing tests; reports how they failed."""
    command = [*python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines() or [done.stderr[-200:]]
    failed = [line.split()[1] for line in lines if line.startswith(("FAILED ", "ERROR "))]
    if done.returncode != 0 and not failed:
        failed = [f"pytest ended with {done.returncode}"]
    scale.say(done.stdout[-10_000:] if failed else lines[-1])
    return lines[-1], failed
