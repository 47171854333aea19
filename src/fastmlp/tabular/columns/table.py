"""Columns as they were read: numbers, codes of levels, or texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp.base.validation import Array

Kind = Literal["numeric", "date", "categorical", "text"]
KINDS: tuple[Kind, ...] = ("numeric", "date", "categorical", "text")
MISSING, UNSEEN = -1, -2  # codes of what is no level


@dataclass(frozen=True)
class ReadColumn:
    """One column of N rows. Of `values`, `codes` and `texts`, the one of its kind is set.

    Attributes
    ----------
    name : str
    kind : {"numeric", "date", "categorical", "text"}
    values : ndarray, shape (N,), float64, or None
        Numbers; for a date, days since 1970, whose fractions are times. NaN where missing.
    codes : ndarray, shape (N,), int32, or None
        Index into the levels of the column's rule; -1 where missing, -2 for a level that the rule
        does not know.
    texts : ndarray, shape (N,), object, or None
        Texts; None where missing.
    """

    name: str
    kind: Kind
    values: NDArray[np.float64] | None = None
    codes: NDArray[np.int32] | None = None
    texts: NDArray[np.object_] | None = None

    def __len__(self) -> int:
        found = (array for array in (self.values, self.codes, self.texts) if array is not None)
        return len(next(found))

    def rows(self, indices: Array) -> ReadColumn:
        """Return some rows, by index or by truth values."""
        if self.values is not None:
            return replace(self, values=self.values[indices])
        if self.codes is not None:
            return replace(self, codes=self.codes[indices])
        assert self.texts is not None
        return replace(self, texts=self.texts[indices])


@dataclass(frozen=True)
class ReadTable:
    """Columns of the same N rows, as a `TableReader` read them.

    Attributes
    ----------
    n_rows : int
    columns : tuple of ReadColumn
    notes : mapping of str to str
        Values that count as missing or unknown: one line, by column.
    """

    n_rows: int
    columns: tuple[ReadColumn, ...]
    notes: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, name: str) -> ReadColumn:
        return next(column for column in self.columns if column.name == name)

    def rows(self, indices: Array) -> ReadTable:
        """Return some rows, by index or by truth values."""
        count = int(indices.sum()) if indices.dtype == bool else len(indices)
        return ReadTable(count, tuple(column.rows(indices) for column in self.columns))
