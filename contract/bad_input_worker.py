"""Runs a range of cases in a process of its own: ``first end report``.

The number of each case is in ``report`` before it begins, so that a crash is known by its case;
what was wrong follows, a line each, and at the end the counts of outcomes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from contract.bad_input_cases import Judge, every_case

# Addresses of this process, in bytes: a case that wants more memory than there is gets an error.
_ROOM = 16 << 30


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_ROOM, most))


def main(first: int, end: int, report: Path) -> None:
    judge, cases = Judge(), every_case()
    with report.open("w", buffering=1) as out:
        for index in range(first, end):
            print(index, file=out)
            finding = judge.verdict(cases[index])
            if finding:
                print(json.dumps(f"{cases[index]}: {finding}"), file=out)
        print(json.dumps(judge.outcomes), file=out)


if __name__ == "__main__":
    _limit_memory()
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
