"""Some rows of a column: those to train on, or those to test on, of one table.

Rows are chosen at random, and taking texts at random is slow. So a column is parsed as a whole, and
rows are taken of the numbers and codes that were found.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.tabular.columns import typed
from fastmlp.tabular.columns.cells import MANY, SAMPLE, Cells, cells_of_rows, factorised
from fastmlp.tabular.columns.numbers import Numbers, plain_numbers
from fastmlp.tabular.reading import Frame
from fastmlp.tabular.reading.arrow import numbers, valid_of
from fastmlp.tabular.reading.frame import as_array


class Chosen:
    """Rows of a column of any type.

    Parameters
    ----------
    whole : pyarrow.Array or pyarrow.ChunkedArray
        All rows of the column, without an extension type. Texts need not be in one piece.
    rows : ndarray of int64, optional
        The chosen rows; by default all.
    memo : dict, optional
        Where to keep what was parsed of the whole column, for other rows of it.
    """

    def __init__(self, whole: Any, rows: Array | None = None, memo: Any = None) -> None:
        self._whole, self._rows = whole, rows
        self._array: Any = None
        self._cells: Cells | None = None
        self._memo: dict[str, Any] = {} if memo is None else memo

    @classmethod
    def of(cls, frame: Frame, name: str) -> Chosen:
        """Return a frame's column."""
        from pyarrow import types

        whole, rows, memo = frame.stored(name)
        if "whole" not in memo:
            memo["whole"] = whole if types.is_string(whole.type) else typed.storage(as_array(whole))
        return cls(memo["whole"], rows, memo)

    def __len__(self) -> int:
        return len(self._whole) if self._rows is None else len(self._rows)

    @property
    def type(self) -> Any:
        """The type of the pyarrow array."""
        return self._whole.type

    def kind(self) -> str:
        """Return what the type of the column says, see `typed.class_of`."""
        return typed.class_of(self._whole)

    def array(self) -> Any:
        """Return the rows as one pyarrow.Array."""
        if self._array is None:
            whole = self._whole if self._rows is None else self._whole.take(numbers(self._rows))
            self._array = as_array(whole)
        return self._array

    def texts(self) -> Chosen:
        """Return the same rows as text."""
        from pyarrow import types

        return self if types.is_string(self.type) else Chosen(typed.texts_of(self.array()))

    def are_missing(self) -> bool:
        """Tell whether all rows are null."""
        if self._whole.null_count == 0:
            return False
        valid = valid_of(as_array(self._whole))
        return not (valid if self._rows is None else valid[self._rows]).any()

    def plain_numbers(self) -> Numbers | None:
        """Return the numbers of texts, NaN for null; None if a text is no number."""
        if self._rows is None:
            return plain_numbers(self._whole)
        if "numbers" not in self._memo:
            self._memo["numbers"] = plain_numbers(self._whole)
        found = self._memo["numbers"]
        if found is not None:
            return np.asarray(found[self._rows])
        # The rows may still be numbers, where others of the column are none.
        few = self._have_few_values()
        none = few and plain_numbers(self.factorised().values) is None
        return None if none else plain_numbers(self.array())

    def _have_few_values(self) -> bool:
        """Tell by the first rows of the column whether values are repeated often."""
        import pyarrow.compute as pc

        sample = self._whole.slice(0, SAMPLE)
        different = pc.count_distinct(sample).as_py()
        return bool(different <= MANY * (len(sample) - sample.null_count))

    def cells(self) -> Cells:
        """Return the cells of texts; blanks around values do not count."""
        return self.factorised() if self._have_few_values() else cells_of_rows(self.array())

    def factorised(self) -> Cells:
        """Return the different texts and the codes of the rows."""
        if self._cells is None:
            self._cells = self._factorised()
        return self._cells

    def _factorised(self) -> Cells:
        if self._rows is None:
            return factorised(self._whole)
        if "cells" not in self._memo:
            self._memo["cells"] = factorised(self._whole)
        cells: Cells = self._memo["cells"]
        return cells.rows(self._rows)
