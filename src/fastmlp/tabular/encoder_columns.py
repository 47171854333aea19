"""How one read column becomes inputs of a network, and its description as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.tabular.checking import check_keys, check_number, check_text, check_texts
from fastmlp.tabular.columns import ColumnRule, Kind, ReadColumn
from fastmlp.tabular.text import four_digits

Numbers = NDArray[np.float64]
MISSING = "(missing)"  # the input of missing values


@dataclass(frozen=True)
class NumericColumn:
    """A column of numbers: missing values become the median, then ``(v - mean) / scale``."""

    name: str
    kind: Kind  # numeric or date
    median: float
    mean: float
    scale: float
    width = 1

    @classmethod
    def fit(cls, column: ReadColumn) -> NumericColumn:
        """Fit to (N,) numbers, NaN where missing; at least one must be present."""
        values = column.values
        assert values is not None
        with np.errstate(over="ignore", invalid="ignore"):
            median = float(np.nanmedian(values))
            filled = np.where(np.isnan(values), median, values)
            mean, deviation = float(filled.mean()), float(filled.std())
        if not math.isfinite(median + deviation):
            raise ArgumentError(f"column {column.name!r} holds numbers too large to standardise")
        # Of a constant column the deviation is 0: divide by 1 instead.
        return cls(column.name, column.kind, median, mean, deviation or 1.0)

    def transform(self, column: ReadColumn, rule: ColumnRule, out: Array) -> None:
        """Fill `out`, (N, 1)."""
        values = column.values
        assert values is not None
        filled = np.where(np.isnan(values), self.median, values)
        out[:, 0] = (filled - self.mean) / self.scale

    def describe(self) -> dict[str, Any]:
        """Return what `column_from_description` takes."""
        return dict(vars(self))

    def __str__(self) -> str:
        return f"{self.kind}, mean {four_digits(self.mean)}, deviation {four_digits(self.scale)}"


@dataclass(frozen=True)
class CategoricalColumn:
    """A column of levels: one input for each frequent level, and one for all rare levels.

    A new level counts as rare. If training had no rare level, a new level has zero in all inputs.
    """

    name: str
    levels: tuple[str, ...]
    rare: bool

    @property
    def width(self) -> int:
        """Number of inputs that the column becomes."""
        return len(self.levels) + self.rare

    @classmethod
    def fit(cls, column: ReadColumn, rule: ColumnRule, min_frequency: float) -> CategoricalColumn:
        """Fit to (N,) codes; levels below `min_frequency`, a share of the rows, are rare."""
        codes = column.codes
        assert codes is not None
        # Place 0 is that of missing values.
        counts = np.bincount(codes[codes >= -1] + 1, minlength=len(rule.levels) + 1)
        names = np.array([MISSING, *rule.levels], dtype=object)[counts > 0]
        frequent = counts[counts > 0] >= min_frequency * len(codes)
        return cls(column.name, tuple(sorted(names[frequent])), not frequent.all())

    def transform(self, column: ReadColumn, rule: ColumnRule, out: Array) -> None:
        """Fill `out`, (N, width)."""
        codes = column.codes
        assert codes is not None
        known = {level: i for i, level in enumerate(self.levels)}
        # The codes -2 (unknown) and -1 (missing) are the last two places.
        names = [*rule.levels, "", MISSING]
        places = np.array([known.get(name, len(known)) for name in names])[codes]
        rows = np.flatnonzero(places < self.width)
        out[...] = 0.0
        out[rows, places[rows]] = 1.0

    def describe(self) -> dict[str, Any]:
        """Return what `column_from_description` takes."""
        levels = list(self.levels)
        return {"name": self.name, "kind": "categorical", "levels": levels, "rare": self.rare}

    def __str__(self) -> str:
        names = [*self.levels, "(rare)"] if self.rare else self.levels
        return f"categorical: {', '.join(names)}"


Column = NumericColumn | CategoricalColumn


def column_from_description(description: Any) -> Column:
    """Build a column from what `describe` returned; it may come from a hostile file.

    Raises
    ------
    ArgumentError
        If a field is missing, unknown, of a wrong type or out of range.
    """
    kind = description.get("kind") if isinstance(description, dict) else None
    if kind == "categorical":
        check_keys(description, {"name", "kind", "levels", "rare"}, "a column")
        levels = check_texts(description["levels"], "levels")
        if type(description["rare"]) is not bool or not (levels or description["rare"]):
            raise ArgumentError("a column has an invalid value of rare, or no level")
        return CategoricalColumn(_name(description), tuple(levels), description["rare"])
    if kind not in ("numeric", "date"):
        raise ArgumentError(f"a column is of the unknown kind {kind!r:.40}")
    check_keys(description, {"name", "kind", "median", "mean", "scale"}, "a column")
    median, mean, scale = (check_number(description[k], k) for k in ("median", "mean", "scale"))
    if scale <= 0:
        raise ArgumentError(f"scale is {scale}, expected a positive number")
    return NumericColumn(_name(description), kind, median, mean, scale)


def _name(description: dict[str, Any]) -> str:
    return check_text(description["name"], "name")
