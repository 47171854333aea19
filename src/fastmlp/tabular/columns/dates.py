"""Dates and times as people write them, for all years from 1 to 9999.

Each way to write a date is a regular expression with named groups, which Arrow evaluates on whole
columns; the groups become numbers, and the numbers are checked against the calendar.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.tabular.reading.arrow import null, strings, valid_of, values_of

Numbers = NDArray[np.float64]

TIME = (
    r"(?:[T ,]+(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2}(?:[.,]\d+)?))?"
    r"\s*(?P<p>[AaPp]\.?[Mm]\.?)?\s*(?P<z>Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?)?"
)
WEEKDAY = r"(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
MONTH = r"(?P<b>[A-Za-z]{3,9})\.?"
# How dates are written, by name.
FORMS = {
    "year-month-day": rf"(?P<y>\d{{4}})[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}}){TIME}",
    "yyyymmdd": r"(?P<y>1[5-9]\d\d|20\d\d|2100)(?P<m>[01]\d)(?P<d>[0-3]\d)"
    r"(?:[T ]?(?P<H>\d{2}):?(?P<M>\d{2}):?(?P<S>\d{2})?(?P<z>Z)?)?",
    "year-month": r"(?P<y>\d{4})[-/](?P<m>\d{1,2})",
    "month/year": r"(?P<m>\d{1,2})[-/](?P<y>\d{4})",
    "year-week": r"(?P<y>\d{4})-?[Ww](?P<w>\d{1,2})(?:-?(?P<k>[1-7]))?",
    "year-quarter": r"(?P<y>\d{4})[- ]?[Qq](?P<q>[1-4])",
    "quarter year": r"[Qq](?P<q>[1-4])[- /]?(?P<y>\d{4})",
    "day month-name year": rf"{WEEKDAY}(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.)?[ \-/]*{MONTH}"
    rf"[ \-,/]*(?P<y>\d{{4}}|\d{{2}}){TIME}",
    "month-name day year": rf"{WEEKDAY}{MONTH}[ \-]*(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?[ \-]+"
    rf"(?P<y>\d{{4}}){TIME}",
    "month-name year": rf"{MONTH}[ \-,/]*(?P<y>\d{{4}})",
}
# Days and months in digits, whose order the whole column decides.
DIGITS = rf"(?P<i>\d{{1,2}})(?P<sep>[-/.])(?P<j>\d{{1,2}})[-/.](?P<y>\d{{4}}|\d{{2}}){TIME}"
ORDERS = ("day/month/year", "month/day/year")
CLOCK = r"(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2}(?:[.,]\d+)?))?\s*(?P<p>[AaPp]\.?[Mm]\.?)?"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH_NAMES = ("january", "february", "march", "april", "may", "june", "july", "august",
               "september", "sept", "october", "november", "december")  # fmt: skip
# Two-digit years from here on are of the last century, as POSIX has it.
PIVOT = 69
# Years that mean "without end" and "never".
OPEN_YEARS = (1, 9999)
EPOCH = np.datetime64("1970-01-01", "D")


@dataclass(frozen=True)
class _Parts:
    """The named groups of an expression as numbers, for N texts; NaN where a text has none."""

    matched: NDArray[np.bool_]
    numbers: dict[str, Numbers]

    def get(self, name: str, default: float) -> Numbers:
        found = self.numbers.get(name)
        if found is None:
            return np.full(len(self.matched), default)
        return np.where(np.isnan(found), default, found)


def read_dates(values: Any, form: str) -> Numbers:
    """Read dates of one form: a name of `FORMS`, one of `ORDERS`, or ``"clock"``.

    Parameters
    ----------
    values : pyarrow.StringArray, N texts without outer blanks
    form : str

    Returns
    -------
    ndarray, shape (N,), float64
        Days since 1970, in UTC where there is a time zone; hours for a clock. NaN for texts that
        are no date of that form. Years 1 and 9999 stand for "never" and are NaN too.

    Examples
    --------
    >>> import pyarrow as pa
    >>> read_dates(pa.array(["1970-01-02 12:00", "1970-02-30", "x"]), "year-month-day").tolist()
    [1.5, nan, nan]
    """
    found = _read(values, form)
    return found if form == "clock" else without_open_years(found)


def without_open_years(days: Numbers) -> Numbers:
    """Return days since 1970, NaN in the years that mean "without end" and "never"."""
    whole = np.floor(np.where(np.isnan(days), 0.0, days)).astype(np.int64)
    years = whole.astype("M8[D]").astype("M8[Y]").astype(np.int64) + 1970
    return np.where(np.isin(years, OPEN_YEARS), np.nan, days)


def fits_form(values: Any, form: str) -> NDArray[np.bool_]:
    """Tell which texts are dates of a form; also those of the years 1 and 9999."""
    return ~np.isnan(_read(values, form))


def count_like(texts: Iterable[str], form: str) -> int:
    """Count the texts that look like dates of a form; the calendar is not asked."""
    expression = re.compile(_pattern(form))
    return sum(expression.fullmatch(text) is not None for text in texts)


def possible_orders(values: Any) -> tuple[str, ...]:
    """Return the `ORDERS` that are possible for all texts that are days and months in digits."""
    parts = _parts(values, DIGITS)
    i, j = parts.numbers["i"], parts.numbers["j"]
    with np.errstate(invalid="ignore"):
        day_first, month_first = not (j > 12).any(), not (i > 12).any()
    possible = [day_first, month_first]
    return tuple(order for order, able in zip(ORDERS, possible, strict=True) if able)


def _read(values: Any, form: str) -> Numbers:
    if form in ORDERS:
        parts = _parts(values, _pattern(form))
        day, month = ("i", "j") if form == ORDERS[0] else ("j", "i")
        parts.numbers["d"], parts.numbers["m"] = parts.numbers[day], parts.numbers[month]
    else:
        parts = _parts(values, _pattern(form))
    hours = _hours(parts)
    if form == "clock":
        return np.where(parts.matched, hours, np.nan)
    return np.where(parts.matched, _days(parts) + hours / 24, np.nan)


def _pattern(form: str) -> str:
    return DIGITS if form in ORDERS else CLOCK if form == "clock" else FORMS[form]


def _parts(values: Any, pattern: str) -> _Parts:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.extract_regex(values, pattern=f"^{pattern}$")
    matched = valid_of(found)
    numbers = {}
    for i, field in enumerate(found.type):
        texts = pc.struct_field(found, [i])
        if field.name == "sep":
            continue
        if field.name in "bpz":
            numbers[field.name] = _code(field.name, texts)
            continue
        texts = pc.if_else(pc.equal(texts, strings([""])[0]), null(texts.type), texts)
        texts = pc.replace_substring(texts, pattern=",", replacement=".")
        numbers[field.name] = values_of(pc.cast(texts, pa.float64()), np.nan)
        if field.name == "y":
            numbers["y"] = _century(numbers["y"], texts)
    return _Parts(matched, numbers)


def _century(years: Numbers, texts: Any) -> Numbers:
    import pyarrow.compute as pc

    short = values_of(pc.utf8_length(texts), 4) == 2
    return np.where(short, years + np.where(years >= PIVOT, 1900, 2000), years)


def _code(group: str, texts: Any) -> Numbers:
    """Return the month of a name, 1 for PM and 0 for AM, or the minutes of a time zone."""
    import pyarrow.compute as pc

    different = pc.dictionary_encode(texts)
    words = different.dictionary.to_pylist()
    coded = np.array([*(_CODES[group](word) for word in words), np.nan])
    found: Numbers = coded[values_of(different.indices, -1)]
    return found


def _month(word: str) -> float:
    start = word[:3].lower()
    # Other words that begin with the three letters are no months.
    known = start in MONTHS and (len(word) == 3 or word.lower() in MONTH_NAMES)
    return MONTHS.index(start) + 1 if known else 99


def _half(word: str) -> float:
    return np.nan if not word else float(word[0] in "pP")


def _zone(word: str) -> float:
    if word in ("", "Z", "UTC", "GMT"):
        return 0.0
    digits = word[1:].replace(":", "")
    minutes = 60 * int(digits[:2]) + int(digits[2:] or 0)
    return float(-minutes if word[0] == "-" else minutes)


_CODES = {"b": _month, "p": _half, "z": _zone}


def _hours(parts: _Parts) -> Numbers:
    """Hours since midnight, in UTC; NaN where there is no such time."""
    hour, minute, second = (parts.get(name, 0.0) for name in "HMS")
    half = parts.get("p", np.nan)
    twelve = ~np.isnan(half)
    valid = (minute < 60) & (second < 61) & np.where(twelve, (hour >= 1) & (hour <= 12), hour <= 24)
    hour = np.where(twelve, hour % 12 + 12 * half, hour)
    found: Numbers = hour + minute / 60 + second / 3600 - parts.get("z", 0.0) / 60
    return np.where(valid, found, np.nan)


def _days(parts: _Parts) -> Numbers:
    """Days since 1970; NaN where the calendar has no such day."""
    year = parts.get("y", np.nan)
    month = parts.get("b" if "b" in parts.numbers else "m", 1.0)
    if "q" in parts.numbers:
        month = 3 * parts.get("q", 1.0) - 2
    day = parts.get("d", 1.0)
    valid = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (year >= 1)
    start = _month_start(np.where(valid, year, 1970), np.where(valid, month, 1))
    length = _month_start(np.where(valid, year, 1970), np.where(valid, month, 1) + 1) - start
    found = np.where(valid & (day <= length), start + day - 1, np.nan)
    return _week_start(year, parts) if "w" in parts.numbers else found


def _month_start(year: Numbers, month: Numbers) -> Numbers:
    months = 12 * (year.astype(np.int64) - 1970) + month.astype(np.int64) - 1
    return months.astype("M8[M]").astype("M8[D]").astype(np.float64)


def _week_start(year: Numbers, parts: _Parts) -> Numbers:
    """Days since 1970 of the Monday, or the given day, of a week of ISO 8601."""
    week, weekday = parts.get("w", np.nan), parts.get("k", 1.0)
    known = ~np.isnan(year) & ~np.isnan(week)
    years = np.where(known, year, 1970)

    def first_monday(years: Numbers) -> Numbers:
        fourth = _month_start(years, np.ones(len(years))) + 3  # January 4 is always in week 1
        return fourth - (fourth + 3) % 7

    start = first_monday(years) + 7 * (np.where(known, week, 1) - 1)
    valid = known & (week >= 1) & (start < first_monday(years + 1))
    return np.where(valid, start + weekday - 1, np.nan)
