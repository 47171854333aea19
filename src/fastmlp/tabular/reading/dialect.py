"""How a text file writes a table: its separator, its quotes, and where the names stand."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fastmlp.tabular.reading.errors import TableError
from fastmlp.tabular.reading.options import ReadOptions

SAMPLE = 1 << 18  # bytes, of which the first MOST_ROWS rows are looked at
MOST_ROWS = 200
SEPARATORS = ",;\t| "
COMMENT = "#"
SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
DECIMAL = re.compile(r"[+-]?\d*[.,]\d+([eE][+-]?\d+)?")
# What the score of a reading is multiplied by if lines stand before the names, and if blanks
# separate the values: both are believed only if no other reading fits as well.
PREAMBLE, BLANKS = 0.8, 0.9


@dataclass(frozen=True)
class Dialect:
    """How a text file writes a table.

    Attributes
    ----------
    separator, quote, escape : str
        Single characters; quote and escape may be "".
    names : tuple of str
        Names of the columns as they stand in the file, or made up if it has none.
    width : int
        Number of values in most rows: more than there are names if each row ends in a separator.
    start : int
        Number of bytes before the first row of values.
    has_header : bool
    """

    separator: str
    quote: str
    escape: str
    names: tuple[str, ...]
    width: int
    start: int
    has_header: bool = True


@dataclass(frozen=True)
class _Reading:
    """A way to read the sample, and how well it fits."""

    separator: str
    quote: str
    escape: str
    rows: list[list[str]]
    ends: list[int]  # number of lines read after each row
    header: int  # index of the row with the names
    width: int
    score: float


def find_dialect(data: bytes, options: ReadOptions, what: str) -> Dialect:
    """Find how a text file writes its table, by the rows at its beginning.

    Parameters
    ----------
    data : bytes
        The file, as UTF-8.
    options : ReadOptions
        ``sep`` and ``skip_rows`` are taken as they are.
    what : str
        Name of the file, for messages.

    Raises
    ------
    TableError
        If the file is empty or has no line of names.
    """
    raw = _sample(data).splitlines(keepends=True)
    skipped = options.skip_rows or 0
    if not any(line.strip() for line in raw[skipped:]):
        below = f"has no lines below the {skipped} that are skipped" if skipped else "is empty"
        raise TableError(f"{what} {below}")
    separator = options.sep
    declared = SEP_LINE.fullmatch(raw[skipped].decode(errors="replace").strip("\r\n"))
    if declared is not None:
        separator = separator or declared[1]
        skipped += 1
    if options.skip_rows is None:
        skipped = _after_comments(raw, skipped, separator)
    # Bare carriage returns confuse the csv module.
    lines = [_line(line) for line in raw[skipped:]]
    if not lines or not (lines[0].strip() or options.skip_rows is None):
        raise TableError(f"{what} has no names in its first line")
    best = max(_readings(lines, separator), key=lambda reading: reading.score)
    return _finished(best, raw, skipped)


def rows_of(lines: Iterable[str], separator: str, quote: str, escape: str) -> Iterator[list[str]]:
    """Split lines into rows of values, as the csv module does it."""
    return csv.reader(
        lines,
        delimiter=separator,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        escapechar=escape or None,
        skipinitialspace=True,
    )


def _sample(data: bytes) -> bytes:
    """Return whole lines from the beginning."""
    if len(data) <= SAMPLE:
        return data
    end = max(data.rfind(b"\n", 0, SAMPLE), data.rfind(b"\r", 0, SAMPLE))
    return data[: end + 1] if end > 0 else data


def _line(raw: bytes) -> str:
    return raw.decode(errors="replace").replace("\0", "").rstrip("\r\n") + "\n"


def _after_comments(raw: Sequence[bytes], first: int, separator: str | None) -> int:
    """Skip blank lines and comments, but not names that begin with the sign of a comment."""
    start = first
    while start < len(raw) and (not raw[start].strip() or raw[start].startswith(b"#")):
        start += 1
    if start in (first, len(raw)) or not raw[start - 1].startswith(b"#"):
        return min(start, len(raw) - 1)
    # "#id,size" above "1,20" is the line of names: it has as many values, and no numbers.
    last, after = _line(raw[start - 1]), _line(raw[start])
    separators = separator or SEPARATORS[:-1]
    names = [last.count(s) for s in separators] == [after.count(s) for s in separators]
    numbers = any(NUMBER.fullmatch(word) for word in re.split(f"[{re.escape(separators)}]", after))
    used = any(last.count(s) for s in separators)
    return start - 1 if names and numbers and used else start


def _readings(lines: list[str], separator: str | None) -> Iterator[_Reading]:
    text = "".join(lines[:MOST_ROWS])
    separators = separator or "".join(s for s in SEPARATORS if s in text or s == ",")
    quotes = ['"', "'"] if re.search(r"(?m)(^|[,;\t| ])'", text) else ['"']
    escapes = ["", "\\"] if '\\"' in text else [""]
    for char in separators:
        for quote in quotes:
            for escape in escapes:
                yield _reading(lines, char, quote, escape)


def _reading(lines: list[str], separator: str, quote: str, escape: str) -> _Reading:
    rows: list[list[str]] = []
    ends: list[int] = []
    reader = csv_reader = rows_of(lines, separator, quote, escape)
    try:
        for row in reader:
            # A blank at the end of a line is no value.
            if separator == " " and row and row[-1] == "":
                row.pop()
            if any(row) or len(row) > 1:
                rows.append(row)
                ends.append(csv_reader.line_num)  # type: ignore[attr-defined]
            if len(rows) == MOST_ROWS:
                break
    except csv.Error:
        pass
    header, width, score = _score(rows)
    if separator == " ":
        # Below a line of one name, blanks are part of the only column.
        score = -0.5 if header else BLANKS * score
    return _Reading(separator, quote, escape, rows, ends, header, width, score)


def _score(rows: list[list[str]]) -> tuple[int, int, float]:
    """Return the index of the row of names, the usual number of values, and how well it fits."""
    if not rows:
        return 0, 1, -1.0
    counts = Counter(map(len, rows))
    width = max(counts, key=lambda n: (counts[n], n))
    share = counts[width] / len(rows)
    named = _last_name(rows[0])
    if width == 1:
        return 0, 1, 0.0
    if named > 1 and not any(any(row[named:]) for row in rows):
        # More values count a little, for separators that fit equally well.
        return 0, width, share + 1e-6 * width
    header = next(i for i, row in enumerate(rows) if len(row) == width)
    if header == 0 or not any(not name or NUMBER.fullmatch(name) for name in rows[header]):
        return header, width, share * (PREAMBLE if header else 1.0) + 1e-6 * width
    # Rows have more values than there are names, or the separator is part of the only column.
    return 0, width, 0.1 if named > 1 else -0.5


def _last_name(names: list[str]) -> int:
    """Number of names without the empty ones at the end."""
    return max((i for i, name in enumerate(names, 1) if name.strip()), default=0)


def _finished(reading: _Reading, raw: Sequence[bytes], skipped: int) -> Dialect:
    names = reading.rows[reading.header] if reading.rows else [""]
    names = [names[0].lstrip(COMMENT).lstrip() if names[0].startswith(COMMENT) else names[0],
             *names[1:]]  # fmt: skip
    values = reading.rows[reading.header + 1 :]
    has_header = not _looks_like_values(names, values)
    if has_header:
        lines = skipped + reading.ends[reading.header]
    else:
        before = reading.ends[reading.header - 1] if reading.header else 0
        lines = skipped + before
        names = [f"column{i}" for i in range(1, len(names) + 1)]
    start = sum(map(len, raw[:lines]))
    return Dialect(
        reading.separator, reading.quote, reading.escape, tuple(names),
        max(reading.width, len(names)), start, has_header,
    )  # fmt: skip


def _looks_like_values(names: list[str], rows: list[list[str]]) -> bool:
    """Tell whether the first row is values: numbers above numbers, which are no counted names."""
    numbers = [bool(NUMBER.fullmatch(name.strip())) for name in names]
    if not any(numbers) or not rows:
        return False
    whole = [int(name) for name in names if name.strip().isdecimal()]
    # pandas names columns 0, 1, 2, ...; tables of years have names such as 2019, 2020.
    if len(whole) > 1 and all(b - a == 1 for a, b in pairwise(whole)):
        return False
    decimals = any(DECIMAL.fullmatch(name.strip()) for name in names)
    if not (all(numbers) or decimals):
        return False
    below = [row[i] for row in rows for i in range(len(names)) if numbers[i] and i < len(row)]
    return sum(bool(NUMBER.fullmatch(cell.strip())) for cell in below) > len(below) / 2
