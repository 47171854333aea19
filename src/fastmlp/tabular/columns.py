"""How one column of a table becomes inputs of a network, and its description as JSON."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.tabular.text import four_digits
from fastmlp.tabular.values import Kind, Numbers, Texts, levels_of, numbers_of

if TYPE_CHECKING:
    import pandas as pd


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
    def fit(cls, name: str, kind: Kind, values: Numbers) -> NumericColumn:
        """Fit to (N,) numbers, NaN where missing; at least one must be present."""
        with np.errstate(over="ignore", invalid="ignore"):
            median = float(np.nanmedian(values))
            filled = np.where(np.isnan(values), median, values)
            mean, deviation = float(filled.mean()), float(filled.std())
        if not math.isfinite(median + deviation):
            raise ArgumentError(f"column {name!r} holds numbers too large to standardise")
        # Of a constant column the deviation is 0: divide by 1 instead.
        return cls(name, kind, median, mean, deviation or 1.0)

    def transform(self, column: pd.Series[Any], out: Numbers) -> None:
        """Fill `out`, (N, 1)."""
        values = numbers_of(column, self.kind)
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
    def fit(cls, name: str, values: Texts, min_frequency: float) -> CategoricalColumn:
        """Fit to (N,) texts; levels below `min_frequency`, a share of the rows, are rare."""
        levels, counts = np.unique(values, return_counts=True)
        frequent = counts >= min_frequency * len(values)
        return cls(name, tuple(levels[frequent].tolist()), not frequent.all())

    def transform(self, column: pd.Series[Any], out: Numbers) -> None:
        """Fill `out`, (N, width)."""
        levels, inverse = np.unique(levels_of(column), return_inverse=True)
        known = {level: i for i, level in enumerate(self.levels)}
        places = np.array([known.get(level, len(known)) for level in levels], dtype=np.int64)
        places = places[inverse]
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
    return check_texts([description["name"]], "name")[0]


def check_keys(value: Any, keys: set[str], what: str) -> None:
    """Refuse anything but a dict with exactly these keys."""
    if not isinstance(value, dict) or value.keys() != keys:
        raise ArgumentError(f"{what} must have exactly {', '.join(sorted(keys))}")


def check_texts(values: Any, what: str) -> Sequence[str]:
    """Refuse anything but a list of different texts."""
    if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
        raise ArgumentError(f"{what} must be text")
    if len(set(values)) != len(values):
        raise ArgumentError(f"{what} must all be different")
    try:
        "".join(values).encode()
    except UnicodeEncodeError as error:
        # JSON can spell half of a character.
        raise ArgumentError(f"{what} must be valid Unicode") from error
    return values


def check_number(value: Any, what: str) -> float:
    """Refuse anything but a finite number."""
    # An integer may be too large for a float.
    if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:
        raise ArgumentError(f"{what} is {value!r:.40}, expected a finite number")
    return float(value)
