"""Tables to learn from: a target, the columns it is predicted from, and what kind of task it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import datasets

from fastmlp.tabular.reading import TableError, read_table, stem
from fastmlp.tabular.text import quoted
from fastmlp.tabular.values import MISSING, kind_of, level_text, levels_of, numbers_of

Array = NDArray[Any]
Task = Literal["classification", "regression"]

DIGITS_MAXIMUM = 16.0  # brightest pixel; one scale for all pixels keeps the image's contrast
FEWEST_ROWS = 20
MOST_NUMBERED_CLASSES = 20  # different whole numbers, for a target to be detected as classes
FEWEST_PER_CLASS = 5  # rows, on average, for the same
USUAL_TARGETS = ("target", "label", "class", "y")


@dataclass(frozen=True)
class Table:
    """Rows to learn from: `frame` (N, columns); `y` (N,) holds class indices or real targets."""

    name: str
    frame: pd.DataFrame
    y: Array
    target_name: str
    classes: list[str]  # names of the classes 0, 1, ...; empty for a regression
    maximum: float | None = None  # known range of the inputs, instead of standardising
    notes: tuple[str, ...] = ()  # what was done to the file's rows, a line each

    @property
    def task(self) -> Task:
        return "classification" if self.classes else "regression"


def _load(name: str, loader: Callable[[], Any], maximum: float | None = None) -> Table:
    bunch = loader()
    classes = [str(label) for label in bunch.get("target_names", [])]
    frame = pd.DataFrame(bunch.data, columns=[str(name) for name in bunch.feature_names])
    return Table(name, frame, bunch.target, "target", classes, maximum)


BUILT_IN: dict[str, Callable[[], Table]] = {
    "digits": lambda: _load("digits", datasets.load_digits, DIGITS_MAXIMUM),
    "wine": lambda: _load("wine", datasets.load_wine),
    "breast_cancer": lambda: _load("breast_cancer", datasets.load_breast_cancer),
    "iris": lambda: _load("iris", datasets.load_iris),
    "diabetes": lambda: _load("diabetes", datasets.load_diabetes),
}


def load_table(path: Path, target: str | None, task: Task | None) -> Table:
    """Read a table from a file and prepare its target; see `table_from_frame`."""
    return table_from_frame(read_table(path), target, task, stem(path))


def table_from_frame(
    frame: pd.DataFrame, target: str | None, task: Task | None, name: str
) -> Table:
    """Take a column as the target.

    Text, truth values and few different whole numbers are classes, other numbers a regression,
    unless `task` says otherwise. Rows without a target are left out.

    Raises
    ------
    TableError
        The target is not there, is constant, or does not fit the task; or rows are too few.
    """
    target = _target_name(frame, target)
    column = frame[target]
    y, classes = _prepared_target(column, task)
    kept = y >= 0 if classes else ~np.isnan(y)
    if kept.sum() < FEWEST_ROWS:
        raise TableError(
            f"{kept.sum()} rows with a target are too few: at least {FEWEST_ROWS} are needed"
        )
    left_out = len(y) - int(kept.sum())
    notes = (f"rows without a target, left out: {left_out:,}",) if left_out else ()
    rows = frame.drop(columns=target)[kept].reset_index(drop=True)
    return Table(name, rows, y[kept], target, classes, notes=notes)


def _target_name(frame: pd.DataFrame, target: str | None) -> str:
    names = list(frame.columns)
    if target is None:
        usual = [name for name in names if name.lower() in USUAL_TARGETS]
        if len(usual) == 1:
            return str(usual[0])
        raise TableError(f"which column is the target? Give --target one of {quoted(names)}")
    if target not in names:
        raise TableError(f"there is no column {target!r} to predict, only {quoted(names)}")
    return target


def _prepared_target(column: pd.Series[Any], task: Task | None) -> tuple[Array, list[str]]:
    """Class indices, -1 where missing, and the classes' names; or numbers, NaN where missing."""
    numeric = kind_of(column) == "numeric"
    if not numeric and task == "regression":
        raise TableError(f"target {column.name!r} is not numeric: it suits no regression")
    if not numeric:
        return _classes_of_texts(column)
    values = numbers_of(column)
    distinct = np.unique(values[~np.isnan(values)])
    if len(distinct) == 1:
        raise TableError(
            f"target {column.name!r} is constant: {level_text(distinct[0])} throughout"
        )
    if task == "regression" or (task is None and not _are_classes(distinct, len(values))):
        return values, []
    _check_class_count(column, len(distinct))
    y = np.where(np.isnan(values), -1, np.searchsorted(distinct, values))
    return y, [level_text(value) for value in distinct]


def _classes_of_texts(column: pd.Series[Any]) -> tuple[Array, list[str]]:
    texts = levels_of(column)
    present = texts != MISSING
    classes = sorted(set(texts[present]))
    if len(classes) == 1:
        raise TableError(f"target {column.name!r} has one class only: {classes[0]!r}")
    _check_class_count(column, len(classes))
    index = {text: i for i, text in enumerate(classes)}
    return np.array([index.get(text, -1) for text in texts], dtype=np.int64), classes


def _are_classes(distinct: Array, rows: int) -> bool:
    whole = bool((distinct == np.floor(distinct)).all())
    few = len(distinct) <= min(MOST_NUMBERED_CLASSES, rows / FEWEST_PER_CLASS)
    return whole and few


def _check_class_count(column: pd.Series[Any], count: int) -> None:
    if count > max(2, len(column) // 2):
        raise TableError(
            f"target {column.name!r} has {count} different values in {len(column)} rows: "
            "those are no classes"
        )
