"""The arrays that each argument accepts, written independently of the package.

A rule returns the argument that an error must name, or None if the call must succeed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from contract.bad_input_worlds import OF_CLASSES, ROWS

Array = np.ndarray[Any, Any]
Rule = Callable[[Array, np.dtype[Any]], str | None]


def finite(array: Array, dtype: np.dtype[Any]) -> bool:
    """Whether all numbers are finite in the network's dtype."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(array.astype(dtype)).all())


def rows(
    argument: str, width: int, count: int | None = None, *, single: bool = False,
    partner: str | None = None, least: int = 0,
) -> Rule:  # fmt: skip
    """(N, width); an error names ``partner`` if only N differs from ``count``.

    ``single`` also accepts one row, and any leading dimensions.
    """

    def rule(array: Array, dtype: np.dtype[Any]) -> str | None:
        if single and array.ndim and array.shape[-1] == width:
            return None if count in (None, array.size // width) else partner or argument
        if partner and array.ndim > 2 and array.shape[-1] == width and array.size:
            return partner  # it lacks the leading dimensions
        if array.ndim != 2 or array.shape[1] != width or array.shape[0] < least:
            return argument
        return None if count in (None, array.shape[0]) else partner or argument

    return rule


def any_rows(argument: str, pieces: int = 1) -> Rule:
    """(..., width) for any width that the number of pieces divides."""

    def rule(array: Array, dtype: np.dtype[Any]) -> str | None:
        if array.ndim == 0 or array.shape[-1] == 0:
            return argument
        return None if array.shape[-1] % pieces == 0 else "pieces"

    return rule


def exactly(argument: str, shape: tuple[int, ...]) -> Rule:
    return lambda array, dtype: None if array.shape == shape else argument


def only_finite(rule: Rule, argument: str) -> Rule:
    def both(array: Array, dtype: np.dtype[Any]) -> str | None:
        return rule(array, dtype) or (None if finite(array, dtype) else argument)

    return both


def fits(loss: str, array: Array, dtype: np.dtype[Any], count: int, width: int) -> bool:
    """Whether an array is a valid target of a loss for scores (count, width)."""
    if loss in OF_CLASSES:
        of_all = loss == "CrossEntropyLoss" and array.shape == (count, width)
        if of_all and (width > 1 or array.dtype.kind == "f"):
            return True
        if array.shape != (count,):
            return False
        whole = np.isfinite(array) & (array == np.floor(array))
        return bool((whole & (array >= 0) & (array < width)).all())
    if array.shape != (count, width) and not (width == 1 and array.shape == (count,)):
        return False
    with np.errstate(over="ignore"):
        inside = array.astype(dtype)
    if loss == "BCEWithLogitsLoss":
        return bool(((inside >= 0) & (inside <= 1)).all())
    return loss != "PoissonNLLLoss" or bool((inside >= 0).all())


def targets(loss: str, width: int) -> Rule:
    def rule(array: Array, dtype: np.dtype[Any]) -> str | None:
        return None if fits(loss, array, dtype, ROWS, width) else "y"

    return rule


def scores(loss: str, y: Array, *, single: bool) -> Rule:
    """Scores for the targets ``y``; an error names ``y`` if the two do not fit."""

    def rule(array: Array, dtype: np.dtype[Any]) -> str | None:
        if array.ndim == 0 or array.shape[-1] == 0 or (array.ndim != 2 and not single):
            return "scores"
        if array.ndim > 2:
            return "y"  # it lacks the leading dimensions
        count, width = array.shape if array.ndim == 2 else (1, array.shape[0])
        target = y[None] if array.ndim == 1 else y
        return None if fits(loss, target, dtype, count, width) else "y"

    return rule


def target_of_row(loss: str, width: int) -> Rule:
    """The target of one row: one number with any dimensions, or that row."""

    def rule(array: Array, dtype: np.dtype[Any]) -> str | None:
        target = array.reshape(1) if array.size == 1 else array[None]
        return None if fits(loss, target, dtype, 1, width) else "y"

    return rule


def number(argument: str) -> Rule:
    """One number, or an array with one element."""
    return lambda array, dtype: None if array.shape in ((), (1,)) else argument
