"""Tables to learn from: a target, the columns it is predicted from, and the kind of task."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.tabular.columns.decision import Hints
from fastmlp.tabular.reading import Frame, ReadOptions, TableError, frame_of, require, stem
from fastmlp.tabular.reading.options import normal_name
from fastmlp.tabular.target import TASKS, Task, read_known, read_target
from fastmlp.tabular.text import quoted

if TYPE_CHECKING:
    import pandas as pd

    TableLike: TypeAlias = (
        Frame | pd.DataFrame | Mapping[str, Any] | str | os.PathLike[str] | list[str | Path]
    )

FEWEST_ROWS = 20
USUAL_TARGETS = ("target", "label", "class", "y")


@dataclass(frozen=True)
class Table:
    """Rows to learn from, with a target.

    Attributes
    ----------
    name : str
    frame : Frame
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
        How the file and the target were read where that is not plain, and changes made to the
        rows, such as rows that were left out; one line each.
    options : ReadOptions
        How the columns are to be read.
    """

    name: str
    frame: Frame
    y: Array
    target_name: str
    classes: list[str]
    maximum: float | None = None
    notes: tuple[str, ...] = ()
    options: ReadOptions = field(default_factory=ReadOptions)

    @property
    def task(self) -> Task:
        return "classification" if self.classes else "regression"

    def __str__(self) -> str:
        rows, columns = len(self.frame), len(self.frame.names)
        what = f"{len(self.classes)} classes" if self.classes else "numbers"
        return f"{rows:,} rows, {columns} columns; {self.target_name} ({what}): {self.task}"


def load_table(
    table: TableLike,
    target: str | None = None,
    task: Task | None = None,
    options: ReadOptions | None = None,
    memory: int | str | None = None,
) -> Table:
    """Read a table, or take one from memory, and prepare its target.

    Parameters
    ----------
    table : data frame, dict of str to array_like, str, path-like, or list of paths
        A data frame of pandas, polars or pyarrow, columns by name, or files: .csv, .tsv, .txt,
        .data (also .gz or .zip), .parquet, a folder of Parquet files, or "-" for standard input.
    target : str, optional
        Column to predict; by default the one called target, label, class or y.
    task : {"classification", "regression"}, optional
        By default text, truth values and few different whole numbers are classes, and other
        numbers are a regression. Rows without a target are left out.
    options : ReadOptions, optional
        How the table is read, and which columns are left out.
    memory : int or str, optional
        Bytes that a training may take, such as ``"2GB"``; by default half of the machine's memory.
        Files that need more stay where they are, and are read in pieces.

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
    first = table[0] if isinstance(table, list) and table else table
    name = stem(Path(first)) if isinstance(first, (str, os.PathLike)) else "table"
    options = options or ReadOptions()
    require("pyarrow")
    from fastmlp.tabular.streaming.table import streamed_table

    streamed = streamed_table(table, target, task, name, options, memory)
    if streamed is not None:
        return streamed
    return table_from_frame(frame_of(table, options), target, task, name, options)


def table_from_frame(
    frame: Frame, target: str | None, task: Task | None, name: str, options: ReadOptions
) -> Table:
    """Take a column of a frame as the target, see `load_table`."""
    target = target_name(frame, target)
    frame.check_options(options)
    if target in options.drop:
        raise TableError(f"`drop`: {target!r} is the target")
    if target in options.kinds:
        raise TableError(f"kinds of columns: {target!r} is the target, whose kind `task` tells")
    found = read_target(frame, target, task, hints_of(options, frame))
    kept = found.present
    if kept.sum() < FEWEST_ROWS:
        raise TableError(
            f"{kept.sum()} rows with a target are too few: at least {FEWEST_ROWS} are needed"
        )
    notes = [*frame.notes, *found.notes]
    left_out = len(kept) - int(kept.sum())
    if left_out:
        notes.append(f"rows without a target, left out: {left_out:,}")
    rows = frame.drop([target, *options.drop, *options.keep])
    rows = rows.take(np.flatnonzero(kept)) if left_out else rows
    return Table(name, rows, found.y[kept], target, found.classes, None, tuple(notes), options)


def table_like(
    table: TableLike, target: str, classes: Sequence[str], options: ReadOptions | None = None
) -> Table:
    """Read other rows of a table that a model is trained on, with their target.

    Rows without a target are left out.

    Raises
    ------
    TableError
        The table cannot be read, has no target, or a class that the training has not.
    """
    options = options or ReadOptions()
    frame = frame_of(table, options)
    frame.check_names([target], "`target`")
    found = read_known(frame, target, classes, hints_of(options, frame))
    kept = np.flatnonzero(found.present)
    if len(kept) == 0:
        raise TableError(f"target {target!r} has no values")
    rows = frame.drop([target]).take(kept)
    return Table("table", rows, found.y[kept], target, list(classes), None, frame.notes, options)


def hints_of(options: ReadOptions, frame: Frame) -> Hints:
    """Return how a target is written, by the options and the file."""
    return Hints(
        missing=options.missing, decimal=options.decimal, thousands=options.thousands,
        commas=frame.separator == ";",
    )  # fmt: skip


def target_name(frame: Frame, target: str | None) -> str:
    """Return the name of the column to predict, see `load_table`."""
    names = frame.names
    if target is None:
        usual = [name for name in names if name.lower() in USUAL_TARGETS]
        if len(usual) == 1:
            return str(usual[0])
        raise TableError(f"which column is the target? Give `target` one of {quoted(names)}")
    if normal_name(target) not in names:
        raise TableError(f"there is no column {target!r} to predict, only {quoted(names)}")
    return normal_name(target)
