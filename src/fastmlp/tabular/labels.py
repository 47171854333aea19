"""The labels of classes, exactly as they were given: text, whole numbers, numbers, truth values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.tabular.scores import Task

# What JSON holds -> the type of the labels' array, and that of each value in JSON.
TYPES: dict[str, tuple[Any, Any]] = {
    "text": (object, str),
    "integer": (np.int64, int),
    "float": (np.float64, float),
    "boolean": (np.bool_, bool),
}


@dataclass(frozen=True)
class Labels:
    """The labels of the classes 0, 1, ...; empty for a regression.

    Attributes
    ----------
    values : ndarray, shape (C,)
        Text as objects, or numbers, or truth values.
    """

    values: Array

    @classmethod
    def of(cls, values: Any) -> Labels:
        """Take labels of any type; those of other types than `TYPES` become text.

        Examples
        --------
        >>> Labels.of(np.array(["b", "a"])).values.tolist()
        ['b', 'a']
        >>> Labels.of(np.array([1, 2], dtype=np.uint8)).values.dtype
        dtype('int64')
        """
        array = np.asarray(values)
        kind = {"i": "integer", "u": "integer", "f": "float", "b": "boolean"}.get(array.dtype.kind)
        if kind is None:
            return cls(np.array([str(value) for value in array], dtype=object))
        return cls(array.astype(TYPES[kind][0]))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def names(self) -> list[str]:
        """The labels as text."""
        return [str(value) for value in self.values.tolist()]

    def describe(self) -> dict[str, Any]:
        """Return what `from_description` takes."""
        kinds = {np.dtype(dtype): name for name, (dtype, _) in TYPES.items()}
        return {"type": kinds[self.values.dtype], "values": self.values.tolist()}

    @classmethod
    def from_description(cls, description: Any) -> Labels:
        """Read labels; the description may come from a hostile file.

        Raises
        ------
        ArgumentError
            If it does not have the form of what `describe` returns.
        """
        if not isinstance(description, dict) or description.keys() != {"type", "values"}:
            raise ArgumentError("the classes must have exactly type and values")
        kind, values = description["type"], description["values"]
        if not isinstance(kind, str) or kind not in TYPES:
            raise ArgumentError(f"the classes are of the unknown type {kind!r:.40}")
        dtype, wanted = TYPES[kind]
        if not isinstance(values, list) or not all(type(value) is wanted for value in values):
            raise ArgumentError(f"the classes must be a list of values of the type {kind}")
        if len(values) == 1 or len(set(values)) != len(values):
            raise ArgumentError("the classes must be two or more, and all different")
        try:
            return cls(np.array(values, dtype=dtype))
        except OverflowError as error:
            raise ArgumentError("a class is too large for int64") from error


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes
    ----------
    name : str
        The column.
    labels : Labels
        Of its classes; none for a regression.
    """

    name: str
    labels: Labels

    @property
    def classes(self) -> int:
        """Number of classes; 0 for a regression."""
        return len(self.labels)

    @property
    def task(self) -> Task:
        """``"classification"`` or ``"regression"``."""
        return "classification" if self.classes else "regression"

    def describe(self) -> dict[str, Any]:
        """Return what `from_description` takes."""
        return {"name": self.name, "labels": self.labels.describe()}

    @classmethod
    def from_description(cls, description: Any) -> Target:
        """Read a target; the description may come from a hostile file."""
        if not isinstance(description, dict) or description.keys() != {"name", "labels"}:
            raise ArgumentError("the target must have exactly name and labels")
        if not isinstance(description["name"], str):
            raise ArgumentError("the target's name must be text")
        return cls(description["name"], Labels.from_description(description["labels"]))
