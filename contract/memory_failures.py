"""Failures of memory in all cases: ``python -m contract.memory_failures``.

Prints a line before each attempt and one for each case, so that the caller knows which it was that
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
    """Each ``every``-th request of a case fails once.

    Where ``measured`` says so it then fails repeatedly, and the growth of the heap is told.
    """
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject(case, Path(folder))
        # Where the level does not tell, a call that gets through so often made no more requests.
        quiet, most_quiet = 0, 4 + 40 // every
        first = 1 + len(case.name) % every  # not the same requests in all cases
        for nth in itertools.count(first, every):
            say("attempt", [case.name, nth])
            absorbed = tally.absorbed
            if not subject.attempt(level, nth, tally):
                break
            quiet = quiet + 1 if tally.absorbed > absorbed else 0
            if not level.tells and quiet == most_quiet:
                tally.failures -= quiet
                tally.absorbed -= quiet
                break
        for nth in range(first, first + every * tally.failures, every):
            if next(measured):
                say("attempt", [case.name, nth])
                say("growth", [memory_growth.of(subject, level, nth), case.name, nth])
    return tally


def say(kind: str, what: object) -> None:
    """Tell the caller."""
    print(json.dumps([kind, what]), flush=True)


def main(level_name: str, threads: str, first: str, stride: str, every: str, measured: str) -> None:
    """Sweep each ``stride``-th case from the ``first`` on; see whether any failure loses memory.

    That is measured of each ``measured``-th failure of all cases, of none where it is 0.
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
