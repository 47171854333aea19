"""The strict reader's judgement: what kind a column is, by all of its values, and why."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.tabular.columns import typed
from fastmlp.tabular.columns.cells import Cells
from fastmlp.tabular.columns.chosen import Chosen
from fastmlp.tabular.columns.decision import Decision, Hints
from fastmlp.tabular.columns.moments import decide_dates
from fastmlp.tabular.columns.quantities import (
    decide_numbers,
    decide_plain_numbers,
    decide_typed_numbers,
)
from fastmlp.tabular.columns.rule import ColumnRule
from fastmlp.tabular.columns.words import decide_levels, decide_words
from fastmlp.tabular.reading.errors import TableError


def decide(name: str, column: Chosen, hints: Hints) -> Decision:
    """Decide how a column is read.

    Parameters
    ----------
    name : str
    column : Chosen
    hints : Hints

    Raises
    ------
    TableError
        If the owner gave a kind that does not suit the values.
    """
    what = column.kind()
    if what == "":
        return Decision(left_out=f"holds {_nested(column)}")
    if what == "nothing" or column.are_missing():
        return Decision(left_out="all missing")
    kind = hints.kinds.get(name, "").partition(":")[0]
    if what == "numbers" and kind in ("", "numeric"):
        return decide_typed_numbers(name, column.array(), hints)
    if what in ("dates", "hours") and kind in ("", "numeric", "date"):
        return _decide_moments(name, column.array(), what)
    if what == "levels" and kind in ("", "categorical"):
        reason = "truth values" if str(column.type) == "bool" else "a column of categories"
        return decide_levels(name, typed.cells_of_typed(column.array()), hints, reason)
    return decide_texts(name, column.texts(), hints)


def decide_texts(name: str, column: Chosen, hints: Hints) -> Decision:
    """Decide how a column of text is read."""
    kind, _, order = hints.kinds.get(name, "").partition(":")
    as_usual = not (hints.missing or hints.decimal or hints.thousands or hints.commas)
    numbers = column.plain_numbers() if as_usual and kind in ("", "numeric") else None
    if numbers is not None:
        return decide_plain_numbers(name, column, numbers, hints)
    cells = column.cells()
    if hints.missing:
        cells = cells.without([text.lower() for text in hints.missing])
    if cells.present == 0:
        return Decision(left_out="all missing")
    if kind:
        return _as_told(name, cells, hints, kind, order)
    found = decide_numbers(name, cells, hints, False) or decide_dates(name, cells, hints, False)
    return found or decide_words(name, cells, hints)


def _as_told(name: str, cells: Cells, hints: Hints, kind: str, order: str) -> Decision:
    if kind == "categorical":
        return decide_levels(name, cells, hints, "as told", forced=True)
    if kind == "text":
        return Decision(ColumnRule(name, "text", "as told"))
    if kind == "date":
        found = decide_dates(name, cells, hints, True, order)
    else:
        found = decide_numbers(name, cells, hints, True)
    if found is None:
        example = cells.values.drop_null()[0].as_py()
        raise TableError(f"column {name!r} cannot be read as {kind}: it holds {example!r:.40}")
    return found


def _decide_moments(name: str, array: Any, what: str) -> Decision:
    """Decide on a column whose type says that it holds dates or times."""
    found = typed.days_of(array) if what == "dates" else typed.numbers_of(array)
    present = found[~np.isnan(found)]
    if len(present) == 0:
        return Decision(left_out="all missing")
    if present.min() == present.max():
        if len(present) == len(array):
            return Decision(left_out="constant")
        return decide_levels(name, typed.cells_of_typed(array), Hints(), "one date, or missing")
    if what == "hours":
        return Decision(ColumnRule(name, "numeric", f"times in hours ({array.type})", form="clock"))
    return Decision(ColumnRule(name, "date", f"dates ({array.type})", form="year-month-day"))


def _nested(column: Chosen) -> str:
    """Say what a column of a type that nothing can be learnt from holds."""
    from pyarrow import types

    kind = column.type
    if types.is_struct(kind):
        # Columns of memory that Arrow does not know, see `reading.memory`.
        unfit = kind.num_fields == 1 and types.is_null(kind.field(0).type)
        return str(kind.field(0).name) if unfit else "structs"
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return "lists"
    return f"values of the type {kind}"
