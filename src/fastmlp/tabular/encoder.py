"""From a table to the inputs of a network, as scikit-learn's ColumnTransformer does it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.tabular.columns import (
    CategoricalColumn,
    Column,
    NumericColumn,
    check_keys,
    check_number,
    check_texts,
    column_from_description,
)
from fastmlp.tabular.text import quoted
from fastmlp.tabular.values import MISSING, Numbers, Texts, kind_of, levels_of, numbers_of

if TYPE_CHECKING:
    import pandas as pd

# In standard deviations. In a nearly constant column, a rare value can be hundreds of them from the
# mean (docs/tabular.md shows what that costs).
CLIP = 4.0
MIN_FREQUENCY = 0.01  # of the rows: levels below it are encoded together
DISTINCT_SHARE = 0.9  # of the rows: text with more different values than this is an identifier
FEWEST_FOR_IDENTIFIER = 20  # rows; in fewer, names of classes may all differ by chance
# Names of whole-number columns that count rows, such as pandas' index, id, PassengerId, user_id.
IDENTIFIER_NAME = re.compile(r"(?i:unnamed: 0|(.*[ _.-])?(id|index))|.*[a-z](Id|ID)")


class Encoder:
    """Medians for missing numbers, standardised columns, one input for each frequent level.

    The numbers are those of ``SimpleImputer(strategy="median")`` and ``StandardScaler``; of
    ``SimpleImputer(strategy="constant")`` and ``OneHotEncoder(min_frequency=...,
    handle_unknown="infrequent_if_exist")`` for levels. Extreme values are then clipped. Constant,
    empty and identifier columns are dropped and listed in `left_out`.

    Parameters
    ----------
    min_frequency : float, default 0.01
        Share of the rows below which a level is rare.
    clip : float or None, default 4
        Largest absolute value of an encoded number.
    maximum : float, optional
        Known largest value of all columns, such as pixels. Values are divided by it instead of
        being standardised, and no column is dropped.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"size": [1.0, 3.0, None], "colour": ["red", None, "blue"]})
    >>> Encoder().fit(table).transform(table).round(2).tolist()
    [[-1.22, 0.0, 0.0, 1.0], [1.22, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    """

    def __init__(
        self,
        min_frequency: float = MIN_FREQUENCY,
        clip: float | None = CLIP,
        maximum: float | None = None,
    ) -> None:
        self.min_frequency = min_frequency
        self.clip = clip
        self.maximum = maximum
        self.columns: list[Column] = []
        self.left_out: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """Names of the columns in use."""
        return [column.name for column in self.columns]

    @property
    def text_names(self) -> list[str]:
        """Names of the columns of levels, which must be read from a file as text."""
        return [c.name for c in self.columns if isinstance(c, CategoricalColumn)]

    @property
    def width(self) -> int:
        """Number of inputs that the columns become."""
        return sum(column.width for column in self.columns)

    def fit(self, frame: pd.DataFrame) -> Encoder:
        """Learn from the rows of a table.

        Raises
        ------
        ArgumentError
            If no column is left.
        """
        self.columns, self.left_out = [], {}
        for name in frame.columns:
            found = self._fit_column(name, frame[name])
            if isinstance(found, str):
                self.left_out[name] = found
            else:
                self.columns.append(found)
        if not self.columns:
            reasons = ", ".join(f"{name} ({why})" for name, why in self.left_out.items())
            raise ArgumentError(f"no usable column is left: {reasons or 'there is none'}")
        return self

    def transform(self, frame: pd.DataFrame) -> Numbers:
        """Encode rows; columns are found by name and others are ignored.

        Returns
        -------
        ndarray, shape (N, width), float64

        Raises
        ------
        ArgumentError
            If columns are missing; it names them.
        """
        self._check_names(frame)
        out = np.empty((len(frame), self.width))
        start = 0
        for column in self.columns:
            column.transform(frame[column.name], out[:, start : start + column.width])
            start += column.width
        return out if self.clip is None else np.clip(out, -self.clip, self.clip, out=out)

    def notes(self, frame: pd.DataFrame) -> list[str]:
        """List the values of a table that count as missing or unknown, one line a column.

        Raises
        ------
        ArgumentError
            If columns are missing, or a column of numbers holds none.
        """
        self._check_names(frame)
        lines = [_note(column, frame[column.name]) for column in self.columns]
        return [line for line in lines if line]

    def describe(self) -> dict[str, Any]:
        """Return the fitted encoder as values that JSON can hold."""
        columns = [column.describe() for column in self.columns]
        return {"clip": self.clip, "columns": columns, "left_out": self.left_out}

    @classmethod
    def from_description(cls, description: Any) -> Encoder:
        """Build an encoder from what `describe` returned; it may come from a hostile file.

        Raises
        ------
        ArgumentError
            If it does not have that form.
        """
        check_keys(description, {"clip", "columns", "left_out"}, "the encoder")
        columns, left_out = description["columns"], description["left_out"]
        if not isinstance(columns, list) or not columns or not isinstance(left_out, dict):
            raise ArgumentError("the encoder must have a list of columns")
        encoder = cls(clip=_checked_clip(description["clip"]))
        encoder.columns = [column_from_description(column) for column in columns]
        check_texts([*encoder.names, *left_out], "names of columns")
        # Each reason must be text; two columns may have the same.
        for reason in left_out.values():
            check_texts([reason], "reasons")
        encoder.left_out = dict(left_out)
        return encoder

    def _fit_column(self, name: str, column: pd.Series[Any]) -> Column | str:
        """Return the fitted column, or why it is left out."""
        if self.maximum is not None:
            return NumericColumn(name, "numeric", 0.0, 0.0, self.maximum)
        kind = kind_of(column)
        if kind == "categorical":
            texts = levels_of(column)
            return _why_no_levels(texts) or self._levels(name, texts)
        values = numbers_of(column, kind)
        return _why_no_numbers(name, values) or NumericColumn.fit(name, kind, values)

    def _levels(self, name: str, texts: Texts) -> Column | str:
        column = CategoricalColumn.fit(name, texts, self.min_frequency)
        return column if column.levels else "no level is frequent"

    def _check_names(self, frame: pd.DataFrame) -> None:
        missing = [name for name in self.names if name not in frame.columns]
        if missing:
            raise ArgumentError(f"{_plural(missing)} missing: {quoted(missing)}")


def _checked_clip(value: Any) -> float | None:
    if value is None:
        return None
    clip = check_number(value, "clip")
    if clip <= 0:
        raise ArgumentError(f"clip is {clip}, expected a positive number")
    return clip


def _plural(names: Sequence[str]) -> str:
    return "a column is" if len(names) == 1 else f"{len(names)} columns are"


def _why_no_levels(texts: Texts) -> str | None:
    present = texts[texts != MISSING]
    if len(present) == 0:
        return "all missing"
    distinct = len(np.unique(present))
    if distinct == 1 and len(present) == len(texts):
        return "constant"
    if len(present) >= FEWEST_FOR_IDENTIFIER and distinct > DISTINCT_SHARE * len(present):
        return "identifier"
    return None


def _why_no_numbers(name: str, values: Numbers) -> str | None:
    present = values[~np.isnan(values)]
    if len(present) == 0:
        return "all missing"
    distinct = len(np.unique(present))
    if distinct == 1:
        return "constant"
    whole = bool((present == np.floor(present)).all())
    if whole and distinct == len(values) and IDENTIFIER_NAME.fullmatch(name):
        return "identifier"
    return None


def _note(column: Column, values: pd.Series[Any]) -> str | None:
    """Count the values of a column that are no numbers, or levels that training has not seen."""
    if isinstance(column, NumericColumn):
        bad, what = _unreadable(column, values), f"not {column.kind}: taken as missing"
    else:
        bad, what = _unseen(column, values), "not among the levels seen in training"
    if not bad:
        return None
    count = f"{len(bad)} value{'s' * (len(bad) > 1)}"
    return f"column {column.name!r}: {count} (such as {bad[0]!r:.40}) {what}"


def _unreadable(column: NumericColumn, values: pd.Series[Any]) -> list[Any]:
    present = values.dropna()
    bad: list[Any] = present[np.isnan(numbers_of(present, column.kind))].tolist()
    if bad and len(bad) == len(present):
        raise ArgumentError(f"column {column.name!r} must be {column.kind}, got {bad[0]!r:.40}")
    return bad


def _unseen(column: CategoricalColumn, values: pd.Series[Any]) -> list[Any]:
    """Levels that have no input. If training had rare levels, new ones share their input."""
    if column.rare:
        return []
    texts = levels_of(values)
    unseen: list[Any] = texts[~np.isin(texts, column.levels)].tolist()
    return unseen
