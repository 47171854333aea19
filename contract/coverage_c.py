"""Lines and branches of kernels and engine that ran, from gcov."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from contract import native
from contract.coverage_build import Build
from contract.reasons import Place, place

FOLDERS = ("csrc/kernels/", "csrc/engine/")


@dataclass(frozen=True)
class Share:
    """A number out of a total."""

    covered: int
    all: int

    @property
    def percent(self) -> float:
        return 100.0 * self.covered / self.all if self.all else 0.0

    def __str__(self) -> str:
        return f"{self.covered:,} of {self.all:,}"


@dataclass(frozen=True)
class Coverage:
    """What ran, and the places where something did not."""

    lines: Share
    branches: Share
    missed: frozenset[Place] = field(repr=False)


@dataclass
class _Line:
    """A line in one function of the source, over all its compilations."""

    ran: bool = False
    branches: list[bool] = field(default_factory=list)

    def add(self, count: int, branches: list[bool]) -> None:
        """Add another compilation of the line.

        If constants removed some of its branches, it says nothing about the branches of the others.
        """
        self.ran = self.ran or count > 0
        if len(branches) > len(self.branches):
            self.branches = branches
        elif len(branches) == len(self.branches):
            self.branches = [a or b for a, b in zip(self.branches, branches, strict=True)]


def measure(build: Build) -> Coverage:
    """Measure all files in ``FOLDERS``, over all instruction sets and both types."""
    found: dict[tuple[str, str, int], _Line] = defaultdict(_Line)
    for notes in sorted(build.objects.glob("CMakeFiles/fm_*/**/*.gcno")):
        for path, line in _lines(notes):
            # The names of kernels end in their type.
            function = re.sub(r"_f(32|64)$", "", line.get("function_name", ""))
            taken = [branch["count"] > 0 for branch in line["branches"]]
            found[path, function, line["line_number"]].add(line["count"], taken)
    missed = {
        place(*where) for where, line in found.items() if not (line.ran and all(line.branches))
    }
    branches = [taken for line in found.values() for taken in line.branches]
    ran: dict[tuple[str, int], bool] = defaultdict(bool)
    for (path, _, number), line in found.items():
        ran[path, number] |= line.ran
    return Coverage(
        Share(sum(ran.values()), len(ran)), Share(sum(branches), len(branches)), frozenset(missed)
    )


def _lines(notes: Path) -> Iterator[tuple[str, dict]]:
    gcov = native.program("gcov")
    done = native.run([gcov, "--json-format", "--stdout", "--branch-probabilities", str(notes)])
    for report in done.stdout.splitlines():
        for file in json.loads(report)["files"]:
            path = Path(file["file"])
            if not path.is_relative_to(native.ROOT):
                continue
            name = path.relative_to(native.ROOT).as_posix()
            if name.startswith(FOLDERS):
                for line in file["lines"]:
                    yield name, line
