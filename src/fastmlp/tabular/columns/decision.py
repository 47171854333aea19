"""What is decided about a column, and what the decision may rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastmlp.tabular.columns.cells import Cells
from fastmlp.tabular.columns.rule import ColumnRule


@dataclass(frozen=True)
class Hints:
    """What is known beside the values of a column.

    Attributes
    ----------
    kinds : mapping of str to str
        Kinds that the owner gave, by column.
    missing : tuple of str
        Texts that mean missing values in all columns.
    decimal, thousands : str or None
        How numbers are written in all columns, if the owner told it.
    commas : bool
        Whether commas in numbers are more likely decimal commas than thousands separators.
    order : str
        The order of day and month where a column does not tell it: one of `dates.ORDERS`, or "".
    """

    kinds: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    decimal: str | None = None
    thousands: str | None = None
    commas: bool = False
    order: str = ""


@dataclass(frozen=True)
class Decision:
    """A rule, or why the column is left out.

    Attributes
    ----------
    rule : ColumnRule or None
    left_out : str
    ambiguous : bool
        Whether other columns of the table could change the decision.
    evidence : str
        What the column tells about others: "decimal ,", "decimal .", or an order of dates.
    values : ndarray, shape (N,), float64, or None
        The numbers of the rows, where the decision came by them.
    cells : Cells or None
        The cells of a column of levels.
    """

    rule: ColumnRule | None = None
    left_out: str = ""
    ambiguous: bool = False
    evidence: str = ""
    values: NDArray[np.float64] | None = field(default=None, repr=False)
    cells: Cells | None = field(default=None, repr=False)
