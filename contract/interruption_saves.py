"""Kills and errors while a file is written: afterwards it is the old file or the new one."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from contract import native, preload
from contract.figures import Figure, Scale, Unavailable, at_least, exactly, fact

ENDS = ("old", "new", "torn")


def run(scale: Scale) -> list[Figure]:
    """First kills, then errors."""
    return _kills(scale) + _errors(scale)


def _kills(scale: Scale) -> list[Figure]:
    count = scale.choose(20, 500)
    found = _run(scale, "kills", count, {})
    return [
        at_least("kills while saving", sum(found.get(end, 0) for end in ENDS), count),
        fact("kills: left the old file", found.get("old", 0)),
        fact("kills: left the new file", found.get("new", 0)),
        at_least("kills: came in the middle of writing", found["with a temporary file"], 1),
        exactly("kills: left a torn file", found.get("torn", 0), 0),
        exactly("kills: files left after the next save", found["left over by the next save"], 0),
    ]


def _errors(scale: Scale) -> list[Figure]:
    try:
        extra = preload.build("interruption_files.c", scale.scratch)
        library, how = ["library"], "by the system's calls"
    except Unavailable as missing:
        library, extra, how = [], {}, f"by Python's functions: {missing}"
    found = _run(scale, "errors", scale.choose(40, 0), extra, *library)
    wrong, ways = found["wrong"], found["ways"]
    unnamed = [what for what in wrong if what.endswith("does not name the path")]
    others = [what for what in wrong if what not in unnamed]
    count = sum(ways.values())
    by_way = ", ".join(f"{number} {way}" for way, number in sorted(ways.items()))
    return [
        at_least("errors while saving", count, scale.choose(40, 200), note=f"{how}; {by_way}"),
        exactly(
            "errors: torn or left-over files, other errors, or saves broken afterwards",
            len(others),
            0,
            "; ".join(others[:5]),
        ),
        exactly("errors: without the path", len(unnamed), 0, "; ".join(unnamed[:3])),
    ]


def _run(
    scale: Scale, test: str, count: int, extra: dict[str, str], *options: str
) -> dict[str, Any]:
    folder = scale.scratch / test
    folder.mkdir()
    sizes = scale.choose(2, 3)
    command = [sys.executable, "-m", "contract.interruption_writes", test, str(folder)]
    scale.say(f"{test} while saving")
    done = native.run([*command, str(count), str(sizes), *options], cwd=native.ROOT,
                      env=os.environ | extra)  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
