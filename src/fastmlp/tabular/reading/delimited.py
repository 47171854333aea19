"""Text files with separators, read by pyarrow as columns of text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import fastmlp as fm
from fastmlp.tabular.reading.arrow import booleans, mask_of, numbers, strings
from fastmlp.tabular.reading.dialect import Dialect, find_dialect, rows_of
from fastmlp.tabular.reading.encodings import to_utf8
from fastmlp.tabular.reading.errors import TableError
from fastmlp.tabular.reading.frame import named
from fastmlp.tabular.reading.options import ReadOptions

BLOCK = 1 << 20  # bytes that one thread parses at once: they stay in its cache
LARGEST_BLOCK = 2**31 - 1
NOT_BLANK = re.compile(rb"\S")
TOTALS = {"total", "totals", "grand total", "sum", "summe", "gesamt", "total general"}


@dataclass(frozen=True)
class Delimited:
    """A text file's columns, all text and null where empty, and what was noticed."""

    table: Any  # pyarrow.Table
    separator: str
    notes: tuple[str, ...]


def read_delimited(data: bytes, options: ReadOptions, what: str) -> Delimited:
    """Read the bytes of a text file.

    Raises
    ------
    TableError
        If it is empty, or rows have more values than there are names.
    """
    data, note = to_utf8(data, options.encoding, what)
    notes = [note] if note else []
    if b"\0" in data:
        data = data.replace(b"\0", b"")
        notes.append(f"{what}: characters of value 0 are left out")
    dialect = find_dialect(data, options, what)
    if not dialect.has_header:
        names = f"{dialect.names[0]} to {dialect.names[-1]}"
        notes.append(f"{what}: no names in the first line; the columns are called {names}")
    if NOT_BLANK.search(data, dialect.start) is None:
        raise TableError(f"{what} has no rows")
    data, dialect = _prepared(data, dialect)
    table, more = _parsed(data, dialect, what)
    table = _without_trailing(table, dialect, what)
    table, again = _without_repeated_header(table, dialect)
    table, total = without_total(table)
    notes += [f"{what}: {text}" for text in [*more, *again, *total]]
    return Delimited(table, dialect.separator, tuple(notes))


def parsed_part(data: bytes, dialect: Dialect, what: str) -> tuple[Any, list[str]]:
    """Parse some rows of a text file that begin at ``dialect.start``.

    Returns
    -------
    pyarrow.Table
        Columns "0", "1", ... of text.
    list of str
        Notes.
    """
    table, notes = _parsed(*_prepared(data, dialect), what)
    if table.num_rows == 0 or table.num_columns != len(dialect.names):
        return table, notes
    # Rows that repeat the names are known by them.
    names = table.column_names
    found, again = _without_repeated_header(table.rename_columns(list(dialect.names)), dialect)
    return found.rename_columns(names), [*notes, *again]


def _prepared(data: bytes, dialect: Dialect) -> tuple[bytes, Dialect]:
    """Rewrite what the parser does not know: runs of blanks, and blanks before a quote."""
    char, quote = dialect.separator.encode(), dialect.quote.encode()
    if dialect.separator == " ":
        body = re.sub(rb"(?m)^ +| +(?=\r?$)", b"", data[dialect.start :])
        return re.sub(rb" {2,}", b" ", body), replace(dialect, start=0)
    if quote and quote in data and char + b" " + quote in data:
        body = re.sub(re.escape(char) + rb" +" + quote, char + quote, data[dialect.start :])
        return body, replace(dialect, start=0)
    return data, dialect


def _parsed(data: bytes, dialect: Dialect, what: str) -> tuple[Any, list[str]]:
    """Return the table, and notes on rows that had too few values or an open quote."""
    notes: list[str] = []
    quote = dialect.quote.encode()
    if quote and not dialect.escape and data.count(quote, dialect.start) % 2:
        data, note = _closed(data, dialect.start, quote, what)
        notes.append(note)
    odd: list[Any] = []
    table = _arrow(data, dialect, odd, fm.get_num_threads() > 1)
    if not odd:
        return table, notes
    # Again with one thread, which knows the numbers of the rows.
    odd.clear()
    table = _arrow(data, dialect, odd, False)
    return _with_odd_rows(table, odd, dialect, what, notes), notes


def _closed(data: bytes, start: int, quote: bytes, what: str) -> tuple[bytes, str]:
    """Take a quote that is never closed out of its line, if it is clear which line that is."""
    lines = data[start:].splitlines(keepends=True)
    odd = [i for i, line in enumerate(lines) if line.count(quote) % 2]
    number = data.count(b"\n", 0, start) + odd[-1] + 1
    if len(odd) > 1:
        raise TableError(f"{what} has a quote that is never closed, perhaps in line {number}")
    lines[odd[0]] = lines[odd[0]].replace(quote, b"", 1)
    return data[:start] + b"".join(lines), f"the quote in line {number} is not closed: left out"


def _arrow(data: bytes, dialect: Dialect, odd: list[Any], threads: bool) -> Any:
    """Parse the values; rows whose number of values is wrong are skipped and appended to `odd`."""
    import pyarrow as pa

    def skip(row: Any) -> str:
        odd.append(row)
        return "skip"

    try:
        return _parse(data, dialect, skip, threads, BLOCK)
    except pa.ArrowInvalid as error:
        # A value may be longer than a block.
        if "straddling" not in str(error) or len(data) < BLOCK:
            raise
    odd.clear()
    return _parse(data, dialect, skip, False, min(len(data), LARGEST_BLOCK))


def _parse(
    data: bytes, dialect: Dialect, skip: Callable[[Any], str], threads: bool, block: int
) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    names = [str(i) for i in range(dialect.width)]
    quoted = bool(dialect.quote) and data.find(dialect.quote.encode(), dialect.start) >= 0
    return csv.read_csv(
        pa.BufferReader(pa.py_buffer(memoryview(data)[dialect.start :])),
        csv.ReadOptions(column_names=names, use_threads=threads, block_size=block),
        csv.ParseOptions(
            delimiter=dialect.separator,
            quote_char=dialect.quote if quoted else False,
            escape_char=dialect.escape or False,
            newlines_in_values=quoted,
            invalid_row_handler=skip,
        ),
        csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            check_utf8=False,
        ),
    )


def _with_odd_rows(
    table: Any, odd: list[Any], dialect: Dialect, what: str, notes: list[str]
) -> Any:
    """Put back the rows that had too many or too few values, where that is safe.

    Rows that are too short are filled with missing values; surplus separators at the end of a row
    are dropped, and so are comments.
    """
    import pyarrow as pa

    width, kept, places = dialect.width, [], []
    short = comments = 0
    for row in odd:
        cells = next(rows_of([row.text], dialect.separator, dialect.quote, dialect.escape), [])
        if row.text.startswith("#"):
            comments += 1
            continue
        if any(cells[width:]):
            hint = f"put quotes around values that hold {dialect.separator!r}"
            raise TableError(
                f"{what} has {len(cells)} values in row {row.number} below the names, but {width} "
                f"columns: {hint}"
            )
        short += len(cells) < width
        kept.append([cell or None for cell in (cells + [""] * width)[:width]])
        places.append(row.number)
    if short:
        notes.append(f"rows with fewer values than columns, filled as missing: {short:,}")
    if comments:
        notes.append(f"lines that begin with # are left out: {comments:,}")
    if not kept:
        return table
    more = pa.table({n: strings([row[int(n)] for row in kept])
                     for n in table.column_names})  # fmt: skip
    all_places = np.setdiff1d(np.arange(1, len(table) + len(odd) + 1), [row.number for row in odd])
    order = np.argsort(np.concatenate([all_places[: len(table)], places]), kind="stable")
    return pa.concat_tables([table, more]).take(numbers(order))


def _without_trailing(table: Any, dialect: Dialect, what: str) -> Any:
    """Name the columns; drop those that are empty and have no name, as after a last separator."""
    names = list(dialect.names) + [""] * (len(table.column_names) - len(dialect.names))
    empty = [not name.strip() and table.column(i).null_count == len(table)
             for i, name in enumerate(names)]  # fmt: skip
    for i in range(len(dialect.names), len(names)):
        if not empty[i]:
            raise TableError(f"{what} has more values in a row than names in its first line")
    kept = [i for i in range(len(names)) if not empty[i]]
    given = [names[i] if names[i].strip() else f"Unnamed: {i}" for i in kept]
    return named(table.select(kept), given, what)


def _without_repeated_header(table: Any, dialect: Dialect) -> tuple[Any, list[str]]:
    """Drop rows that repeat the names, as in files that were put together."""
    import pyarrow.compute as pc

    if not dialect.has_header or len(table.column_names) < 2:
        return table, []
    same: Any = None
    for name in table.column_names:
        equal = pc.equal(pc.utf8_trim_whitespace(table.column(name)), strings([name])[0])
        same = equal if same is None else pc.and_kleene(same, equal)
        if not pc.any(same).as_py():
            return table, []
    count = pc.sum(same).as_py()
    same = mask_of(same.combine_chunks())
    return table.filter(booleans(~same)), [f"rows that repeat the names, left out: {count:,}"]


def without_total(table: Any) -> tuple[Any, list[str]]:
    """Drop a last row of totals, as spreadsheets have it: its first value says so, others lack."""
    last = table.slice(len(table) - 1).to_pylist()[0]
    first, *rest = last.values()
    if len(table) < 2 or not first or first.strip().casefold() not in TOTALS or None not in rest:
        return table, []
    return table.slice(0, len(table) - 1), [f"the last row is left out: it begins with {first!r}"]
