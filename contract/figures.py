"""What an item of the contract finds: figures beside their goals."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One number that was measured, and whether it is what the contract promises.

    ``met`` is None where the figure only describes the run.
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

    ``full`` is the whole run of the contract, which may take an hour; the quick share takes some
    seconds and is part of the suite. ``scratch`` is an empty folder. Without ``builds`` the parts
    are left out that build C programs.
    """

    full: bool
    scratch: Path
    builds: bool = True
    talks: bool = True
    started: float = field(default_factory=time.monotonic)

    def choose(self, quick: int, full: int) -> int:
        """A number for the quick share or for the full run."""
        return full if self.full else quick

    def say(self, text: str) -> None:
        """Tell how far the run is."""
        if self.talks:
            print(
                f"  {time.monotonic() - self.started:7.1f} s  {text}", file=sys.stderr, flush=True
            )


class Unavailable(Exception):
    """Something that the item needs is not on this machine; the text says what."""
