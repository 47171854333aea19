"""Failures of memory in all cases: ``python -m contract.memory_failures``.

Prints a line before each attempt and one after each case, so that the caller can tell which attempt
ended the process.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import fastmlp as fm
from contract import memory_growth
from contract.memory_attempts import Level, Subject, Tally
from contract.memory_cases import Case, cases
from contract.memory_levels import Core, Malloc, Objects

LEVELS = {"core": Core, "objects": Objects, "malloc": Malloc}


def sweep(case: Case, level: Level, every: int, measured: Iterator[bool]) -> Tally:
    """Make each ``every``-th request of a case fail once.

    If ``measured`` says so, repeat the failure and report the growth of the heap.
    """
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject(case, Path(folder))
        # If the level does not report failures, so many successful calls mean that there are no
        # more.
        quiet, most_quiet = 0, 4 + 40 // every
        first = 1 + len(case.name) % every  # differs between the cases
        for nth in itertools.count(first, every):
            say("attempt", [case.name, nth])
            absorbed = tally.absorbed
            if not subject.attempt(level, nth, tally):
                break
            quiet = quiet + 1 if tally.absorbed > absorbed else 0
            if not level.is_certain and quiet == most_quiet:
                tally.failures -= quiet
                tally.absorbed -= quiet
                break
        for nth in range(first, first + every * tally.failures, every):
            if next(measured):
                say("attempt", [case.name, nth])
                say("growth", [memory_growth.of(subject, level, nth), case.name, nth])
    return tally


def say(kind: str, what: object) -> None:
    """Print a line for the calling process."""
    print(json.dumps([kind, what]), flush=True)


def main(level_name: str, threads: str, first: str, stride: str, every: str, measured: str) -> None:
    """Run each ``stride``-th case from ``first`` on, and check whether a failure loses memory.

    Each ``measured``-th failure of all cases is checked; 0: none.
    """
    level, period = LEVELS[level_name](), int(measured)
    chosen = (period > 0 and k % period == 0 for k in itertools.count())
    with fm.threads(int(threads)):
        if period:
            say("trial", memory_growth.trial(level))
        for case in cases()[int(first) :: int(stride)]:
            say("case", case.name)
            say("tally", vars(sweep(case, level, int(every), chosen)))


if __name__ == "__main__":
    main(*sys.argv[1:])
