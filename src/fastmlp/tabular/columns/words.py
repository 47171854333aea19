"""The decision on columns that hold neither numbers nor dates: levels, text or identifiers."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from fastmlp.tabular.columns import dates
from fastmlp.tabular.columns.cells import Cells, count_distinct, spread_sample
from fastmlp.tabular.columns.decision import Decision, Hints
from fastmlp.tabular.columns.levels import NO_LEVEL, is_free_text, is_identifier, levels_of
from fastmlp.tabular.columns.rule import ColumnRule
from fastmlp.tabular.reading.arrow import numbers
from fastmlp.tabular.text import quoted

LONG_SAMPLE, NEARLY_ALL = 50_000, 0.99  # rows, and the share of them that must be different
DOUBTFUL = 0.5  # of the values are numbers, which is worth a warning


def decide_levels(
    name: str, cells: Cells, hints: Hints, reason: str, forced: bool = False
) -> Decision:
    """Take a column as levels, unless they are all different or all the same."""
    levels, counts = levels_of(cells, hints.missing)
    present = int(counts.sum())
    if present == 0:
        return Decision(left_out="all missing")
    if not forced:
        if len(levels) == 1 and present == cells.n_rows:
            return Decision(left_out="constant")
        if is_identifier(len(levels), present):
            return Decision(left_out="identifier")
    rule = ColumnRule(name, "categorical", f"{counted(levels)}; {reason}", spellings(levels),
                      tuple(levels))  # fmt: skip
    return Decision(rule, cells=None if cells.codes is None else cells)


def decide_words(name: str, cells: Cells, hints: Hints) -> Decision:
    """Decide on a column of words."""
    # Of the words that mean missing, at most a few count here as values.
    present = cells.present
    different = present if _all_differ(cells) else count_distinct(cells)
    if is_free_text(cells, different, present):
        return Decision(ColumnRule(name, "text", f"free text, {different:,} different"))
    looks = _looks_like(name, cells)
    if is_identifier(different - len(NO_LEVEL), present):
        return Decision(left_out=f"identifier, but {looks}" if looks else "identifier")
    decision = decide_levels(name, cells, hints, "text")
    if decision.rule is None or not looks or decision.rule.warning:
        return decision
    return replace(decision, rule=replace(decision.rule, warning=looks))


def _looks_like(name: str, cells: Cells) -> str:
    """Say that most values are numbers or dates, although not enough for the column to be so."""
    sample = spread_sample(cells.values)
    enough = max(DOUBTFUL * len(sample), 1)
    number = re.compile(r"[+-]?([1-9]\d*|0)?([.,]\d+)?")
    count = sum(bool(text) and number.fullmatch(text) is not None for text in sample)
    if count >= enough:
        share = f"{100 * count / len(sample):.0f} %"
        return f"{share} of its values look like numbers; `numeric` {name} reads them"
    for form in (*dates.FORMS, dates.ORDERS[0]):
        if dates.count_like(sample, form) >= enough:
            return f"most of its values look like dates ({form}); `date` {name} reads them"
    return ""


def _all_differ(cells: Cells) -> bool:
    """Tell for a long column, by two samples, that (nearly) all of its values are different."""
    import pyarrow.compute as pc

    if cells.codes is not None or len(cells.values) < 4 * LONG_SAMPLE:
        return False
    # Neighbours show values that are repeated at once, distant rows those that come back.
    neighbours = cells.values.slice(0, LONG_SAMPLE)
    step = len(cells.values) // LONG_SAMPLE
    distant = cells.values.take(numbers(np.arange(0, len(cells.values), step)))
    return all(
        pc.count_distinct(sample).as_py() > NEARLY_ALL * len(sample)
        for sample in (neighbours, distant)
    )


def counted(levels: list[str]) -> str:
    """Say how many levels there are."""
    return f"{len(levels):,} level{'s' * (len(levels) > 1)}"


def spellings(levels: list[str]) -> str:
    """Warn of levels that differ in upper and lower case only."""
    seen: dict[str, str] = {}
    for level in levels:
        other = seen.setdefault(level.casefold(), level)
        if other != level:
            return f"{quoted([other, level])} differ in case only and are two levels"
    return ""
