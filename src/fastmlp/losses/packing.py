"""Targets of several named numbers in a row: the one place that packs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array


class Field(NamedTuple):
    """A named part of a row of targets; with ``end``, it holds whole numbers from 0 to end - 1."""

    name: str
    columns: int = 1
    end: int = 0


def packed(y: Any, layout: Sequence[Field], rows: int, dtype: np.dtype[Any]) -> Array:
    """Return targets as one array ``(rows, k)``, the fields side by side."""
    width = sum(field.columns for field in layout)
    found = named(y)
    if found is None:
        return validation.targets(y, "y", rows, width, dtype)
    names = [field.name for field in layout]
    if set(found) != set(names):
        given = ", ".join(map(repr, found))
        raise ArgumentError(f"y: got {type(y).__name__} of {given}; want {', '.join(names)}")
    target, first = np.empty((rows, width), dtype), 0
    for field in layout:
        part = slice(first, first + field.columns)
        name = f"y[{field.name!r}]"
        target[:, part] = validation.targets(found[field.name], name, rows, field.columns, dtype)
        first = part.stop
    return target


def named(y: Any) -> Mapping[str, Any] | None:
    """Return the fields of a dict or a structured array by name; None for anything else."""
    if isinstance(y, Mapping):
        return y
    if isinstance(y, np.ndarray) and y.dtype.names is not None:
        return {name: y[name] for name in y.dtype.names}
    return None


def flattened(y: Any, leading: tuple[int, ...], argument: str = "y") -> Any:
    """Return targets of rows with these leading dimensions, with one dimension for them."""
    found = named(y)
    if found is None:
        return validation.flattened(y, argument, leading)
    return {
        name: validation.flattened(value, f"{argument}[{name!r}]", leading)
        for name, value in found.items()
    }


def of_one_row(y: Any) -> Any:
    """Return the targets of a single row as those of one row of many."""
    found = named(y)
    if found is not None:
        return {name: np.asarray(value)[None] for name, value in found.items()}
    array = validation.numeric(y, "y")
    return array.reshape(1) if array.size == 1 else array[None]


def check_whole(values: Array, field: Field) -> None:
    """Refuse values of a field that are no whole numbers from 0 to its end."""
    with np.errstate(invalid="ignore"):
        wrong = ~((values >= 0) & (values < field.end) & (values == np.floor(values)))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ArgumentError(
            f"y: got {values[row]} for {field.name} at row {row}; want whole numbers from 0 to "
            f"{field.end - 1}"
        )
