"""Tables to learn from: a target, the columns it is predicted from, and the kind of task."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.tabular.reading import TableError, frame_of, stem
from fastmlp.tabular.text import quoted
from fastmlp.tabular.values import MISSING, kind_of, level_text, levels_of, numbers_of

if TYPE_CHECKING:
    import pandas as pd

    TableLike: TypeAlias = pd.DataFrame | Mapping[str, Any] | str | os.PathLike[str]

Task = Literal["classification", "regression"]
TASKS = ("classification", "regression")

FEWEST_ROWS = 20
MOST_NUMBERED_CLASSES = 20  # different whole numbers, for a target to be detected as classes
FEWEST_PER_CLASS = 5  # rows, on average, for the same
USUAL_TARGETS = ("target", "label", "class", "y")


@dataclass(frozen=True)
class Table:
    """Rows to learn from, with a target.

    Attributes
    ----------
    name : str
    frame : pandas.DataFrame
        N rows of the columns that the target is predicted from.
    y : ndarray, shape (N,)
        Indices of classes, or numbers.
    target_name : str
    classes : list of str
        Names of the classes 0, 1, ...; empty for a regression.
    maximum : float, optional
        Known largest value of every column, such as a pixel's: columns are divided by it instead
        of being standardised.
    notes : tuple of str
        Changes made to the rows, such as rows that were left out; one line each.
    """

    name: str
    frame: pd.DataFrame
    y: Array
    target_name: str
    classes: list[str]
    maximum: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def task(self) -> Task:
        return "classification" if self.classes else "regression"

    def __str__(self) -> str:
        rows, columns = self.frame.shape
        what = f"{len(self.classes)} classes" if self.classes else "numbers"
        return f"{rows:,} rows, {columns} columns; {self.target_name} ({what}): {self.task}"


def load_table(table: TableLike, target: str | None = None, task: Task | None = None) -> Table:
    """Read a table, or take one from memory, and prepare its target.

    Parameters
    ----------
    table : pandas.DataFrame, dict of str to array_like, str or path-like
        A data frame, its columns by name, or the path of a .csv, .tsv (also .gz) or .parquet file.
    target : str, optional
        Column to predict; by default the one called target, label, class or y.
    task : {"classification", "regression"}, optional
        By default text, truth values and few different whole numbers are classes, and other
        numbers are a regression. Rows without a target are left out.

    Raises
    ------
    TableError
        The table cannot be read; the target is not there, is constant, or does not fit the task;
        or rows are too few.

    Examples
    --------
    >>> print(load_table({"size": range(40), "grade": ["cheap", "dear"] * 20}, "grade"))
    40 rows, 1 columns; grade (2 classes): classification
    """
    if task not in (None, *TASKS):
        raise TableError(f"`task`: got {task!r}; want one of {', '.join(TASKS)}")
    name = stem(Path(table)) if isinstance(table, (str, os.PathLike)) else "table"
    return table_from_frame(frame_of(table), target, task, name)


def table_from_frame(
    frame: pd.DataFrame, target: str | None, task: Task | None, name: str
) -> Table:
    """Take a column of a checked frame as the target, see `load_table`."""
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
        raise TableError(f"which column is the target? Give `target` one of {quoted(names)}")
    if target not in names:
        raise TableError(f"there is no column {target!r} to predict, only {quoted(names)}")
    return target


def _prepared_target(column: pd.Series[Any], task: Task | None) -> tuple[Array, list[str]]:
    """Class indices, -1 where missing, and the classes' names; or numbers, NaN where missing."""
    numeric = kind_of(column) == "numeric"
    if not numeric and task == "regression":
        raise TableError(f"target {column.name!r} is not numeric, which a regression needs")
    if not numeric:
        return _classes_of_texts(column)
    values = numbers_of(column)
    distinct = np.unique(values[~np.isnan(values)])
    if len(distinct) == 0:
        raise TableError(f"target {column.name!r} has no values")
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
    if not classes:
        raise TableError(f"target {column.name!r} has no values")
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
            "too many to be classes"
        )
