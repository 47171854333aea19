"""Which style the numbers of a column have, by all of its values."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastmlp.tabular.columns.cells import Cells, spread_sample
from fastmlp.tabular.columns.decision import Hints
from fastmlp.tabular.columns.numbers import (
    PLACEHOLDERS,
    PLAIN,
    STYLES,
    Numbers,
    NumberStyle,
    bare,
    fits_style,
    plain_numbers,
    read_numbers,
    units_of,
)
from fastmlp.tabular.reading.arrow import null, valid_of

FEWEST_NUMBERS = 0.5  # of the values, below which no style is looked for
FEWEST_OF_SAMPLE = 0.2  # the same for a sample, which saves looking at all values
# Something like a number with a unit; what it lets pass is looked at more closely.
LIKE_A_NUMBER = re.compile(r"[^\d]{0,6}\d([\d.,'’\s]|[eE][+-]?\d)*[^\d]{0,24}[23]?")


@dataclass(frozen=True)
class Styled:
    """The numbers of a column's cells in the style that suits most of them."""

    numbers: Numbers
    style: NumberStyle = PLAIN
    ambiguous: bool = False
    evidence: str = ""
    plain: bool = False  # all texts are numbers as Python writes them


def may_be_numbers(cells: Cells) -> bool:
    """Tell by a sample whether it is worth looking for numbers in all cells."""
    sample = [text for text in spread_sample(cells.values) if text.lower() not in PLACEHOLDERS]
    like = sum(LIKE_A_NUMBER.fullmatch(text) is not None for text in sample)
    return like > FEWEST_OF_SAMPLE * len(sample)


def find_style(cells: Cells, hints: Hints, forced: bool = False) -> Styled | None:
    """Find how numbers are written; None if most cells are no numbers, or units differ.

    If it is `forced`, what is no number does not matter.
    """
    if hints.decimal is None and hints.thousands is None and not hints.commas:
        numbers = plain_numbers(cells.values)
        if numbers is not None:
            return Styled(numbers, plain=True)
    unit = _unit(cells)
    if unit is None and not forced:
        return None
    unit = unit or ""
    texts = bare(cells.values, unit)
    styles = _allowed(hints)
    shares = [int(cells.counts[fits_style(texts, style)].sum()) for style in styles]
    if max(shares) == 0:
        return None
    best = [style for style, share in zip(styles, shares, strict=True) if share == max(shares)]
    best = best if PLAIN in best else _by_short_numbers(texts, best)
    numbers = read_numbers(texts, best[0])
    if PLAIN in best[1:] and np.array_equal(read_numbers(texts, PLAIN), numbers, equal_nan=True):
        best = [PLAIN]
    ambiguous, evidence = _doubt(texts, numbers, best)
    return Styled(numbers, replace(best[0], unit=unit), ambiguous, evidence)


def _unit(cells: Cells) -> str | None:
    """Return the unit of all numbers, "" for none; None if there are several or few numbers."""
    import pyarrow.compute as pc

    units = units_of(cells.values)
    units = units.dictionary_decode()
    numbers = valid_of(units)
    if cells.counts[numbers].sum() < FEWEST_NUMBERS * cells.present:
        return None
    found = [unit for unit in pc.unique(units).to_pylist() if unit]
    return found[0] if len(found) == 1 else None if found else ""


def fits_whole(texts: Any) -> Any:
    """Mask (a pyarrow array) of the texts that are digits alone, but for a sign."""
    import pyarrow.compute as pc

    return pc.match_substring_regex(texts, pattern=r"^[+-]?\d+$")


def _allowed(hints: Hints) -> list[NumberStyle]:
    """Styles in the order in which they are preferred."""
    decimal, thousands = hints.decimal, hints.thousands
    if decimal is None and thousands in (",", "."):
        decimal = "." if thousands == "," else ","
    styles = [style for style in STYLES if decimal in (None, style.decimal)]
    styles = [style for style in styles if thousands is None or style.thousands in ("", thousands)]
    return sorted(styles, key=lambda style: style.decimal != ",") if hints.commas else styles


def _by_short_numbers(texts: Any, best: list[NumberStyle]) -> list[NumberStyle]:
    """Tell thousands from decimals by the numbers that have no separator.

    Beside 950, 1,020 is a thousand and more; beside 3500, it is not, or 3,500 would be written.
    """
    import pyarrow.compute as pc

    thousands = [style for style in best if style.thousands]
    decimals = [style for style in best if style.decimal == "," and not style.thousands]
    whole = pc.if_else(fits_whole(texts), texts, null(texts.type))
    short = np.abs(read_numbers(whole, PLAIN))
    short = short[~np.isnan(short)]
    if not (thousands and decimals) or len(short) == 0 or short.max() < 100:
        return best
    return thousands[:1] if short.max() < 1000 else decimals[:1]


def _doubt(texts: Any, numbers: Numbers, best: list[NumberStyle]) -> tuple[bool, str]:
    """Tell whether another style fits as well and reads other numbers, and what is certain."""
    others = [style for style in best[1:] if style.decimal != best[0].decimal]
    for style in others:
        if not np.array_equal(read_numbers(texts, style), numbers, equal_nan=True):
            return True, ""
    return False, "" if others else f"decimal {best[0].decimal}"
