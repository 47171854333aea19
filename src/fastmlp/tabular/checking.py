"""Checks of descriptions that were read from a model file, which may be hostile."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.base.errors import ArgumentError


def check_keys(value: Any, keys: set[str], what: str) -> None:
    """Refuse anything but a dict with exactly these keys."""
    if not isinstance(value, dict) or value.keys() != keys:
        raise ArgumentError(f"{what} must have exactly {', '.join(sorted(keys))}")


def check_text(value: Any, what: str) -> str:
    """Refuse anything but valid text."""
    return check_texts([value], what)[0]


def check_texts(values: Any, what: str) -> Sequence[str]:
    """Refuse anything but a list of different texts."""
    if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
        raise ArgumentError(f"{what} must be text")
    if len(set(values)) != len(values):
        raise ArgumentError(f"{what} must all be different")
    try:
        "".join(values).encode()
    except UnicodeEncodeError as error:
        # JSON can spell half of a character.
        raise ArgumentError(f"{what} must be valid Unicode") from error
    return values


def check_choice(value: Any, choices: Sequence[str], what: str) -> str:
    """Refuse anything but one of some texts."""
    if not isinstance(value, str) or value not in choices:
        raise ArgumentError(f"{what} is {value!r:.40}, expected one of {', '.join(choices)}")
    return value


def check_number(value: Any, what: str) -> float:
    """Refuse anything but a finite number."""
    # An integer may be too large for a float.
    if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:
        raise ArgumentError(f"{what} is {value!r:.40}, expected a finite number")
    return float(value)


def check_numbers(values: Any, what: str) -> NDArray[np.float64]:
    """Refuse anything but a list of finite numbers."""
    if not isinstance(values, list):
        raise ArgumentError(f"{what} must be a list of numbers")
    return np.array([check_number(value, what) for value in values], np.float64)


def check_flag(value: Any, what: str) -> bool:
    """Refuse anything but a truth value."""
    if type(value) is not bool:
        raise ArgumentError(f"{what} is {value!r:.40}, expected true or false")
    return value


def check_count(value: Any, what: str, most: int) -> int:
    """Refuse anything but a whole number from 0 to `most`."""
    if type(value) is not int or not 0 <= value <= most:
        raise ArgumentError(f"{what} is {value!r:.40}, expected a whole number from 0 to {most}")
    return value
