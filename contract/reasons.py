"""``uncovered.md``: code that no test reaches, each line under the heading of its reason."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_name("uncovered.md")
_ENTRY = re.compile(r"^- `(?P<path>[^`]+)` `(?P<function>[^`]*)`: `(?P<text>.*)`$", re.MULTILINE)


class Place(NamedTuple):
    """A line, identified by its text, so that the list does not depend on line numbers."""

    path: str
    function: str
    text: str

    def __str__(self) -> str:
        return f"- `{self.path}` `{self.function}`: `{self.text}`"


@lru_cache
def lines(path: str) -> tuple[str, ...]:
    """A file's lines, stripped."""
    return tuple(line.strip() for line in (ROOT / path).read_text().splitlines())


def place(path: str, function: str, number: int) -> Place:
    """The place of a line; ``number`` counts from 1."""
    return Place(path, function, lines(path)[number - 1])


def read() -> list[Place]:
    """All entries of the list."""
    text = LIST.read_text()
    found = [Place(*match.groups()) for match in _ENTRY.finditer(text)]
    if len(found) != sum(line.startswith("- ") for line in text.splitlines()):
        raise ValueError(f"{LIST.name}: a list entry is not '- `path` `function`: `line`'")
    return found


def stands(entry: Place) -> bool:
    """Whether the line is still in its file; in Python, also its function (C macros make names)."""
    if not (ROOT / entry.path).is_file():
        return False
    known = lines(entry.path)
    name = entry.function.rsplit(".", 1)[-1] if entry.path.endswith(".py") else ""
    return entry.text in known and any(name in line for line in known)
