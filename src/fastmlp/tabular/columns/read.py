"""Reading a column by its rule: rows that training has not seen, however they are stored."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.base.errors import ArgumentError
from fastmlp.tabular.columns import dates, typed
from fastmlp.tabular.columns.cells import Cells, one_each
from fastmlp.tabular.columns.chosen import Chosen
from fastmlp.tabular.columns.decision import Decision, Hints
from fastmlp.tabular.columns.evidence import listed, shown_texts, unread, weight
from fastmlp.tabular.columns.levels import TRUTH, codes_of
from fastmlp.tabular.columns.numbers import (
    PLACEHOLDERS,
    PLAIN,
    Numbers,
    read_numbers,
)
from fastmlp.tabular.columns.quantities import number_or_nan
from fastmlp.tabular.columns.rule import ColumnRule
from fastmlp.tabular.columns.styles import find_style
from fastmlp.tabular.columns.table import UNSEEN, ReadColumn
from fastmlp.tabular.reading.arrow import booleans, strings

UNSEEN_NOTE = "not among the levels seen in training"
MOST_ODD = 0.5  # of the values, for them to be missing
MUST_BE = {"numeric": "numeric", "date": "dates"}


def read_column(rule: ColumnRule, column: Chosen, hints: Hints) -> tuple[ReadColumn, str]:
    """Read a column.

    Parameters
    ----------
    rule : ColumnRule
    column : Chosen
        N values of any type.
    hints : Hints
        Its `missing` texts count as missing; `commas` tells how to read what the rule cannot.

    Returns
    -------
    column : ReadColumn
    note : str
        What was not understood, or "".

    Raises
    ------
    ArgumentError
        If no value of a column of numbers or dates can be read.
    """
    if rule.kind == "categorical":
        return _read_levels(rule, column, hints)
    if rule.kind == "text":
        texts = column.texts().cells().without(_lower(hints.missing))
        found = texts.spread(np.array(texts.values.to_pylist(), dtype=object), None)
        return ReadColumn(rule.name, "text", texts=found), ""
    values, note = _typed_values(rule, column), ""
    if values is None:
        values, note = _read_texts(rule, column.texts(), hints)
    return ReadColumn(rule.name, rule.kind, values=_without_missing(rule, values, hints)), note


def read_part(rule: ColumnRule, column: Chosen, hints: Hints) -> tuple[ReadColumn, Cells, Any]:
    """Read some of the rows of a column of numbers or dates, strictly by its rule.

    `read_column` reads what a rule does not understand in another way if it is most of a column;
    a part of a column does not tell.

    Returns
    -------
    column : ReadColumn
    cells : Cells
        The texts that were read; none for a column whose type tells the values.
    odd : ndarray of bool
        Which of the cells were not understood.
    """
    values = _typed_values(rule, column)
    cells, odd = Cells(strings([]), None, one_each(0)), np.zeros(0, dtype=bool)
    if values is None:
        texts = column.texts()
        plain = rule.kind == "numeric" and rule.style == PLAIN
        if plain and not (rule.form or hints.missing):
            values = texts.plain_numbers()
        if values is None:
            cells = texts.cells()
            cells = cells.without([*PLACEHOLDERS, *_lower(rule.missing), *_lower(hints.missing)])
            found, fits = _by_rule(rule, cells)
            odd = unread(cells, np.where(fits, 0.0, np.nan))
            values = cells.spread(found, np.nan)
    read = ReadColumn(rule.name, rule.kind, values=_without_missing(rule, values, hints))
    return read, cells, odd


def is_known(decision: Decision) -> bool:
    """Tell whether a decision already has what its rule reads."""
    return decision.values is not None or decision.cells is not None


def column_of_decision(decision: Decision, hints: Hints) -> tuple[ReadColumn, str]:
    """Return what `read_column` would for the column that was decided on."""
    rule, values = decision.rule, decision.values
    assert rule is not None
    if values is not None:
        return ReadColumn(rule.name, rule.kind, values=_without_missing(rule, values, hints)), ""
    assert decision.cells is not None
    codes, _ = codes_of(decision.cells, rule.levels, (*rule.missing, *hints.missing))
    return ReadColumn(rule.name, "categorical", codes=codes), ""


def _without_missing(rule: ColumnRule, values: Numbers, hints: Hints) -> Numbers:
    """Take numbers that mean missing, such as -9999, as missing."""
    for text in (*rule.missing, *hints.missing):
        values = np.where(values == number_or_nan(text), np.nan, values)
    return values


def _lower(texts: tuple[str, ...]) -> list[str]:
    return [text.lower() for text in texts]


def _typed_values(rule: ColumnRule, column: Chosen) -> Numbers | None:
    """Return the values of a column whose type already is what the rule wants, else None."""
    what = column.kind()
    if what == "nothing":
        return np.full(len(column), np.nan)
    if rule.kind == "date":
        return typed.days_of(column.array()) if what == "dates" else None
    fits = what == ("hours" if rule.form == "clock" else "numbers")
    return typed.numbers_of(column.array()) if fits or str(column.type) == "bool" else None


def _read_texts(rule: ColumnRule, column: Chosen, hints: Hints) -> tuple[Numbers, str]:
    """Read numbers or dates that are text."""
    if rule.kind == "numeric" and rule.style == PLAIN and not (rule.form or hints.missing):
        found = column.plain_numbers()
        if found is not None:
            return found, ""
    cells = column.cells()
    cells = cells.without([*PLACEHOLDERS, *_lower(rule.missing), *_lower(hints.missing)])
    found, fits = _by_rule(rule, cells)
    bad = unread(cells, np.where(fits, 0.0, np.nan))
    note = ""
    # A few odd values among many count as missing, as in training; else the file is another.
    if weight(cells, bad) > MOST_ODD * cells.present:
        found, bad = _otherwise(rule, cells, found, bad, hints)
    if bad.any():
        note = _note(rule, cells, bad)
    return cells.spread(found, np.nan), note


def _by_rule(rule: ColumnRule, cells: Cells) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return what the rule reads, and which cells it understands."""
    if rule.form:
        return dates.read_dates(cells.values, rule.form), dates.fits_form(cells.values, rule.form)
    found = read_numbers(cells.values, rule.style)
    return found, ~np.isnan(found)


def _otherwise(
    rule: ColumnRule, cells: Cells, found: Numbers, bad: NDArray[np.bool_], hints: Hints
) -> tuple[Numbers, NDArray[np.bool_]]:
    """Read what the rule does not understand, where there is only one way to read it."""

    rest = cells.where(booleans(bad))
    if rule.kind == "date":
        others = [form for form in dates.FORMS if form != rule.form]
        orders = dates.possible_orders(rest.values)
        for form in [*others, *(orders if len(orders) == 1 else ())]:
            fits = dates.fits_form(rest.values, form) & bad
            found = np.where(fits, dates.read_dates(rest.values, form), found)
            bad = bad & ~fits
        return found, bad
    truth = np.array([_truth(text) for text in rest.values.to_pylist()])
    found, bad = np.where(np.isnan(truth), found, truth), bad & np.isnan(truth)
    styled = find_style(rest, hints) if bad.any() else None
    if styled is None or styled.ambiguous:
        return found, bad
    return np.where(bad, styled.numbers, found), bad & np.isnan(styled.numbers)


def _truth(text: str | None) -> float:
    words = ("true", "false")
    return float(TRUTH[text.lower()]) if text is not None and text.lower() in words else np.nan


def _note(rule: ColumnRule, cells: Cells, bad: NDArray[np.bool_]) -> str:
    count, texts = weight(cells, bad), shown_texts(cells, bad, 1)
    if count == cells.present:
        wanted = MUST_BE[rule.kind]
        raise ArgumentError(f"column {rule.name!r} must be {wanted}, got {listed(texts)}")
    values = f"{count:,} value{'s' * (count > 1)}"
    kind = "numeric" if rule.kind == "numeric" else "dates"
    return f"column {rule.name!r}: {values} (such as {listed(texts)}) not {kind}: taken as missing"


def _read_levels(rule: ColumnRule, column: Chosen, hints: Hints) -> tuple[ReadColumn, str]:
    cells = cells_of_levels(column)
    codes, unseen = codes_of(cells, rule.levels, (*rule.missing, *hints.missing))
    note = ""
    if unseen:
        count = int((codes == UNSEEN).sum())
        values = f"{count:,} value{'s' * (count > 1)}"
        note = f"column {rule.name!r}: {values} (such as {unseen[0]!r:.40}) {UNSEEN_NOTE}"
    return ReadColumn(rule.name, "categorical", codes=codes), note


def cells_of_levels(column: Chosen) -> Cells:
    """Return the different values of a column of levels, as texts, and the codes of its rows."""
    from pyarrow import types

    text = types.is_string(column.type)
    return column.factorised() if text else typed.cells_of_typed(column.array())
