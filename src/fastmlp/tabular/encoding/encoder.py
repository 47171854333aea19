"""From the columns that were read to the inputs of a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.sparse import SparseRows
from fastmlp.base.validation import Array
from fastmlp.tabular.checking import check_keys
from fastmlp.tabular.encoding.dates import DATE_PARTS
from fastmlp.tabular.encoding.levels import LevelColumn
from fastmlp.tabular.encoding.numbers import MissingColumn, NumberColumn, Numbers
from fastmlp.tabular.encoding.texts import TextColumn
from fastmlp.tabular.side_by_side import side_by_side

if TYPE_CHECKING:
    from fastmlp.tabular.columns import ReadColumn, ReadTable


# Elements that are encoded at a time, so that they stay in cache.
_PART = 1 << 18
# With fewer entries in a row than this share of the inputs, sparse rows are trained on faster.
_MOST_ENTRIES = 1 / 6


class Encoder:
    """Encodes the columns of a read table as one matrix: numbers, then flags, then row numbers.

    Each column of numbers is one input, and an input more if training has missing values in it;
    with two different values it is a flag.
    A date is several: the day, and where it is in the week, in the year and in the day. A column
    of levels is one input for each level; or one with the number of a row of an embedding. All is
    learnt from the training rows. A column of text is 64 inputs, of hashed words.

    Parameters
    ----------
    numbers : {"standard", "robust", "quantile"}
        Mean 0 and deviation 1, clipped at 4; median 0 and distance 1 between the quartiles,
        clipped smoothly at 3; or normal quantiles.
    most_one_hot : int, optional
        A column with more levels becomes the number of a row of an embedding. By default none
        does.
    min_frequency : float
        Levels below this share of the rows are encoded together.
    missing_level : bool
        Whether a missing value in a column of levels is a level of its own.
    scaled_levels : bool
        Whether the inputs of levels are scaled like robust numbers, and two levels are one input.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastmlp.tabular.columns import TableReader
    >>> frame = pd.DataFrame({"size": [1.0, 2.0, None, 4.0], "city": ["a", "b", "c", "a"]})
    >>> read = TableReader().fit(frame).read(frame)
    >>> encoder = Encoder(numbers="standard").fit(read)
    >>> encoder.transform(read).shape
    (4, 5)
    >>> encoder.n_numbers, encoder.n_flags
    (1, 4)
    """

    def __init__(
        self,
        numbers: Numbers = "standard",
        *,
        most_one_hot: int | None = None,
        min_frequency: float = 0.0,
        missing_level: bool = False,
        scaled_levels: bool = False,
    ) -> None:
        self._numbers = numbers
        self._level_options = {
            "most_one_hot": most_one_hot,
            "min_frequency": min_frequency,
            "missing_level": missing_level,
            "scaled": scaled_levels,
        }
        self.numbers: list[NumberColumn] = []
        self.pairs: list[NumberColumn] = []
        self.missing: list[MissingColumn] = []
        self.texts: list[TextColumn] = []
        self.levels: list[LevelColumn] = []

    @property
    def settings(self) -> tuple[Any, ...]:
        """The arguments that it was made with; encoders with equal ones learn the same."""
        return self._numbers, *self._level_options.values()

    def fit(self, read: ReadTable) -> Encoder:
        """Learn from the rows of a table.

        Raises
        ------
        ArgumentError
            If no column is left that can help.
        """
        found = side_by_side(self._fitted, read.columns, read.n_rows)
        return self.of_parts(found, [column.name for column in read.columns])

    def of_parts(self, parts: Iterable[Sequence[Any]], names: Sequence[str]) -> Encoder:
        """Take the fitted parts of each column, see `fit`."""
        self.numbers, self.pairs, self.missing, self.texts, self.levels = [], [], [], [], []
        for one in (one for found in parts for one in found):
            self._list_of(one).append(one)
        if self.width == 0:
            listed = ", ".join(names) or "none"
            raise ArgumentError(f"no column can help: all rows are alike in {listed}")
        return self

    @property
    def number_form(self) -> Numbers:
        """How numbers are scaled, see the parameter `numbers`."""
        return self._numbers

    @property
    def level_options(self) -> dict[str, Any]:
        """The options of `LevelColumn.fit`."""
        return dict(self._level_options)

    def _fitted(self, column: ReadColumn) -> list[Any]:
        """Return what becomes of a column."""
        found: list[Any] = []
        if column.values is not None:
            parts = DATE_PARTS if column.kind == "date" else ("",)
            found = [
                NumberColumn.fit(column.name, part, column.values, self._numbers) for part in parts
            ]
            scaled = bool(self._level_options["scaled"])
            found.append(MissingColumn.fit(column.name, np.isnan(column.values), scaled))
        elif column.codes is not None:
            found = [LevelColumn.fit(column.name, column.codes, **self._level_options)]  # type: ignore[arg-type]
        elif column.texts is not None and any(column.texts):
            found = [TextColumn(column.name)]
        return [one for one in found if one is not None]

    def _list_of(self, one: Any) -> list[Any]:
        if isinstance(one, NumberColumn):
            return self.pairs if one.is_pair else self.numbers
        if isinstance(one, MissingColumn):
            return self.missing
        return self.texts if isinstance(one, TextColumn) else self.levels

    @property
    def _one_hot(self) -> list[LevelColumn]:
        return [column for column in self.levels if column.form != "row"]

    @property
    def _rows(self) -> list[LevelColumn]:
        return [column for column in self.levels if column.form == "row"]

    @property
    def n_numbers(self) -> int:
        """Number of inputs that are numbers; they are the first ones."""
        return len(self.numbers)

    @property
    def flag_widths(self) -> list[int]:
        """Number of inputs of each column that became flags, in order."""
        ones = len(self.pairs) + len(self.missing)
        wide: Sequence[Any] = [*self.texts, *self._one_hot]
        return [1] * ones + [column.width for column in wide]

    @property
    def n_flags(self) -> int:
        """Number of inputs that tell of pairs, missing values, texts and levels."""
        return sum(self.flag_widths)

    @property
    def embedded(self) -> list[int]:
        """Number of rows of the embedding of each of the last inputs, which are row numbers."""
        return [column.places + 1 for column in self._rows]

    @property
    def width(self) -> int:
        """Number of inputs."""
        return self.n_numbers + self.n_flags + len(self._rows)

    @property
    def names(self) -> list[str]:
        """Names of the columns in use."""
        columns: Sequence[Any] = [
            *self.numbers, *self.pairs, *self.missing, *self.texts, *self.levels
        ]  # fmt: skip
        return list(dict.fromkeys(column.name for column in columns))

    def transform(self, read: ReadTable, dtype: Any = np.float32) -> Array:
        """Encode rows; columns are found by name and others are ignored.

        Parameters
        ----------
        read : ReadTable
            N rows, read by the reader of the training rows.
        dtype : {"float32", "float64"}

        Returns
        -------
        ndarray, shape (N, width)

        Raises
        ------
        ArgumentError
            If a column is missing, or of another kind.
        """
        columns = self._arrays(read)
        out = np.empty((read.n_rows, self.width), dtype)

        def fill(rows: slice) -> None:
            self._fill(out[rows], {name: array[rows] for name, array in columns.items()})

        side_by_side(fill, _parts(read.n_rows, self.width), read.n_rows)
        return out

    def inputs(self, read: ReadTable, dtype: Any = np.float32) -> Array | SparseRows:
        """Encode rows as `transform` does, as sparse rows if most inputs of a row are zeros.

        A network whose first layer takes sparse rows computes the same bits from both.
        """
        first = self.width - len(self._rows) - sum(level.width for level in self._one_hot)
        entries = first + len(self._one_hot)
        scaled = any(level.scales for level in self._one_hot)
        if self._rows or scaled or entries > _MOST_ENTRIES * self.width:
            return self.transform(read, dtype)
        columns = self._arrays(read)
        place = np.empty((read.n_rows, entries), np.int32)
        value = np.empty((read.n_rows, entries), dtype)

        def fill(rows: slice) -> None:
            place[rows, :first] = np.arange(first)
            part = {name: array[rows] for name, array in columns.items()}
            self._fill_numbers(value[rows], part)
            self._fill_places(place[rows, first:], value[rows, first:], part, first)

        side_by_side(fill, _parts(read.n_rows, entries), read.n_rows)
        start = np.arange(read.n_rows + 1) * entries
        return SparseRows(start, place.reshape(-1), value.reshape(-1), self.width)

    def _arrays(self, read: ReadTable) -> dict[str, Array]:
        """Return the numbers or codes of each column in use, by name."""
        columns = {column.name: column for column in read.columns}
        numbers: Sequence[Any] = [*self.numbers, *self.pairs, *self.missing]
        values = {one.name: _values(columns, one.name) for one in numbers}
        texts = {text.name: _texts(columns, text.name) for text in self.texts}
        return values | texts | {one.name: _codes(columns, one.name) for one in self.levels}

    def _fill(self, out: Array, columns: dict[str, Array]) -> None:
        """Encode rows into `out` (n, width)."""
        at = self._fill_numbers(out, columns)
        for level in [*self._one_hot, *self._rows]:
            out[:, at : at + level.width] = level.transform(columns[level.name])
            at += level.width

    def _fill_numbers(self, out: Array, columns: dict[str, Array]) -> int:
        """Encode the inputs that are no levels into the first columns; return their number."""
        at = 0
        for number in [*self.numbers, *self.pairs]:
            out[:, at] = number.transform(columns[number.name])
            at += 1
        for flag in self.missing:
            out[:, at] = flag.transform(np.isnan(columns[flag.name]))
            at += 1
        for text in self.texts:
            out[:, at : at + text.width] = text.transform(columns[text.name])
            at += text.width
        return at

    def _fill_places(
        self, place: Array, value: Array, columns: dict[str, Array], first: int
    ) -> None:
        """Encode levels as entries: the inputs from `first` on that are 1, and ones."""
        for entry, level in enumerate(self._one_hot):
            # A row without a place has a stored zero, so that all rows have as many entries.
            found = level.place(columns[level.name])
            place[:, entry] = first + np.minimum(found, level.places - 1)
            value[:, entry] = found < level.places
            first += level.width

    def describe(self) -> dict[str, Any]:
        """Return the fitted encoder as values that JSON can hold."""
        return {
            "numbers": [column.describe() for column in self.numbers],
            "pairs": [column.describe() for column in self.pairs],
            "missing": [column.describe() for column in self.missing],
            "texts": [column.describe() for column in self.texts],
            "levels": [column.describe() for column in self.levels],
        }

    @classmethod
    def from_description(cls, description: Any) -> Encoder:
        """Build an encoder from what `describe` returned; it may come from a hostile file.

        Raises
        ------
        ArgumentError
            If it does not have that form.
        """
        check_keys(description, {"numbers", "pairs", "missing", "texts", "levels"}, "the encoder")
        if not all(isinstance(columns, list) for columns in description.values()):
            raise ArgumentError("the encoder must have lists of columns")
        found = cls()
        found.numbers = [NumberColumn.from_description(one) for one in description["numbers"]]
        found.pairs = [NumberColumn.from_description(one) for one in description["pairs"]]
        found.missing = [MissingColumn.from_description(one) for one in description["missing"]]
        found.texts = [TextColumn.from_description(one) for one in description["texts"]]
        found.levels = [LevelColumn.from_description(one) for one in description["levels"]]
        if found.width == 0:
            raise ArgumentError("the encoder must have a column")
        return found

    def summary(self) -> dict[str, str]:
        """Return how each column in use is encoded, by name."""
        lines: dict[str, list[str]] = {}
        columns: Sequence[Any] = [
            *self.numbers, *self.pairs, *self.missing, *self.texts, *self.levels
        ]  # fmt: skip
        for column in columns:
            lines.setdefault(column.name, []).append(str(column))
        return {name: "; ".join(parts) for name, parts in lines.items()}


def _parts(rows: int, width: int) -> list[slice]:
    """Return slices of rows that are encoded at a time."""
    size = max(1, _PART // width)
    return [slice(first, first + size) for first in range(0, rows, size)]


def _values(columns: dict[str, ReadColumn], name: str) -> Array:
    values = columns[name].values if name in columns else None
    if values is None:
        raise ArgumentError(f"read: got no numbers in column {name!r}; want them")
    return values


def _codes(columns: dict[str, ReadColumn], name: str) -> Array:
    codes = columns[name].codes if name in columns else None
    if codes is None:
        raise ArgumentError(f"read: got no levels in column {name!r}; want them")
    return codes


def _texts(columns: dict[str, ReadColumn], name: str) -> Array:
    texts = columns[name].texts if name in columns else None
    if texts is None:
        raise ArgumentError(f"read: got no texts in column {name!r}; want them")
    return texts
