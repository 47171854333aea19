"""How a column is read: decided on training rows, then fixed, and kept in the model file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastmlp.base.errors import ArgumentError
from fastmlp.tabular.checking import check_choice, check_keys, check_text, check_texts
from fastmlp.tabular.columns.dates import FORMS, ORDERS
from fastmlp.tabular.columns.numbers import NumberStyle
from fastmlp.tabular.columns.table import KINDS, Kind
from fastmlp.tabular.reading.options import DECIMALS, THOUSANDS

FIELDS = {"name", "kind", "reason", "warning", "levels", "style", "form", "missing"}


@dataclass(frozen=True)
class ColumnRule:
    """How a column is read.

    Attributes
    ----------
    name : str
    kind : {"numeric", "date", "categorical", "text"}
    reason : str
        Why it is of that kind, in one line.
    warning : str
        What else it looks like, or "".
    levels : tuple of str
        The levels of a categorical column, the most frequent one first.
    style : NumberStyle
        How numbers are written.
    form : str
        How dates are written: a name of `dates.FORMS`, and for days and months in digits their
        order. "clock" in a numeric column means times of the day, in hours.
    missing : tuple of str
        Texts that mean a missing value in this column.
    """

    name: str
    kind: Kind
    reason: str = ""
    warning: str = ""
    levels: tuple[str, ...] = ()
    style: NumberStyle = field(default_factory=NumberStyle)
    form: str = ""
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}" if self.reason else self.kind

    def describe(self) -> dict[str, Any]:
        """Return the rule as values that JSON can hold."""
        return {
            "name": self.name,
            "kind": self.kind,
            "reason": self.reason,
            "warning": self.warning,
            "levels": list(self.levels),
            "style": vars(self.style),
            "form": self.form,
            "missing": list(self.missing),
        }

    @classmethod
    def from_description(cls, fields: Any) -> ColumnRule:
        """Build a rule from what `describe` returned; it may come from a hostile file.

        Raises
        ------
        ArgumentError
            If it does not have that form.
        """
        check_keys(fields, FIELDS, "a column")
        kind: Any = check_choice(fields["kind"], KINDS, "the kind of a column")
        levels = tuple(check_texts(fields["levels"], "levels"))
        if (kind == "categorical") != bool(levels):
            raise ArgumentError("a column of levels, and no other, must have levels")
        return cls(
            check_text(fields["name"], "the name of a column"),
            kind,
            check_text(fields["reason"], "a reason"),
            check_text(fields["warning"], "a warning"),
            levels,
            _style(fields["style"]),
            check_choice(fields["form"], ["", "clock", *FORMS, *ORDERS], "the form of dates"),
            tuple(check_texts(fields["missing"], "texts for missing values")),
        )


def _style(fields: Any) -> NumberStyle:
    check_keys(fields, {"decimal", "thousands", "unit"}, "the style of numbers")
    decimal = check_choice(fields["decimal"], DECIMALS, "the decimal point")
    thousands = check_choice(fields["thousands"], ["", *THOUSANDS], "the thousands separator")
    if decimal == thousands:
        raise ArgumentError("decimals and thousands must be separated differently")
    return NumberStyle(decimal, thousands, check_text(fields["unit"], "the unit"))
