"""Bad input gives the right result or a clear error.

Each entry point gets arrays of every dtype, layout, container, shape and value, and numbers of
every type and value.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from contract.bad_input_cases import Judge, every_case
from contract.figures import Figure, Scale, at_least, exactly, fact
from contract.native import ROOT

TITLE = "Bad input: the right result, or an error that says what is wrong"

_SEED = 4
_CHUNK = 40_000
_SECONDS = 1800  # for one chunk of cases; after that, a case hangs


@dataclass
class Found:
    """The outcomes of the cases."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)


def run(scale: Scale) -> list[Figure]:
    """Every case, in separate processes; the quick part runs a sample in this process."""
    found = _everything(scale) if scale.full else _sample()
    tried = sum(found.outcomes.values()) - found.outcomes["impossible"]
    figures = [
        at_least("cases", tried, scale.choose(400, 10_000)),
        exactly("wrong result, unclear error, or something changed", len(found.wrong), 0,
                _first(found.wrong)),
        exactly("crashes", len(found.crashes), 0, _first(found.crashes)),
        exactly("hangs", len(found.hangs), 0, _first(found.hangs)),
        *(fact(f"cases {outcome}", count) for outcome, count in sorted(found.outcomes.items())),
    ]  # fmt: skip
    figures += [*_parameters(scale), *_changing(scale)]
    return figures + _any_order(scale) if scale.full else figures


def _first(findings: list[str]) -> str:
    return "; ".join(findings[:3])


def _sample() -> Found:
    cases, judge, found = every_case(), Judge(), Found()
    for index in random.Random(_SEED).sample(range(len(cases)), 700):
        finding = judge.verdict(cases[index])
        found.wrong += [f"{cases[index]}: {finding}"] if finding else []
    found.outcomes.update(judge.outcomes)
    return found


def _everything(scale: Scale) -> Found:
    found, cases = Found(), every_case()
    first = 0
    while first < len(cases):
        end = min(first + _CHUNK, len(cases))
        first = _chunk(first, end, scale.scratch / "report", found)
        scale.say(f"{first:,} of {len(cases):,} cases, {len(found.wrong)} wrong")
    return found


def _chunk(first: int, end: int, report: Path, found: Found) -> int:
    """Run some cases until a crash or the end; return the number of the next case."""
    command = [sys.executable, "-X", "faulthandler", "-m", "contract.bad_input_worker",
               str(first), str(end), str(report)]  # fmt: skip
    report.write_text(f"{first}\n")
    stopped: list[str] | None = None
    note = ""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_SECONDS)
        if done.returncode != 0:
            stopped, note = found.crashes, f"{done.returncode}: {done.stderr[:500]}"
    except subprocess.TimeoutExpired:
        stopped = found.hangs
    last = first
    counts: dict[str, int] = {}
    for line in report.read_text().splitlines():
        entry = json.loads(line)
        if isinstance(entry, int):
            last = entry
        elif isinstance(entry, str):
            found.wrong.append(entry)
        else:
            counts = entry
    if stopped is None:
        found.outcomes.update(counts)
        return end
    # The outcomes are lost, so the cases that began are counted.
    found.outcomes["before a crash or hang"] += last - first + 1
    stopped.append(f"{every_case()[last]}: {note}")
    return last + 1


def _parameters(scale: Scale) -> list[Figure]:
    """Every parameter of the public signatures, given any object, in a separate process."""
    scale.say("every parameter of the signatures")
    count = scale.choose(500, 0)
    command = [sys.executable, "-m", "contract.bad_input_parameters", str(count)]
    # Progress bars and warnings go to the error stream.
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    printed = done.stdout.splitlines()
    crashed = done.returncode != 0
    found = {"outcomes": {}, "wrong": []} if crashed else json.loads(printed[-1])
    tried = sum(found["outcomes"].values())
    return [
        exactly("parameters: crashed", int(crashed), 0, done.stderr[-500:] if crashed else ""),
        at_least("parameters of signatures, given anything: cases", tried, scale.choose(500, 2000)),
        exactly("parameters: wrong", len(found["wrong"]), 0, _first(found["wrong"])),
    ]


def _changing(scale: Scale) -> list[Figure]:
    """Calls during which callbacks, nodes, losses and threads change every array they can reach."""
    scale.say("arrays that change while a call uses them")
    count = scale.choose(300, 20_000)
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.changing", "5000", str(count)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    crashed = done.returncode != 0
    note = f"{done.stdout[-100:]} {done.stderr[:500]}" if crashed else ""
    return [
        fact("calls with arrays that change meanwhile", count),
        exactly("calls with arrays that change meanwhile: crashes", int(crashed), 0, note),
    ]


def _any_order(scale: Scale) -> list[Figure]:
    """Hypothesis' state machine of the API, with new examples in each run."""
    from tests.stateful import failure

    scale.say("the state machine")
    examples, steps = 4000, 50
    text = failure(examples, steps)
    return [
        fact("state machine: examples of 50 steps", examples),
        exactly("state machine: failures", int(bool(text)), 0, text[:500]),
    ]
