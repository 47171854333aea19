"""Targets that consist of several arrays."""

from __future__ import annotations

from typing import Any

from fastmlp.base.validation import Array


class NamedRows:
    """Targets of a loss of your own, given as a dict of arrays: a row of each for a row of ``x``.

    Like an array, it has a length, and an index of rows selects them.
    """

    __slots__ = ("arrays",)

    def __init__(self, arrays: dict[str, Array]) -> None:
        self.arrays = arrays

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, rows: Any) -> NamedRows:
        return NamedRows({name: array[rows] for name, array in self.arrays.items()})


def named_arrays(target: Any, name: str) -> list[tuple[str, Array]]:
    """Return the arrays of numbers that targets consist of, each with its name.

    Examples
    --------
    >>> import numpy as np
    >>> named_arrays(np.zeros(2, [("a", "f4"), ("b", "i8")]), "y")
    [("y['a']", array([0., 0.], dtype=float32)), ("y['b']", array([0, 0]))]
    """
    if isinstance(target, NamedRows):
        parts = target.arrays
    elif target.dtype.names is not None:
        parts = {field: target[field] for field in target.dtype.names}
    else:
        return [(name, target)]
    return [pair for key, part in parts.items() for pair in named_arrays(part, f"{name}[{key!r}]")]
