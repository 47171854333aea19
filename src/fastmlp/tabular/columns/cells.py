"""The values of a column of text: the different ones where they are few, and where they stand.

A column of a million rows with thirty levels is looked at thirty times, not a million times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.base.validation import Array
from fastmlp.tabular.reading.arrow import null, numbers, strings, valid_of, values_of
from fastmlp.tabular.reading.frame import as_array

SAMPLE = 4000
SPREAD_SAMPLE = 250
MANY = 0.5  # of the sample's values are different: then the column is not factorised


@dataclass(frozen=True)
class Cells:
    """Texts of N rows.

    Attributes
    ----------
    values : pyarrow.StringArray
        Texts without outer blanks, null where missing: the different ones, or those of all rows.
    codes : ndarray, shape (N,), int32, or None
        Index of each row into `values`, -1 where missing; None if `values` are the rows.
    counts : ndarray, shape (len(values),), int64
        Number of rows of each value.
    """

    values: Any
    codes: NDArray[np.int32] | None
    counts: Array

    @property
    def n_rows(self) -> int:
        return len(self.values) if self.codes is None else len(self.codes)

    @property
    def present(self) -> int:
        """Number of rows that are not missing."""
        valid = valid_of(self.values)
        return int(np.count_nonzero(valid) if self.codes is None else self.counts[valid].sum())

    def without(self, texts: Iterable[str]) -> Cells:
        """Take some texts as missing; they are given in lower case."""
        import pyarrow.compute as pc

        known = pc.is_in(pc.utf8_lower(self.values), value_set=strings(list(texts)))
        return self.where(pc.invert(known))

    def where(self, mask: Any) -> Cells:
        """Keep the cells of a mask over `values`; others become missing."""
        import pyarrow.compute as pc

        values = pc.if_else(mask, self.values, null(self.values.type))
        return Cells(values, self.codes, self.counts)

    def spread(self, found: Array, missing: Any) -> Array:
        """Bring what was found for each of `values` to the rows."""
        if self.codes is None:
            return found
        # The code -1 is the last place.
        return np.append(found, np.array([missing], dtype=found.dtype))[self.codes]

    def rows(self, rows: Array) -> Cells:
        """Return the cells of some rows, whose values stand in the order of these rows."""
        assert self.codes is not None
        codes, count = self.codes[rows], len(self.values)
        # The code -1 is the last place.
        first = np.full(count + 1, len(codes))
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        order = np.argsort(first[:count], kind="stable")[: np.sum(first[:count] < len(codes))]
        new = np.full(count + 1, -1, dtype=np.int32)
        new[order] = np.arange(len(order))
        codes = new[codes]
        counts = np.bincount(codes[codes >= 0], minlength=len(order))
        return Cells(self.values.take(numbers(order)), codes, counts)


def cells_of_rows(array: Any) -> Cells:
    """Return the cells of a pyarrow array of texts that mostly differ."""
    values = trimmed(array)
    return Cells(values, None, one_each(len(values)))


def one_each(count: int) -> Array:
    """Return a 1 for each of so many values, which takes no memory."""
    return np.broadcast_to(np.int64(1), (count,))


def factorised(array: Any) -> Cells:
    """Return the different texts and the codes of the rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = pc.dictionary_encode(array)
    if isinstance(encoded, pa.ChunkedArray):
        encoded = as_array(encoded.unify_dictionaries())
    codes = values_of(encoded.indices, -1)
    values = trimmed(encoded.dictionary)
    return Cells(values, codes, np.bincount(codes[codes >= 0], minlength=len(values)))


def count_distinct(cells: Cells) -> int:
    """Number of different texts that are not missing."""
    import pyarrow.compute as pc

    return int(pc.count_distinct(cells.values).as_py())


def distinct(cells: Cells) -> tuple[list[str], Array]:
    """Return the different texts that are not missing, and the number of rows of each."""
    import pyarrow.compute as pc

    if cells.codes is None:
        found = pc.value_counts(cells.values.drop_null())
        return found.field("values").to_pylist(), values_of(found.field("counts"), 0)
    counts: dict[str, int] = {}
    for text, count in zip(cells.values.to_pylist(), cells.counts.tolist(), strict=True):
        if text is not None:
            counts[text] = counts.get(text, 0) + count
    return list(counts), np.fromiter(counts.values(), dtype=np.int64, count=len(counts))


def spread_sample(values: Any, most: int = SPREAD_SAMPLE) -> list[str]:
    """Return up to `most` texts that are present, evenly spread over a pyarrow array."""
    count = min(len(values), 4 * most)
    places = np.linspace(0, max(len(values) - 1, 0), count).astype(np.int64)
    found: list[str] = values.take(numbers(places)).drop_null().to_pylist()
    return found[:: max(1, -(-len(found) // most))]


def trimmed(array: Any) -> Any:
    """Remove outer blanks; texts of nothing else are missing."""
    import pyarrow.compute as pc

    values = pc.utf8_trim_whitespace(array)
    return pc.if_else(pc.equal(values, strings([""])[0]), null(values.type), values)
