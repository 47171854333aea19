"""From a table to the inputs of a network, as scikit-learn's ColumnTransformer does it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.tabular.checking import check_keys, check_number
from fastmlp.tabular.columns import ColumnRule, ReadColumn, TableReader
from fastmlp.tabular.encoder_columns import (
    CategoricalColumn,
    Column,
    NumericColumn,
    column_from_description,
)
from fastmlp.tabular.reading import ReadOptions, frame_of

# In standard deviations. In a nearly constant column, a rare value can be hundreds of them from the
# mean (docs/tabular.md shows what that costs).
CLIP = 4.0
MIN_FREQUENCY = 0.01  # of the rows: levels below it are encoded together


class Encoder:
    """Medians for missing numbers, standardised columns, one input for each frequent level.

    The numbers are those of ``SimpleImputer(strategy="median")`` and ``StandardScaler``; of
    ``SimpleImputer(strategy="constant")`` and ``OneHotEncoder(min_frequency=...,
    handle_unknown="infrequent_if_exist")`` for levels. Extreme values are then clipped. Columns
    that `TableReader` leaves out, and columns of free text, are dropped and listed in `left_out`.

    Parameters
    ----------
    min_frequency : float, default 0.01
        Share of the rows below which a level is rare.
    clip : float or None, default 4
        Largest absolute value of an encoded number.
    maximum : float, optional
        Known largest value of all columns, such as pixels. Values are divided by it instead of
        being standardised, and no column is dropped.
    options : ReadOptions, optional
        How columns are read.

    Examples
    --------
    >>> table = {"size": [1.0, 3.0, None], "colour": ["red", None, "blue"]}
    >>> Encoder().fit(table).transform(table).round(2).tolist()
    [[-1.22, 0.0, 0.0, 1.0], [1.22, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    """

    def __init__(
        self,
        min_frequency: float = MIN_FREQUENCY,
        clip: float | None = CLIP,
        maximum: float | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        self.min_frequency = min_frequency
        self.clip = clip
        self.maximum = maximum
        self.options = options or ReadOptions()
        self.reader = TableReader()
        self.columns: list[Column] = []
        self.left_out: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """Names of the columns in use."""
        return [column.name for column in self.columns]

    @property
    def width(self) -> int:
        """Number of inputs that the columns become."""
        return sum(column.width for column in self.columns)

    def fit(self, table: Any) -> Encoder:
        """Learn from the rows of a table.

        Raises
        ------
        ArgumentError
            If no column is left.
        """
        frame = frame_of(table)
        pixels = dict.fromkeys(frame.names, "numeric") if self.maximum is not None else {}
        options = self.options
        self.reader = TableReader()
        read = self.reader.fit_read(
            frame,
            kinds=pixels or options.kinds,
            missing=options.missing,
            decimal=options.decimal,
            thousands=options.thousands,
        )
        self.left_out, self.columns = dict(self.reader.left_out), []
        for rule, column in zip(self.reader.rules, read.columns, strict=True):
            found = self._fit_column(rule, column)
            if isinstance(found, str):
                self.left_out[rule.name] = found
            else:
                self.columns.append(found)
        self.reader.keep(self.names, self.left_out)
        return self

    def transform(self, table: Any) -> Array:
        """Encode rows; columns are found by name and others are ignored.

        Returns
        -------
        ndarray, shape (N, width), float64

        Raises
        ------
        ArgumentError
            If columns are missing; it names them.
        """
        read = self.reader.read(table)
        out = np.empty((read.n_rows, self.width))
        start = 0
        for rule, column, values in zip(self.reader.rules, self.columns, read.columns, strict=True):
            column.transform(values, rule, out[:, start : start + column.width])
            start += column.width
        return out if self.clip is None else np.clip(out, -self.clip, self.clip, out=out)

    def notes(self, table: Any) -> list[str]:
        """List the values of a table that count as missing or unknown, one line a column.

        Raises
        ------
        ArgumentError
            If columns are missing, or a column of numbers holds none.
        """
        # If training had rare levels, new ones share their input.
        rare = [c.name for c in self.columns if isinstance(c, CategoricalColumn) and c.rare]
        return self.reader.notes(table, known=rare)

    def describe(self) -> dict[str, Any]:
        """Return the fitted encoder as values that JSON can hold."""
        columns = [column.describe() for column in self.columns]
        return {"clip": self.clip, "columns": columns, "reader": self.reader.describe()}

    @classmethod
    def from_description(cls, description: Any) -> Encoder:
        """Build an encoder from what `describe` returned; it may come from a hostile file.

        Raises
        ------
        ArgumentError
            If it does not have that form.
        """
        check_keys(description, {"clip", "columns", "reader"}, "the encoder")
        if not isinstance(description["columns"], list):
            raise ArgumentError("the encoder must have a list of columns")
        encoder = cls(clip=_checked_clip(description["clip"]))
        encoder.reader = TableReader.from_description(description["reader"])
        encoder.columns = [column_from_description(column) for column in description["columns"]]
        if encoder.names != encoder.reader.names:
            raise ArgumentError("the encoder must have the columns of its reader")
        for column, rule in zip(encoder.columns, encoder.reader.rules, strict=True):
            if (rule.kind == "categorical") != isinstance(column, CategoricalColumn):
                raise ArgumentError(f"the column {column.name!r:.40} has two kinds")
        encoder.left_out = dict(encoder.reader.left_out)
        return encoder

    def _fit_column(self, rule: ColumnRule, column: ReadColumn) -> Column | str:
        """Return the fitted column, or why it is left out."""
        if self.maximum is not None:
            return NumericColumn(rule.name, "numeric", 0.0, 0.0, self.maximum)
        if rule.kind == "text":
            return "free text"
        if rule.kind != "categorical":
            return NumericColumn.fit(column)
        found = CategoricalColumn.fit(column, rule, self.min_frequency)
        return found if found.levels else "no level is frequent"


def _checked_clip(value: Any) -> float | None:
    if value is None:
        return None
    clip = check_number(value, "clip")
    if clip <= 0:
        raise ArgumentError(f"clip is {clip}, expected a positive number")
    return clip
