"""Rows of a table as inputs and targets of a network, scaled by the training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from fastmlp.base.validation import Array
from fastmlp.tabular.description import TargetScaling
from fastmlp.tabular.encoder import Encoder
from fastmlp.tabular.table import Table


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
    def fit(cls, table: Table, rows: Array, encoder: Encoder | None = None) -> Preparation:
        """Fit `encoder`, or the usual one, to rows of a table."""
        encoder = encoder or Encoder(maximum=table.maximum, options=table.options)
        target = None if table.classes else TargetScaling.fit(table.y[rows])
        return cls(table, encoder.fit(table.frame.take(rows)), target)

    def parts(self, first: Array, second: Array, dtype: DTypeLike) -> tuple[Part, Part]:
        """Encode two sets of rows."""
        return self.part(first, dtype), self.part(second, dtype)

    def part(self, rows: Array, dtype: DTypeLike) -> Part:
        """Encode rows of the table."""
        x = self.encoder.transform(self.table.frame.take(rows))
        y = self.table.y[rows]
        if self.target is not None:
            y = self.target.apply(y[:, None]).astype(dtype)
        return Part(np.ascontiguousarray(x, dtype=dtype), y)

    def notes(self) -> list[str]:
        """List the values that count as missing or unknown, by column, and the unused columns."""
        reader = self.encoder.reader
        lines = [*reader.warnings, *self.encoder.notes(self.table.frame)]
        left_out = reader.left_out_line()
        return [*lines, f"columns left out: {left_out}"] if left_out else lines
