"""What encoders learn from a column, gathered piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.tabular.columns.cells import Cells
from fastmlp.tabular.columns.chosen import Chosen
from fastmlp.tabular.columns.decision import Hints
from fastmlp.tabular.columns.evidence import (
    FEWEST_SHARE,
    MOST_WORDS,
    PARSED_SHARE,
    listed,
    shown_texts,
    weight,
)
from fastmlp.tabular.columns.levels import NO_LEVEL, level_name
from fastmlp.tabular.columns.read import cells_of_levels, read_column, read_part
from fastmlp.tabular.columns.rule import ColumnRule
from fastmlp.tabular.columns.words import counted, spellings
from fastmlp.tabular.encoding import Encoder
from fastmlp.tabular.encoding.dates import DATE_PARTS
from fastmlp.tabular.encoding.levels import LevelColumn
from fastmlp.tabular.encoding.numbers import STANDARD_CLIP, MissingColumn, NumberColumn
from fastmlp.tabular.encoding.scaling import Affine
from fastmlp.tabular.encoding.texts import TextColumn
from fastmlp.tabular.reading import TableError
from fastmlp.tabular.streaming.sketch import Sketch

MOST_LEVELS = 1 << 20  # further ones count as levels that training has not seen


@dataclass
class Odd:
    """Values that are not of the kind of their column: how many, some of them, the first file."""

    count: int = 0
    words: tuple[str, ...] = ()
    where: str = ""

    def add(self, cells: Cells, odd: Array, where: str) -> None:
        """Count cells of a piece, by a mask."""
        if not odd.any():
            return
        words = shown_texts(cells, odd, MOST_WORDS + 1)
        self.count += weight(cells, odd)
        self.words = tuple(dict.fromkeys([*self.words, *words]))[: MOST_WORDS + 1]
        self.where = self.where or where

    def are_too_many(self, good: int) -> bool:
        """Tell whether a column with so many good values would not be of that kind."""
        few = len(self.words) <= MOST_WORDS and good >= FEWEST_SHARE * (good + self.count)
        return not few and good < PARSED_SHARE * (good + self.count)

    @property
    def example(self) -> str:
        return listed(list(self.words[:1]))


class ColumnStatistics:
    """The training rows of a column."""

    def __init__(self, rule: ColumnRule, most: int) -> None:
        self.rule = rule
        self.rows = self.missing = self._good = 0
        self.odd = Odd()
        self._sketch = Sketch(most)
        self._counts: dict[str, int] = {}
        self._has_text = False

    def add(self, column: Chosen, chosen: Array, hints: Hints, where: str) -> None:
        """Take the chosen rows, a mask, of a piece of the column."""
        self.rows += int(np.count_nonzero(chosen))
        if self.rule.kind == "categorical":
            self._add_levels(column, chosen, hints)
        elif self.rule.kind == "text":
            if not self._has_text:
                texts = read_column(self.rule, column, hints)[0].texts
                assert texts is not None
                self._has_text = bool(any(texts[chosen]))
        else:
            self._add_numbers(column, chosen, hints, where)

    def _add_numbers(self, column: Chosen, chosen: Array, hints: Hints, where: str) -> None:
        read, cells, odd = read_part(self.rule, column, hints)
        assert read.values is not None
        values = read.values[chosen]
        present = values[~np.isnan(values)]
        self.missing += len(values) - len(present)
        self._sketch.add(present)
        self._good += int(np.count_nonzero(~np.isnan(read.values)))
        self.odd.add(cells, odd, where)

    def _add_levels(self, column: Chosen, chosen: Array, hints: Hints) -> None:
        cells = cells_of_levels(column)
        assert cells.codes is not None
        codes = cells.codes[chosen]
        counts = np.bincount(codes[codes >= 0], minlength=len(cells.values))
        left = {*NO_LEVEL, *self.rule.missing, *hints.missing}
        there = 0
        for text, count in zip(cells.values.to_pylist(), counts.tolist(), strict=True):
            if text is None or text in left or count == 0:
                continue
            there += count
            name = level_name(text)
            if name in self._counts or len(self._counts) < MOST_LEVELS:
                self._counts[name] = self._counts.get(name, 0) + count
        self.missing += len(codes) - there

    def check(self) -> None:
        """Refuse a column that is not what its sample was.

        Raises
        ------
        TableError
            More of its values are odd than a column read as a whole may have.
        """
        if not self.odd.are_too_many(self._good):
            return
        kind = "numbers" if self.rule.kind == "numeric" else "dates"
        name = self.rule.name
        raise TableError(
            f"column {name!r} holds {kind} in a sample of the rows, but {self.odd.count:,} other "
            f"values in all, such as {self.odd.example} in {self.odd.where}: give its kind, such "
            f"as `categorical` {name}, or `drop` it"
        )

    def note(self) -> str:
        """Say what was not understood, or nothing."""
        if not self.odd.count:
            return ""
        kind = "numeric" if self.rule.kind == "numeric" else "dates"
        return (
            f"column {self.rule.name!r}: {self.odd.count:,} values (such as {self.odd.example}) "
            f"not {kind}: taken as missing"
        )

    def sketch_note(self) -> str:
        """Say how exact the quantiles are, or nothing."""
        if self._sketch.is_exact:
            return ""
        return f"{self.rule.name} ({100 * self._sketch.rank_error:.2g} %)"

    def final_rule(self) -> ColumnRule:
        """Return the rule, with all levels, the most frequent one first."""
        if self.rule.kind != "categorical":
            return self.rule
        counts = self._counts
        levels = sorted(counts, key=lambda name: (-counts[name], name))
        if tuple(levels) == self.rule.levels or not levels:
            return self.rule
        _, _, why = self.rule.reason.partition("; ")
        warning = spellings(levels) or self.rule.warning
        return replace(self.rule, levels=tuple(levels), reason=f"{counted(levels)}; {why}",
                       warning=warning)  # fmt: skip

    def parts(self, encoder: Encoder) -> list[Any]:
        """Return what becomes of the column, as `Encoder.fit` does for whole columns."""
        options = encoder.level_options
        if self.rule.kind == "categorical":
            levels = self.final_rule().levels
            counts = np.array([self._counts.get(name, 0) for name in levels], np.int64)
            found: Sequence[Any] = [
                LevelColumn.of_counts(self.rule.name, counts, self.missing, self.rows, **options)
            ]
        elif self.rule.kind == "text":
            found = [TextColumn(self.rule.name)] if self._has_text else []
        else:
            parts = DATE_PARTS if self.rule.kind == "date" else ("",)
            values = self._sketch.values()
            found = [self._number(part, values, encoder) for part in parts]
            missing = MissingColumn.of_counts(
                self.rule.name, self.missing, self.rows, bool(options["scaled"])
            )
            found = [*found, missing]
        return [one for one in found if one is not None]

    def _number(self, part: str, values: Array, encoder: Encoder) -> NumberColumn | None:
        found = NumberColumn.fit(self.rule.name, part, values, encoder.number_form)
        if found is None or self._sketch.is_exact or part not in ("", "days"):
            return found
        if encoder.number_form != "standard":
            return found
        # Mean and deviation are known exactly; those of quantiles miss the farthest values.
        scaling = Affine.of_moments(self._sketch.mean, self._sketch.deviation, STANDARD_CLIP)
        return replace(found, scaling=scaling)
