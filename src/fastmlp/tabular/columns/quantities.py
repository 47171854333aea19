"""The decision on columns of text that may hold numbers, and on typed columns of numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.tabular.columns import dates, typed
from fastmlp.tabular.columns.cells import Cells, one_each
from fastmlp.tabular.columns.chosen import Chosen
from fastmlp.tabular.columns.decision import Decision, Hints
from fastmlp.tabular.columns.evidence import is_accepted, listed, shown_texts, unread, weight
from fastmlp.tabular.columns.levels import IDENTIFIER_NAME
from fastmlp.tabular.columns.numbers import EXACT, PLACEHOLDERS, PLAIN, Numbers, NumberStyle, bare
from fastmlp.tabular.columns.numbers import present as present_of
from fastmlp.tabular.columns.rule import ColumnRule
from fastmlp.tabular.columns.styles import Styled, find_style, may_be_numbers
from fastmlp.tabular.columns.words import decide_levels
from fastmlp.tabular.reading.arrow import mask_of, values_of

IDENTIFIER_SHARE = 0.9  # of the rows, that must have a number for the column to number them
# Numbers that often mean missing values, if they are far from all others.
SENTINELS = (-99.0, -999.0, -9999.0, -99999.0, -999999.0, 999.0, 9999.0, 99999.0, 999999.0)
FAR, FEWEST_SENTINELS = 2.0, 2
MANY_DIFFERENT = 0.5  # of the rows, for a warning of what may number things
MOST_WORDS = 20  # for missing values that a rule remembers
ONE_VALUE = "one value, or missing"


def decide_numbers(name: str, cells: Cells, hints: Hints, forced: bool) -> Decision | None:
    """Decide on a column of text that may hold numbers; None if it does not."""
    if not forced and not may_be_numbers(cells):
        return None
    styled = find_style(cells, hints, forced)
    rest = cells
    if styled is None or unread(cells, styled.numbers).any():
        rest = cells.without(PLACEHOLDERS)
        styled = find_style(rest, hints, forced) if rest.present else None
    if styled is None or np.isnan(styled.numbers).all():
        return None
    bad = unread(rest, styled.numbers)
    if forced:
        return _rule(name, cells, rest, styled, bad)
    if not is_accepted(rest, styled.numbers, bad):
        return None
    found = _no_quantity(name, rest, styled, hints) or _rule(name, cells, rest, styled, bad)
    return with_missing(found, cells, rest)


def with_missing(decision: Decision, cells: Cells, rest: Cells) -> Decision:
    """Let a rule for levels remember the words that were taken as missing on the way."""
    if decision.rule is None or decision.rule.kind != "categorical" or cells is rest:
        return decision
    words = shown_texts(cells, _became_missing(cells, rest), MOST_WORDS)
    return replace(decision, rule=replace(decision.rule, missing=tuple(words)))


def decide_plain_numbers(name: str, column: Chosen, numbers: Numbers, hints: Hints) -> Decision:
    """Decide on a column of text that all is numbers as Python writes them, or null."""
    if np.isnan(numbers).all():
        return Decision(left_out="no finite numbers")
    import pyarrow as pa

    # Of several numbers that are not whole, nobody looks at the texts, and taking them is slow.
    texts = _are_whole(numbers) or np.nanmin(numbers) == np.nanmax(numbers)
    values = column.array() if texts else pa.nulls(len(column), pa.string())
    cells = Cells(values, None, one_each(len(column)))
    styled, none = Styled(numbers, plain=True), np.zeros(len(column), dtype=bool)
    if name in hints.kinds:
        return _rule(name, cells, cells, styled, none)
    return _no_quantity(name, cells, styled, hints) or _rule(name, cells, cells, styled, none)


def decide_typed_numbers(name: str, array: Any, hints: Hints) -> Decision:
    """Decide on a column whose type says that it holds numbers."""
    from pyarrow import types

    numbers = typed.numbers_of(array)
    for text in hints.missing:
        numbers = np.where(numbers == number_or_nan(text), np.nan, numbers)
    present = present_of(numbers)
    if len(present) == 0:
        return Decision(left_out="all missing")
    if name not in hints.kinds:
        odd = np.abs(present).max() >= EXACT or _are_compact_dates(present)
        if types.is_integer(array.type) and odd:
            cells = Cells(typed.texts_of(array), None, one_each(len(array)))
            found = _no_quantity(name, cells, Styled(numbers, plain=True), hints)
            if found is not None:
                return found
        why = _useless(name, numbers, len(present), len(array))
        if why == ONE_VALUE:
            return decide_levels(name, typed.cells_of_typed(array), hints, why)
        if why:
            return Decision(left_out=why)
    sentinel, far = _sentinel(np.ones(len(numbers), dtype=np.int64), numbers)
    missing = (sentinel,) if far else ()
    warnings = [_sentinel_warning(sentinel, far), _name_warning(name, numbers)]
    warning = "; ".join(filter(None, warnings))
    reason = f"numbers ({array.type})"
    rule = ColumnRule(name, "numeric", reason, warning, missing=missing)
    return Decision(rule, values=numbers)


def number_or_nan(text: str) -> float:
    """Return the number that a text is, or NaN."""
    try:
        return float(text)
    except ValueError:
        return np.nan


def _no_quantity(name: str, cells: Cells, styled: Styled, hints: Hints) -> Decision | None:
    """Decide on numbers that measure nothing: zip codes, long identifiers, dates in digits."""
    if not _are_whole(styled.numbers):
        return None
    numbers = present_of(styled.numbers)
    texts = cells.values if styled.plain else bare(cells.values, styled.style.unit)
    if have_leading_zeros(texts):
        return decide_levels(name, cells, hints, "digits with leading zeros, such as zip codes")
    if np.abs(numbers).max() >= EXACT and _have_one_length(texts):
        return decide_levels(name, cells, hints, "whole numbers too long to be exact")
    if not _are_compact_dates(numbers) or replace(styled.style, unit="") != NumberStyle():
        return None
    if unread(cells, dates.read_dates(cells.values, "yyyymmdd")).any():
        return None
    warning = f"looks like numbers too; `numeric` {name} reads it so"
    rule = ColumnRule(name, "date", "dates written as yyyymmdd", warning, form="yyyymmdd")
    constant = numbers.min() == numbers.max()
    return None if constant else Decision(rule)


def have_leading_zeros(texts: Any) -> bool:
    """Tell whether whole numbers are written with zeros in front, as codes are."""
    import pyarrow.compute as pc

    # Few columns have a text that begins with a zero and goes on; only these are looked at closely.
    longer = values_of(pc.binary_length(texts), 0) > 1
    zero = mask_of(pc.starts_with(texts, pattern="0"))
    if not (zero & longer).any():
        return False
    return bool(pc.any(pc.match_substring_regex(texts, pattern=r"^0\d+$")).as_py())


def _are_whole(numbers: Numbers) -> bool:
    """Tell whether all numbers, but NaN, are whole; the first ones tell it of most columns."""
    return all(
        bool(((part == np.floor(part)) | np.isnan(part)).all())
        for part in (numbers[:1000], numbers[1000:])
    )


def _have_one_length(texts: Any) -> bool:
    """Tell whether all texts are digits, (nearly) as many in each: codes, not quantities."""
    import pyarrow.compute as pc

    if not pc.all(pc.match_substring_regex(texts, pattern=r"^-?\d+$")).as_py():
        return False
    lengths = pc.min_max(pc.utf8_length(texts)).as_py()
    return bool(lengths["max"] - lengths["min"] <= 1)


def _are_compact_dates(numbers: Numbers) -> bool:
    return bool(numbers.min() >= 15000101 and numbers.max() <= 21001231)


def _rule(name: str, cells: Cells, rest: Cells, styled: Styled, bad: NDArray[np.bool_]) -> Decision:
    """Make the rule of a column of numbers, or say why it is left out."""
    present = weight(rest, ~np.isnan(styled.numbers))
    why = _useless(name, styled.numbers, present, cells.n_rows)
    if why == ONE_VALUE:
        return decide_levels(name, rest, Hints(), why)
    if why:
        return Decision(left_out=why)
    words = [] if cells is rest else shown_texts(cells, _became_missing(cells, rest))
    sentinel, far = _sentinel(rest.counts, styled.numbers)
    reason = f"numbers with {styled.style}" if str(styled.style) else "numbers"
    if words:
        reason += f"; {listed(words)} mean{'s' * (len(words) == 1)} missing"
    warnings = [
        ambiguous_warning(rest, styled) if styled.ambiguous else "",
        _bad_warning(rest, bad) if bad.any() else "",
        _sentinel_warning(sentinel, far),
        _name_warning(name, styled.numbers),
    ]
    missing = (*words, sentinel) if far else tuple(words)
    rule = ColumnRule(name, "numeric", reason, "; ".join(filter(None, warnings)),
                      style=styled.style, missing=missing)  # fmt: skip
    # Of a style other than the plain one, the rule is applied to see what it leaves.
    known = cells.codes is None and rule.style == PLAIN and not bad.any()
    values = styled.numbers if known else None
    return Decision(rule, "", styled.ambiguous, styled.evidence, values)


def _became_missing(cells: Cells, rest: Cells) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    found = pc.and_(pc.is_valid(cells.values), pc.is_null(rest.values))
    return mask_of(found)


def ambiguous_warning(cells: Cells, styled: Styled) -> str:
    """Say how numbers such as 1,234 are read, and which option reads them otherwise."""
    import pyarrow.compute as pc

    style = styled.style
    mark, other = (style.thousands, "decimal") if style.thousands else (style.decimal, "thousands")
    example = shown_texts(cells, mask_of(pc.match_substring(cells.values, pattern=mark)), 1)
    used = "thousands" if style.thousands else "decimals"
    return f"{listed(example)}: {mark!r} separates {used}; `{other}` {mark!r} reads it otherwise"


def _bad_warning(cells: Cells, bad: NDArray[np.bool_]) -> str:
    count = weight(cells, bad)
    values = f"{count:,} value{'s are no numbers' if count > 1 else ' is no number'}"
    return f"{values} ({listed(shown_texts(cells, bad))}): read as missing"


def _name_warning(name: str, numbers: Numbers) -> str:
    """Warn of whole numbers whose name is that of an identifier, but which are repeated."""
    if IDENTIFIER_NAME.fullmatch(name) is None or not _are_whole(numbers):
        return ""
    numbers = present_of(numbers)
    many = len(np.unique(numbers)) > MANY_DIFFERENT * len(numbers)
    return f"its name is that of an identifier; `drop` {name} leaves it out" if many else ""


def _useless(name: str, numbers: Numbers, present: int, rows: int) -> str:
    """Say why numbers cannot help, `ONE_VALUE` for one value beside missing ones, or ""."""
    numbers = present_of(numbers)
    if numbers.min() == numbers.max():
        return "constant" if present == rows else ONE_VALUE
    named = IDENTIFIER_NAME.fullmatch(name) and present >= IDENTIFIER_SHARE * rows
    whole = named and bool((numbers == np.floor(numbers)).all())
    return "identifier" if whole and len(np.unique(numbers)) == present else ""


def _sentinel(counts: NDArray[np.int64], numbers: Numbers) -> tuple[str, int]:
    """Return a number such as -9999 that is far from all others, and its number of rows."""
    for value in (np.nanmin(numbers), np.nanmax(numbers)):
        if value not in SENTINELS:
            continue
        count = int(counts[numbers == value].sum())
        others = numbers[(numbers != value) & ~np.isnan(numbers)]
        if count < FEWEST_SENTINELS or len(others) == 0:
            continue
        low, high = others.min(), others.max()
        if low < high and min(abs(value - low), abs(value - high)) > FAR * (high - low):
            return f"{value:g}", count
    return "", 0


def _sentinel_warning(sentinel: str, rows: int) -> str:
    return f"{sentinel} in {rows:,} rows is far from all others: read as missing" if rows else ""
