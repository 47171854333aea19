"""Failures of memory in all cases: ``python -m tests.contract.memory_failures``.

Prints a line before each attempt and one for each case, so that the caller knows which it was that
ended the process.
"""

from __future__ import annotations

import gc
import itertools
import json
import sys
import tempfile
from pathlib import Path

from tests.contract.memory_attempts import Level, Subject, Tally
from tests.contract.memory_calls import heap_reader
from tests.contract.memory_cases import Case, cases
from tests.contract.memory_levels import Core, Malloc, Objects

import fastmlp as fm

LEVELS = {"core": Core, "objects": Objects, "malloc": Malloc}


def sweep(case: Case, level: Level, every: int) -> Tally:
    """Each ``every``-th request of a case fails once."""
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
    return tally


def say(kind: str, what: object) -> None:
    """Tell the caller."""
    print(json.dumps([kind, what]), flush=True)


def main(level_name: str, threads: str, first: str, stride: str, every: str, rounds: str) -> None:
    """Each ``stride``-th case from the ``first`` on; then some rounds more, to look for leaks."""
    level, chosen = LEVELS[level_name](), cases()[int(first) :: int(stride)]
    with fm.threads(int(threads)):
        for case in chosen:
            say("case", case.name)
            say("tally", vars(sweep(case, level, int(every))))
        if int(rounds):
            say("leak", leaked(chosen, level, int(rounds)))


def leaked(chosen: list[Case], level: Level, rounds: int) -> float:
    """By how many bytes of the heap each failure of the last round has left more in use."""
    heap, held = heap_reader(), []
    for _ in range(rounds):
        failures = sum(sweep(case, level, 1).failures for case in chosen)
        gc.collect()
        held.append(heap())
    return (held[-1] - held[-2]) / failures


if __name__ == "__main__":
    main(*sys.argv[1:])
