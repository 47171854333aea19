"""Numbers as people write them: decimal commas, thousands separators, currencies and units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from fastmlp.tabular.reading.arrow import mask_of, null, strings, values_of
from fastmlp.tabular.reading.frame import as_array

Numbers = NDArray[np.float64]

EXACT = 2.0**53  # whole numbers beyond it are not all float64 numbers
BLANKS = "[ \u00a0\u2009\u202f]"
MINUS = "[\u2212\u2013\ufe63\uff0d]"
# Currencies that are written with letters, in lower case.
CURRENCIES = {
    *("usd", "eur", "gbp", "chf", "jpy", "cny", "rmb", "inr", "rs", "rs.", "kr", "kr.", "sek"),
    *("nok", "dkk", "pln", "czk", "huf", "brl", "aud", "cad", "nzd", "krw", "zar"),
}
MORE_OF_UNITS = "%‰°/.²³23µΩ"
LONGEST_UNIT = 16
GROUPS = {",": ",", ".": r"\.", " ": BLANKS, "'": "['\u2019]"}
# Texts that stand for a missing number, in lower case.
PLACEHOLDERS = (
    "na", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "null", "none", "nil", "(null)", "(none)",
    "?", "??", "???", "-", "--", "---", "\u2013", "\u2014", "\u2212", ".", "..", "...", "\u2026",
    "_", "__", "*", "x.x", "n.d.", "n.d", "nd", "n.a.", "n.a", "n. a.", "n. d.", "k.a.", "k. a.",
    "unknown", "unk", "missing", "not available", "not applicable", "not known", "no data",
    "tbd", "inf", "-inf", "+inf", "infinity", "-infinity", "#div/0!", "#value!", "#ref!",
    "#name?", "#num!", "#null!", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "#error!",
)  # fmt: skip


@dataclass(frozen=True)
class NumberStyle:
    """How the numbers of a column are written.

    Attributes
    ----------
    decimal : {".", ","}
    thousands : {"", ",", ".", " ", "'"}
        What separates groups of digits.
    unit : str
        Text that stands before or after the numbers, such as a currency.
    """

    decimal: str = "."
    thousands: str = ""
    unit: str = ""

    def __str__(self) -> str:
        parts = ["decimal commas"] if self.decimal == "," else []
        parts += [f"thousands separated by {self.thousands!r}"] if self.thousands else []
        parts += [f"the unit {self.unit}"] if self.unit else []
        return " and ".join(parts)


PLAIN = NumberStyle()
# In the order in which they are preferred.
STYLES = (
    PLAIN,
    NumberStyle(".", ","),
    NumberStyle(",", ""),
    NumberStyle(",", "."),
    NumberStyle(".", " "),
    NumberStyle(",", " "),
    NumberStyle(".", "'"),
    NumberStyle(",", "'"),
)


def plain_numbers(array: Any) -> Numbers | None:
    """Return the numbers of texts, NaN for null; None if a text is no number.

    Parameters
    ----------
    array : pyarrow.StringArray or pyarrow.ChunkedArray
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        # Arrow notices a text that is no number only after it has read all.
        pc.cast(array.slice(0, 100), pa.float64())
        numbers = pc.cast(array, pa.float64())
    except pa.ArrowInvalid:
        return None
    return finite(values_of(as_array(numbers), np.nan))


def present(values: Numbers) -> Numbers:
    """Return the numbers that are not NaN: the array itself if all are there."""
    missing = np.isnan(values)
    return values[~missing] if missing.any() else values


def finite(values: Any) -> Numbers:
    """Return float64 numbers, NaN in the place of infinite ones."""
    values = np.asarray(values, dtype=np.float64)
    infinite = np.isinf(values)
    return np.where(infinite, np.nan, values) if infinite.any() else values


def read_numbers(values: Any, style: NumberStyle) -> Numbers:
    """Read texts of a style.

    Parameters
    ----------
    values : pyarrow.StringArray, N texts without outer blanks
    style : NumberStyle

    Returns
    -------
    ndarray, shape (N,), float64
        NaN for what is no number of that style.

    Examples
    --------
    >>> import pyarrow as pa
    >>> read_numbers(pa.array(["1.234,5 kg", "x"]), NumberStyle(",", ".", "kg")).tolist()
    [1234.5, nan]
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = bare(values, style.unit)
    fits = pc.match_substring_regex(texts, pattern=_pattern(style))
    texts = pc.if_else(fits, texts, null(texts.type))
    if style.thousands:
        texts = pc.replace_substring_regex(texts, pattern=GROUPS[style.thousands], replacement="")
    if style.decimal == ",":
        texts = pc.replace_substring(texts, pattern=",", replacement=".")
    texts = pc.utf8_ltrim(texts, characters="+")
    return finite(values_of(pc.cast(texts, pa.float64()), np.nan))


def bare(values: Any, unit: str) -> Any:
    """Return texts with an ASCII minus in front, and without a unit and blanks around it."""
    import pyarrow.compute as pc

    texts = pc.replace_substring_regex(values, pattern=MINUS, replacement="-")
    # Accountants write negative numbers in brackets.
    texts = pc.replace_substring_regex(texts, pattern=r"^\((.*\d.*)\)$", replacement=r"-\1")
    if unit:
        quoted = re.escape(unit)
        before, after = rf"^([+-]?)\s*(?i:{quoted})\s*([+-]?)", rf"\s*(?i:{quoted})$"
        texts = pc.replace_substring_regex(texts, pattern=after, replacement="")
        texts = pc.replace_substring_regex(texts, pattern=before, replacement=r"\1\2")
    return pc.replace_substring_regex(texts, pattern=r"^([+-])\s+", replacement=r"\1")


def units_of(values: Any) -> Any:
    """Return the unit of each text that is a number, in lower case; null for other texts.

    Examples
    --------
    >>> import pyarrow as pa
    >>> units_of(pa.array(["€ 5", "3.5 kg", "7", "A7"])).to_pylist()
    ['€', 'kg', '', None]
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    number = rf"(?:\d(?:[\d.,'’]|{BLANKS}\d)*|[.,]\d+)(?:[eE][+-]?\d+)?"
    other = r"[^\d\s.,'()+-]"
    pattern = (
        rf"^[+-]?\s*(?P<before>{other}{{0,4}})\s*[+-]?{number}\s*(?P<after>(?:{other}+\.?[23]?)?)$"
    )
    found = pc.extract_regex(bare(values, ""), pattern=pattern)
    parts = [pc.utf8_lower(pc.struct_field(found, [i])) for i in (0, 1)]
    pairs = pc.dictionary_encode(pc.binary_join_element_wise(*parts, strings([" "])[0]))
    units = [_unit(*pair.split(" ")) for pair in pairs.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(pairs.indices, strings(units))


def _unit(before: str, after: str) -> str | None:
    """Return what stands before or after a number if it can be a unit; "" for nothing."""
    if before and after:
        return None
    letters = before.rstrip(".").strip("".join(c for c in before if category(c) == "Sc"))
    money = before in CURRENCIES or (letters != before and len(letters) <= 3)
    if before:
        return before if money else None
    known = all(c.isalpha() or c in MORE_OF_UNITS or category(c) == "Sc" for c in after)
    return after if known and len(after) <= LONGEST_UNIT else None


def _pattern(style: NumberStyle) -> str:
    point = re.escape(style.decimal)
    digits = r"\d+"
    if style.thousands:
        mark = GROUPS[style.thousands]
        # Groups of two digits before the last one are Indian.
        digits = rf"(?:\d+|[1-9]\d{{0,2}}(?:{mark}\d{{2,3}})*{mark}\d{{3}})"
    return rf"^[+-]?(?:{digits}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?$"


def fits_style(texts: Any, style: NumberStyle) -> NDArray[np.bool_]:
    """Tell which texts without a unit are numbers of a style."""
    import pyarrow.compute as pc

    fits = pc.match_substring_regex(texts, pattern=_pattern(style))
    return mask_of(fits)
