"""The target of a table that is read in pieces."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.tabular.columns import typed
from fastmlp.tabular.columns.cells import Cells
from fastmlp.tabular.columns.chosen import Chosen
from fastmlp.tabular.columns.decision import Hints
from fastmlp.tabular.columns.evidence import unread
from fastmlp.tabular.columns.numbers import NumberStyle, read_numbers
from fastmlp.tabular.columns.quantities import number_or_nan
from fastmlp.tabular.columns.styles import find_style
from fastmlp.tabular.labels import Labels, Target
from fastmlp.tabular.reading import Frame, TableError
from fastmlp.tabular.streaming.sketch import Sketch
from fastmlp.tabular.streaming.statistics import Odd
from fastmlp.tabular.target import (
    MOST_NUMBERED_CLASSES,
    Task,
    class_names,
    codes_of_texts,
    read_known,
    read_target,
)

MOST_CLASSES = 10_000
MOST_EXACT = 1 << 20  # numbers that are kept to learn their scale


class TargetReader:
    """Reads a column as the target; a sample of the rows tells how.

    Attributes
    ----------
    name : str
    is_class : bool
    sample_rows, sample_y : ndarray
        The rows of the sample that have a target, and the target of these.
    sample_classes : list of str
    notes : tuple of str
    """

    def __init__(self, sample: Frame, name: str, task: Task | None, hints: Hints) -> None:
        found = read_target(sample, name, task, hints)
        self.name, self._task, self._hints = name, task, hints
        self.is_class = bool(found.classes)
        self.sample_rows = np.flatnonzero(found.present)
        self.sample_y, self.sample_classes = found.y[found.present], found.classes
        self.notes = found.notes
        self.target: Target | None = None
        self._style = NumberStyle()
        if not self.is_class and self._is_text(sample):
            styled = find_style(self._cells(sample), hints)
            assert styled is not None
            self._style = styled.style
        self._labels: Counter[str] = Counter()
        self.numbers = Sketch(MOST_EXACT)
        self.counts = np.zeros(0, np.int64)
        self._odd, self._good = Odd(), 0

    def add(self, frame: Frame, chosen: Array, where: str) -> Array:
        """Take a piece of the rows, of which some are trained on; return which have a target."""
        if not self.is_class:
            y = self._read_numbers(frame, where)
            present: Array = ~np.isnan(y)
            self._good += int(np.count_nonzero(present))
            self.numbers.add(y[present & chosen])
            return present
        cells = self._cells(frame)
        texts = cells.values.to_pylist()
        valid = np.array([text is not None for text in texts], dtype=bool)
        for text, count in zip(texts, cells.counts.tolist(), strict=True):
            if text is not None:
                self._labels[text] += count
        self._check_count()
        return np.asarray(cells.spread(valid, False))

    def _check_count(self) -> None:
        different = len(self._labels)
        if self._task is None and different > MOST_NUMBERED_CLASSES and self._are_numbers():
            raise TableError(
                f"target {self.name!r} has {len(self.sample_classes)} different whole numbers in a "
                f"sample of the rows, but more in all: tell by `task` whether they are classes"
            )
        if different > MOST_CLASSES:
            raise TableError(f"target {self.name!r} has more than {MOST_CLASSES:,} classes")

    def _are_numbers(self) -> bool:
        return not any(np.isnan(number_or_nan(label)) for label in self.sample_classes)

    def finish(self) -> Target:
        """Return the target, after all pieces."""
        if self.is_class:
            labels = class_names(self.name, dict(self._labels), sum(self._labels.values()))
            self.target = Target(self.name, Labels.of(labels))
            codes = codes_of_texts(list(self._labels), labels)
            self.counts = np.zeros(len(labels), np.int64)
            np.add.at(self.counts, codes, list(self._labels.values()))
            return self.target
        if self.numbers.count == 0:
            raise TableError(f"target {self.name!r} has no values")
        if self._odd.are_too_many(self._good):
            raise TableError(
                f"target {self.name!r} holds numbers in a sample of the rows, but "
                f"{self._odd.count:,} other values in all, such as {self._odd.example} in "
                f"{self._odd.where}"
            )
        self.target = Target(self.name, Labels.of([]))
        return self.target

    def read(self, frame: Frame) -> Array:
        """Return class indices, -1 where missing, or numbers, NaN where missing."""
        if not self.is_class:
            return self._read_numbers(frame, None)
        assert self.target is not None
        return read_known(frame, self.name, self.target.labels.names, self._hints).y

    def _is_text(self, frame: Frame) -> bool:
        return typed.class_of(typed.storage(frame.column(self.name))) != "numbers"

    def _cells(self, frame: Frame) -> Cells:
        array = typed.storage(frame.column(self.name))
        text = str(array.type) == "string"
        cells = Chosen(array).cells() if text else typed.cells_of_typed(array)
        return cells.without([one.lower() for one in self._hints.missing])

    def _read_numbers(self, frame: Frame, where: str | None) -> Array:
        """Read numbers; odd values are counted if it is told where they are."""
        array: Any = typed.storage(frame.column(self.name))
        if typed.class_of(array) == "nothing":
            return np.full(len(frame), np.nan)
        if typed.class_of(array) == "numbers":
            values = typed.numbers_of(array)
            for text in self._hints.missing:
                values = np.where(values == number_or_nan(text), np.nan, values)
            return values
        cells = self._cells(frame)
        found = read_numbers(cells.values, self._style)
        if where is not None:
            self._odd.add(cells, unread(cells, found), where)
        return cells.spread(found, np.nan)
