"""A table in memory, as it was read: columns by name, in the memory layout of Apache Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.tabular.reading.arrow import numbers
from fastmlp.tabular.reading.errors import TableError
from fastmlp.tabular.reading.options import ReadOptions, normal_name
from fastmlp.tabular.text import quoted


@dataclass(frozen=True)
class Frame:
    """A table as it was read.

    Attributes
    ----------
    table : pyarrow.Table
        Its columns; those of a text file are all text, and null where empty.
    notes : tuple of str
        What was noticed on the way, one line each.
    separator : str
        The character between values of a text file. Where it is ``";"``, a comma is more likely
        to be a decimal one.
    rows : ndarray of int64, optional
        The rows of `table` that the frame consists of; by default all.
    memo : dict
        What readers keep about whole columns of `table`, by name.
    """

    table: Any
    notes: tuple[str, ...] = ()
    separator: str = ""
    rows: Array | None = None
    memo: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return int(self.table.num_rows) if self.rows is None else len(self.rows)

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self.table.column_names)

    def column(self, name: str) -> Any:
        """Return a column as one pyarrow.Array."""
        whole = as_array(self.table.column(name))
        return whole if self.rows is None else whole.take(numbers(self.rows))

    def stored(self, name: str) -> tuple[Any, Array | None, dict[str, Any]]:
        """Return a pyarrow.ChunkedArray of `table`, the rows of it, and what is kept about it."""
        memo = {} if self.rows is None else self.memo.setdefault(name, {})
        return self.table.column(name), self.rows, memo

    def take(self, rows: Array) -> Frame:
        """Return some rows, by index or by truth values."""
        found = np.flatnonzero(rows) if rows.dtype == bool else rows
        found = found.astype(np.int64)
        return replace(self, rows=found if self.rows is None else self.rows[found])

    def chosen_table(self) -> Any:
        """Return the rows of the frame as a pyarrow.Table of their own."""
        return self.table if self.rows is None else self.table.take(numbers(self.rows))

    def renamed(self, names: Sequence[str]) -> Frame:
        """Return the table with other names."""
        return replace(self, table=self.table.rename_columns(list(names)), memo={})

    def drop(self, names: Iterable[str]) -> Frame:
        """Return the table without some columns."""
        left = set(names)
        return replace(self, table=self.table.select([n for n in self.names if n not in left]))

    def check_names(self, names: Iterable[str], argument: str) -> None:
        """Refuse names of columns that are not there.

        Raises
        ------
        TableError
            It begins with `argument`, and names them and what there is.
        """
        found = set(self.names)
        missing = [name for name in names if name not in found]
        if missing:
            raise TableError(f"{argument}: {missing_names(missing, self.names)}")

    def check_options(self, options: ReadOptions) -> None:
        """Refuse options on columns that are not there; see `check_names`."""
        self.check_names(options.drop, "`drop`")
        self.check_names(options.keep, "`keep`")
        self.check_names(options.kinds, "kinds of columns")


def as_array(column: Any) -> Any:
    """Return a pyarrow.ChunkedArray as one pyarrow.Array, and a pyarrow.Array as it is."""
    import pyarrow as pa

    if isinstance(column, pa.Array):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    chunks = column.combine_chunks()
    # Of a column without rows, pyarrow returns no array but chunks.
    return pa.concat_arrays(chunks.chunks) if isinstance(chunks, pa.ChunkedArray) else chunks


def named(table: Any, names: Sequence[Any], what: str) -> Any:
    """Give a pyarrow.Table its names, normalised; refuse double names and tables without rows."""
    given = [normal_name(name) for name in names]
    if len(set(given)) != len(given):
        twice = next(name for i, name in enumerate(given) if name in given[:i])
        raise TableError(f"{what} has two columns named {twice!r}")
    if table.num_rows == 0:
        raise TableError(f"{what} has no rows")
    return table.rename_columns(given)


def missing_names(missing: Sequence[str], found: Sequence[str]) -> str:
    """Say which columns are missing, and what there is in their place.

    Examples
    --------
    >>> missing_names(["size"], ["Size", "city"])
    "a column is missing: 'size' (there is 'Size')"
    """
    start = "a column is" if len(missing) == 1 else f"{len(missing)} columns are"
    by_case = {name.casefold(): name for name in found}
    similar = [by_case[name.casefold()] for name in missing if name.casefold() in by_case]
    there = quoted(similar) if similar else f"only {quoted(found)}" if found else "no other"
    return f"{start} missing: {quoted(missing)} (there is {there})"
