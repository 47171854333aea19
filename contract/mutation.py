"""Mutants of C sources: one changed operator or constant, or two exchanged arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple


class Mutant(NamedTuple):
    """A source file with ``end - start`` characters replaced."""

    path: Path
    start: int
    end: int
    text: str

    def source(self) -> str:
        """The whole file, mutated."""
        original = self.path.read_text()
        return original[: self.start] + self.text + original[self.end :]

    def line(self) -> str:
        """The original line, as the list of equivalent mutants has it."""
        old, _ = self._lines()
        begin = self.path.read_text().rfind("\n", 0, self.start) + 1
        same_before = self.path.read_text()[:begin].splitlines().count(old)
        place = f"`{self.path.name}`" + (f" ({same_before + 1})" if same_before else "")
        return f"{place}: `{old.strip()}`"

    def change(self) -> str:
        """The line before and after."""
        return f"{self.line()} becomes `{self._lines()[1].strip()}`"

    def _lines(self) -> tuple[str, str]:
        before, after = self.path.read_text(), self.source()
        begin = before.rfind("\n", 0, self.start) + 1
        ends = before.find("\n", self.end), after.find("\n", self.start + len(self.text))
        return before[begin : ends[0]], after[begin : ends[1]]


# Replaced in both directions.
PAIRS = [
    ("v_add(", "v_sub("), ("v_mul(", "v_div("), ("v_fma(", "v_fnma("), ("v_max(", "v_min("),
    ("v_lt(", "v_le("), ("v_gt(", "v_ge("), ("vm_and(", "vm_or("), ("v_and(", "v_or("),
    ("vi_add(", "vi_sub("), ("vi_shl(", "vi_shr("), (" + ", " - "), (" * ", " / "),
    (" < ", " <= "), (" > ", " >= "), (" == ", " != "), (" && ", " || "), (" += ", " -= "),
]  # fmt: skip
# Calls whose first two, or last two, arguments are exchanged.
FIRST_TWO = ("v_sub", "v_div", "v_lt", "v_le", "v_gt", "v_ge", "v_max", "v_min", "vi_sub")
LAST_TWO = ("v_fma", "v_fnma", "v_select")
_REAL = re.compile(
    r"(?<![\w.])(0x[0-9a-f]+(?:\.[0-9a-f]*)?p[+-]?\d+|\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+)(?=[^\w.]|f\b)"
)
_INTEGER = re.compile(r"(?<![\w.])\d+(?![\w.])")


def mutants(path: Path) -> Iterator[Mutant]:
    """All mutants of a file, except in its comments and preprocessor lines."""
    text = _code(path.read_text())
    for one, other in PAIRS:
        for old, new in ((one, other), (other, one)):
            whole = r"(?<!\w)" if old[0].isalpha() else ""
            for found in re.finditer(whole + re.escape(old), text):
                yield Mutant(path, *found.span(), new)
    for found in _REAL.finditer(text):
        yield Mutant(path, *found.span(), _slightly_more(found[0]))
    for found in _INTEGER.finditer(text):
        yield Mutant(path, *found.span(), str(int(found[0]) + 1))
    yield from _exchanged(path, text, FIRST_TWO, lambda parts: [parts[1], parts[0], *parts[2:]])
    yield from _exchanged(path, text, LAST_TWO, lambda parts: [parts[0], parts[2], parts[1]])


def _code(text: str) -> str:
    """The text with blanks instead of comments and preprocessor lines; all positions stay."""
    hidden = r"/\*.*?\*/|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*"
    blank = lambda found: re.sub(r"[^\n]", " ", found[0])  # noqa: E731
    return re.sub(hidden, blank, text, flags=re.DOTALL | re.MULTILINE)


def _slightly_more(number: str) -> str:
    """One thousandth more; 0 becomes a thousandth."""
    value = float.fromhex(number) if number.startswith("0x") else float(number)
    return (value * 1.001 if value else 0.001).hex()


def _exchanged(
    path: Path, text: str, names: tuple[str, ...], order: Callable[[list[str]], list[str]]
) -> Iterator[Mutant]:
    for found in re.finditer(rf"(?<!\w)(?:{'|'.join(names)})\(", text):
        parts, end = _arguments(text, found.end())
        exchanged = order(parts)
        if len(parts) > 1 and exchanged != parts:
            yield Mutant(path, found.end(), end, ", ".join(exchanged))


def _arguments(text: str, start: int) -> tuple[list[str], int]:
    """The arguments of a call whose parenthesis is just before ``start``, and where they end."""
    depth, parts, begin = 0, [], start
    for at in range(start, len(text)):
        character = text[at]
        if depth == 0 and character in ",)":
            parts.append(text[begin:at].strip())
            begin = at + 1
        if depth == 0 and character == ")":
            return parts, at
        depth += (character in "([{") - (character in ")]}")
    raise ValueError("a call without an end")
