"""Which rows are trained, validated and tested on, and their inputs, as the training rows scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from fastmlp.tabular.encoder import Encoder
from fastmlp.tabular.model_file import TargetScaling
from fastmlp.tabular.table import Array, Table

HOLD_OUT = 0.15  # share of the rows for validation, and again for the test
# Rows: rarer classes are split as if they were one. A share of `HOLD_OUT` has one row of each.
FEWEST_PER_STRATUM = 10


@dataclass(frozen=True)
class Part:
    """Encoded rows, as the network takes them: `x` (n, inputs), `y` (n,) or (n, 1)."""

    x: Array
    y: Array


@dataclass(frozen=True)
class Preparation:
    """The encoder, and the scaling of a regression's target, fitted to some rows of a table."""

    table: Table
    encoder: Encoder
    target: TargetScaling | None

    @classmethod
    def fit(cls, table: Table, rows: Array) -> Preparation:
        encoder = Encoder(maximum=table.maximum).fit(table.frame.iloc[rows])
        target = None if table.classes else TargetScaling.fit(table.y[rows])
        return cls(table, encoder, target)

    def parts(self, first: Array, second: Array, dtype: DTypeLike) -> tuple[Part, Part]:
        """Encode two sets of rows."""
        return self.part(first, dtype), self.part(second, dtype)

    def part(self, rows: Array, dtype: DTypeLike) -> Part:
        """Encode rows of the table."""
        x = self.encoder.transform(self.table.frame.iloc[rows])
        y = self.table.y[rows]
        if self.target is not None:
            y = self.target.apply(y[:, None]).astype(dtype)
        return Part(np.ascontiguousarray(x, dtype=dtype), y)


def hold_out(table: Table, seed: int) -> tuple[Array, Array, Array]:
    """Split the rows 70/15/15 into training, validation and test, classes in equal shares."""
    train, rest = split_off(table, np.arange(len(table.y)), 2 * HOLD_OUT, seed)
    validation, test = split_off(table, rest, 0.5, seed)
    return train, validation, test


def split_off(table: Table, rows: Array, share: float, seed: int) -> tuple[Array, Array]:
    """Split rows in two at random, the second part being `share` of them."""
    strata = _strata(table, rows, FEWEST_PER_STRATUM)
    first, second = train_test_split(rows, test_size=share, stratify=strata, random_state=seed)
    return first, second


def folds(table: Table, count: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """Rows to train and rows to test on, `count` times; each row is tested on once."""
    rows = np.arange(len(table.y))
    strata = _strata(table, rows, count)
    kind = KFold if strata is None else StratifiedKFold
    yield from kind(count, shuffle=True, random_state=seed).split(rows, strata)


def _strata(table: Table, rows: Array, fewest: int) -> Array | None:
    """The classes, those with fewer rows than `fewest` put together."""
    if not table.classes:
        return None
    y = table.y[rows]
    counts = np.bincount(y, minlength=len(table.classes))
    rare = np.flatnonzero(counts < fewest)
    if counts[rare].sum() < fewest:
        # Too few even together: they go with the most frequent class.
        return np.where(np.isin(y, rare), counts.argmax(), y)
    return np.where(np.isin(y, rare), rare[0], y)
