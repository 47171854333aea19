"""The parts of a date that a network can learn from: the day itself, cycles, and the weekday."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fastmlp.base.validation import Array

_THURSDAY = 3  # 1970-01-01 was one; Monday is 0
_YEAR = 365.2425  # days


def _weekday(days: Array) -> Array:
    found: Array = np.floor(days + _THURSDAY) % 7.0
    return found


def _year(days: Array) -> Array:
    """The part of the year that has passed, from 0 to 1."""
    whole = np.floor(days).astype("datetime64[D]")
    first = whole.astype("datetime64[Y]").astype("datetime64[D]").astype(np.float64)
    found: Array = (days - first) / _YEAR
    return found


def _month_day(days: Array) -> Array:
    whole = np.floor(days).astype("datetime64[D]")
    first = whole.astype("datetime64[M]").astype("datetime64[D]")
    found: Array = 1.0 + (whole - first).astype(np.float64)
    return found


def _sine(part: Array) -> Array:
    found: Array = np.sin(2.0 * np.pi * part)
    return found


def _cosine(part: Array) -> Array:
    found: Array = np.cos(2.0 * np.pi * part)
    return found


_FEW = 0.5  # days in the range of the dates, for each date: then the days are computed once


def part_of(part: str, days: Array) -> Array:
    """Return a part of `DATE_PARTS` of (N,) days; days without a time are computed once each."""
    compute = DATE_PARTS[part]
    if len(days) == 0 or not (np.floor(days) == days).all():
        return compute(days)
    first = days.min()
    span = days.max() - first + 1
    if span > _FEW * len(days):
        return compute(days)
    found: Array = compute(first + np.arange(int(span)))[(days - first).astype(np.int32)]
    return found


# Each takes days since 1970, with fractions, (N,).
DATE_PARTS: Mapping[str, Callable[[Array], Array]] = {
    "days": lambda days: days,
    "weekday": _weekday,
    "day of the year": _year,
    "day of the month": _month_day,
    "week sine": lambda days: _sine((days + _THURSDAY) / 7.0),
    "week cosine": lambda days: _cosine((days + _THURSDAY) / 7.0),
    "year sine": lambda days: _sine(_year(days)),
    "year cosine": lambda days: _cosine(_year(days)),
    "day sine": lambda days: _sine(days % 1.0),
    "day cosine": lambda days: _cosine(days % 1.0),
}
