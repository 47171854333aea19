"""The contents of a report; it needs NumPy alone until it is written as a page."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.io import write_atomically
from fastmlp.tabular.importance import Importance
from fastmlp.tabular.scores import BASELINES
from fastmlp.tabular.text import four_digits

BINS = 10  # of the picture of calibration
SHOWN = 10  # columns in the text


@dataclass(frozen=True)
class ColumnReport:
    """How one column was read and encoded."""

    name: str
    kind: str
    reason: str
    encoding: str
    warning: str = ""


@dataclass(frozen=True)
class Report:
    """Scores beside a baseline, the importance of columns, and how each one was read.

    Attributes
    ----------
    title : str
    rows : str
        Which rows the scores are of, such as "test rows".
    task : {"classification", "regression"}
    target : str
    facts : dict of str to str
        The training in short: models, members, metric, time.
    scores, baseline : dict of str to float
    columns : sequence of ColumnReport
    left_out : dict of str to str
        Why columns are not used.
    importance : Importance or None
    labels : list of str
        Names of the classes.
    true, outputs, predicted : ndarray
        The rows that were scored: class indices or numbers, probabilities or numbers, and the
        predicted classes or numbers.
    histories : sequence of History
        Losses of the members' trainings.
    """

    title: str
    rows: str
    task: str
    target: str
    facts: Mapping[str, str]
    scores: Mapping[str, float]
    baseline: Mapping[str, float]
    columns: Sequence[ColumnReport]
    left_out: Mapping[str, str]
    importance: Importance | None
    labels: Sequence[str]
    true: Array = field(repr=False)
    outputs: Array = field(repr=False)
    predicted: Array = field(repr=False)
    histories: Sequence[Any] = field(default=(), repr=False)

    def __str__(self) -> str:
        lines = [self.title, *(f"  {name}: {text}" for name, text in self.facts.items()), ""]
        lines += [f"scores on {len(self.true):,} {self.rows}"]
        rows = {"": list(self.scores), "fastmlp": [shown(v) for v in self.scores.values()]}
        rows[BASELINES[self.task]] = [shown(self.baseline[name]) for name in self.scores]
        lines += text_table(rows)
        if self.importance is not None:
            lines += ["", *self.importance.lines(SHOWN)]
        lines += ["", "columns", *(f"  {column_line(column)}" for column in self.columns[:SHOWN])]
        if len(self.columns) > SHOWN:
            lines.append(f"  and {len(self.columns) - SHOWN} more")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as values that JSON can hold, without the rows."""
        found: dict[str, Any] = {
            "title": self.title,
            "rows": self.rows,
            "n_rows": len(self.true),
            "task": self.task,
            "target": self.target,
            "facts": dict(self.facts),
            "scores": finite(self.scores),
            "baseline": finite(self.baseline),
            "columns": [vars(column) for column in self.columns],
            "left_out": dict(self.left_out),
        }
        if self.importance is not None:
            found["importance"] = dict(
                zip(self.importance.names, self.importance.means, strict=True)
            )
        return found

    def to_html(self) -> str:
        """Return one self-contained page.

        Raises
        ------
        MissingPackageError
            Matplotlib is not installed.
        """
        from fastmlp.tabular.report.page import page

        return page(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page of `to_html` to a file, atomically."""
        write_atomically(path, [self.to_html().encode("utf-8", "replace")])


def reliability(true: Array, outputs: Array) -> tuple[Array, Array, Array]:
    """Return mean prediction, observed share and number of rows of each bin of probabilities.

    For two classes, the probability is that of class 1; for more, that of the likeliest class, and
    the observed share is that of right predictions. Bins are tenths; empty ones are left out.
    """
    if outputs.shape[1] == 2:
        chance, happened = outputs[:, 1], true == 1
    else:
        chance, happened = outputs.max(axis=1), outputs.argmax(axis=1) == true
    places = np.minimum((chance * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    used = counts > 0
    means = np.bincount(places, chance, minlength=BINS)[used] / counts[used]
    shares = np.bincount(places, happened, minlength=BINS)[used] / counts[used]
    return means, shares, counts[used]


def shown(value: float) -> str:
    """Write a score."""
    return four_digits(value) if abs(value) >= 10 else f"{value:.4f}"


def finite(scores: Mapping[str, float]) -> dict[str, float | None]:
    """Replace what JSON cannot hold by None."""
    return {name: value if np.isfinite(value) else None for name, value in scores.items()}


def column_line(column: ColumnReport) -> str:
    """One line on a column."""
    warning = f"; warning: {column.warning}" if column.warning else ""
    return f"{column.name}: {column.kind}, {column.reason}; {column.encoding}{warning}"


def text_table(rows: Mapping[str, Sequence[str]]) -> list[str]:
    """Lines of a table with named rows, numbers to the right."""
    names = max(map(len, rows))
    widths = [max(map(len, column)) for column in zip(*rows.values(), strict=True)]
    return [
        f"  {name:<{names}}  "
        + "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        for name, cells in rows.items()
    ]
