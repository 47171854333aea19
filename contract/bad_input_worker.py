"""Runs a range of cases in a separate process: ``first end report``.

The number of each case is written to ``report`` before it begins, so that a crash is attributed to
its case. Then follow the faults, one in each line, and at the end the counts of outcomes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from contract.bad_input_cases import Judge, every_case

# Address space of this process in bytes: a case that needs more memory than exists gets an error.
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
