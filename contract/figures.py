"""What an item of the contract measures: figures with their goals."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured number, and whether it meets the contract.

    ``met`` is None if the figure has no goal and only describes the run.
    """

    name: str
    value: float | int | str
    goal: str = ""
    met: bool | None = None
    note: str = ""


def fact(name: str, value: float | int | str, note: str = "") -> Figure:
    """A figure without a goal."""
    return Figure(name, value, note=note)


def exactly(name: str, value: int | str, wanted: int | str, note: str = "") -> Figure:
    """A figure with one right value."""
    return Figure(name, value, str(wanted), value == wanted, note)


def at_most(name: str, value: float, limit: float, unit: str = "", note: str = "") -> Figure:
    """A figure with an upper limit; NaN does not meet it."""
    goal = f"at most {limit:g} {unit}".rstrip()
    return Figure(name, float(value), goal, bool(value <= limit), note)


def at_least(name: str, value: float, limit: float, unit: str = "", note: str = "") -> Figure:
    """A figure with a lower limit; NaN does not meet it."""
    return Figure(name, value, f"at least {limit:g} {unit}".rstrip(), bool(value >= limit), note)


@dataclass
class Scale:
    """How much of an item to run, and where.

    ``full`` is the complete run, which may take an hour; the quick part takes some seconds and
    belongs to the suite. ``scratch`` is an empty folder. Without ``builds``, the parts that build C
    programs are left out.
    """

    full: bool
    scratch: Path
    builds: bool = True
    talks: bool = True
    started: float = field(default_factory=time.monotonic)

    def choose(self, quick: int, full: int) -> int:
        """A number for the quick part or for the full run."""
        return full if self.full else quick

    def say(self, text: str) -> None:
        """Report the progress of the run."""
        if self.talks:
            print(
                f"  {time.monotonic() - self.started:7.1f} s  {text}", file=sys.stderr, flush=True
            )


class Unavailable(Exception):
    """Something that the item needs is not on this machine; the text names it."""
