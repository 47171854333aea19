"""How numbers and lists of names are written in messages and summaries."""

from __future__ import annotations

from collections.abc import Sequence

LARGEST_PLAIN = 1e12


def four_digits(value: float) -> str:
    """Write a number with four digits, without an exponent where people would not write one.

    Examples
    --------
    >>> [four_digits(value) for value in (0.0123456, 56938.2, 3.5e20)]
    ['0.01235', '56940', '3.5e+20']
    """
    text = f"{value:.4g}"
    return f"{float(text):.0f}" if "e+" in text and abs(value) < LARGEST_PLAIN else text


def quoted(names: Sequence[str], most: int = 12) -> str:
    """List names in quotes, and how many more there are.

    Examples
    --------
    >>> quoted(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    text = ", ".join(map(repr, names[:most]))
    return f"{text} and {len(names) - most} more" if len(names) > most else text
