"""The decision on columns of text that may hold dates or times."""

from __future__ import annotations

import numpy as np

from fastmlp.tabular.columns import dates
from fastmlp.tabular.columns.cells import Cells, spread_sample
from fastmlp.tabular.columns.decision import Decision, Hints
from fastmlp.tabular.columns.evidence import is_accepted, listed, shown_texts, unread, weight
from fastmlp.tabular.columns.numbers import PLACEHOLDERS, Numbers
from fastmlp.tabular.columns.quantities import with_missing
from fastmlp.tabular.columns.rule import ColumnRule
from fastmlp.tabular.columns.words import decide_levels
from fastmlp.tabular.reading.arrow import mask_of

FEWEST = 0.5  # of the sample, for a way to be tried on the column
ORDER_NAMES = {"dmy": "day/month/year", "mdy": "month/day/year", "ymd": "year-month-day"}


def decide_dates(
    name: str, cells: Cells, hints: Hints, forced: bool, order: str = ""
) -> Decision | None:
    """Decide on a column of text that may hold dates; None if it does not."""
    forms = [ORDER_NAMES[order]] if order else _likely_forms(cells, hints, forced)
    if not forms:
        return None
    rest = cells.without(PLACEHOLDERS)
    best = max(((_fitting(rest, form), form) for form in forms), default=(0, ""))
    if best[0] == 0:
        return None
    form = best[1]
    found = dates.read_dates(rest.values, form)
    bad = unread(rest, np.where(dates.fits_form(rest.values, form), 0.0, np.nan))
    if not forced and not is_accepted(rest, np.where(bad, np.nan, 0.0 * 1), bad):
        return None
    return _rule(name, cells, rest, form, found, bad, order or _certain(rest, form, hints))


def _likely_forms(cells: Cells, hints: Hints, forced: bool) -> list[str]:
    """Ways to write a date that fit enough of a sample, the order of days and months decided."""
    sample = spread_sample(cells.values)
    enough = FEWEST * len(sample)
    forms = [form for form in (*dates.FORMS, "clock") if forced or form != "yyyymmdd"]
    likely = [form for form in forms if dates.count_like(sample, form) >= enough]
    in_digits = dates.count_like(sample, dates.ORDERS[0]) >= enough
    return likely + ([_order(cells, hints)] if in_digits else [])


def _order(cells: Cells, hints: Hints) -> str:
    """Order of day and month: by the column, then by other columns, then by the separator."""
    possible = dates.possible_orders(cells.values)
    if len(possible) == 1:
        return possible[0]
    if len(possible) == 0:
        fits = [weight(cells, dates.fits_form(cells.values, order)) for order in dates.ORDERS]
        return dates.ORDERS[int(np.argmax(fits))]
    if hints.order in possible:
        return hints.order
    import pyarrow.compute as pc

    dots = mask_of(pc.match_substring(cells.values, pattern=".")).mean()
    # Dates with dots are written with the day first; for others, pandas has the month first.
    return dates.ORDERS[0] if dots > FEWEST else dates.ORDERS[1]


def _certain(cells: Cells, form: str, hints: Hints) -> str:
    """Return the order if the column alone tells it, "" if it does not, "-" if there is none."""
    if form not in dates.ORDERS:
        return "-"
    return form if len(dates.possible_orders(cells.values)) < 2 else ""


def _fitting(cells: Cells, form: str) -> int:
    return weight(cells, dates.fits_form(cells.values, form))


def _rule(
    name: str, cells: Cells, rest: Cells, form: str, found: Numbers, bad: np.ndarray, certain: str
) -> Decision:
    """Make the rule of a column of dates or times, or say why it is left out."""
    present = weight(rest, ~np.isnan(found))
    if present == 0 or np.nanmin(found) == np.nanmax(found):
        if present == cells.n_rows:
            return Decision(left_out="constant")
        found_levels = decide_levels(name, rest, Hints(), "one date, or missing")
        return with_missing(found_levels, cells, rest)
    warnings = []
    if bad.any():
        shown = listed(shown_texts(rest, bad))
        warnings.append(f"{weight(rest, bad):,} values are no dates, such as {shown}: "
                        "read as missing")  # fmt: skip
    if certain == "":
        example = shown_texts(rest, ~bad, 1)
        warnings.append(f"{listed(example)} is read as {form}, which no value proves; "
                        f"`date` {name}:dmy or {name}:mdy tells it")  # fmt: skip
    open_end = ~bad & unread(rest, found)
    if open_end.any():
        shown = listed(shown_texts(rest, open_end, 1))
        warnings.append(f"{shown} in {weight(rest, open_end):,} rows: read as missing")
    kind, reason = ("numeric", "times of the day, in hours") if form == "clock" else (
        "date", f"dates written as {form}")  # fmt: skip
    evidence = form if certain == form else ""
    rule = ColumnRule(name, kind, reason, "; ".join(warnings), form=form)  # type: ignore[arg-type]
    return Decision(rule, ambiguous=certain == "", evidence=evidence)
