"""Tables to learn from: loaded, split, and scaled by what the training part alone tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn import datasets
from sklearn.model_selection import train_test_split

Array = NDArray[Any]
Task = Literal["classification", "regression"]

HOLD_OUT = 0.15  # share of the rows for validation, and again for the test
DIGITS_MAXIMUM = 16.0  # brightest pixel; one scale for all pixels keeps the image's contrast


@dataclass(frozen=True)
class Table:
    """Rows to learn from: `x` (N, features); `y` (N,) holds class indices or real targets."""

    name: str
    x: Array
    y: Array
    features: list[str]
    classes: list[str]  # names of the classes 0, 1, ...; empty for a regression
    pixel_maximum: float | None = None  # known range of the inputs, instead of standardising

    @property
    def task(self) -> Task:
        return "classification" if self.classes else "regression"


@dataclass(frozen=True)
class Scaling:
    """The map v -> (v - mean) / scale, column by column."""

    mean: Array
    scale: Array

    def apply(self, values: Array) -> Array:
        return (values - self.mean) / self.scale

    def undo(self, values: Array) -> Array:
        return values * self.scale + self.mean

    def describe(self) -> dict[str, list[float]]:
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}


@dataclass(frozen=True)
class Part:
    """Scaled rows, as the network takes them: `x` (n, features), `y` (n,) or (n, 1)."""

    x: Array
    y: Array


@dataclass(frozen=True)
class Split:
    """A table in three parts, with the scalings that its training part gave."""

    table: Table
    train: Part
    validation: Part
    test: Part
    inputs: Scaling
    target: Scaling | None


def _load(name: str, loader: Callable[[], Any], pixel_maximum: float | None = None) -> Table:
    bunch = loader()
    classes = [str(label) for label in bunch.get("target_names", [])]
    return Table(name, bunch.data, bunch.target, list(bunch.feature_names), classes, pixel_maximum)


BUILT_IN: dict[str, Callable[[], Table]] = {
    "digits": lambda: _load("digits", datasets.load_digits, DIGITS_MAXIMUM),
    "wine": lambda: _load("wine", datasets.load_wine),
    "breast_cancer": lambda: _load("breast_cancer", datasets.load_breast_cancer),
    "iris": lambda: _load("iris", datasets.load_iris),
    "diabetes": lambda: _load("diabetes", datasets.load_diabetes),
}


def split(table: Table, seed: int, dtype: DTypeLike) -> Split:
    """Split 70/15/15, classes in equal shares, and scale with the training part's statistics."""
    train, validation, test = _split_rows(table, seed)
    inputs = _input_scaling(table, train)
    target = None if table.classes else _standardising(table.y[train, None])

    def part(rows: Array) -> Part:
        y = table.y[rows] if target is None else target.apply(table.y[rows, None]).astype(dtype)
        return Part(np.ascontiguousarray(inputs.apply(table.x[rows]), dtype=dtype), y)

    return Split(table, part(train), part(validation), part(test), inputs, target)


def _split_rows(table: Table, seed: int) -> tuple[Array, Array, Array]:
    def halve(rows: Array, size: float) -> list[Array]:
        strata = table.y[rows] if table.classes else None
        pair: list[Array] = train_test_split(
            rows, test_size=size, stratify=strata, random_state=seed
        )
        return pair

    train, rest = halve(np.arange(len(table.y)), 2 * HOLD_OUT)
    validation, test = halve(rest, 0.5)
    return train, validation, test


def _input_scaling(table: Table, train: Array) -> Scaling:
    if table.pixel_maximum is None:
        return _standardising(table.x[train])
    columns = table.x.shape[1]
    return Scaling(np.zeros(columns), np.full(columns, table.pixel_maximum))


def _standardising(columns: Array) -> Scaling:
    deviation = columns.std(axis=0)
    # A constant column carries nothing: divide by 1 rather than by 0.
    return Scaling(columns.mean(axis=0), np.where(deviation > 0, deviation, 1.0))
