"""Hyperparameters of a network, and their defaults by the number of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

# Defaults that depend on the data; docs/tabular.md has what was measured.
DROPOUT = {"classification": 0.3, "regression": 0.1}
# From so many training rows on, an epoch has steps enough for a few epochs at large rates.
ROWS_OF_A_CYCLE = 4000
LARGEST_BATCH = 512


@dataclass(frozen=True)
class Plan:
    """How a network is trained on a certain number of rows.

    Attributes
    ----------
    epochs, batch_size : int
        Most epochs, and rows of a step.
    lr : float
        Learning rate, or the largest one of a cycle.
    one_cycle : bool
        Whether the rate rises and falls, or is constant.
    """

    epochs: int
    batch_size: int
    lr: float
    one_cycle: bool


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """How a network is made and trained; None stands for a default that depends on the data."""

    hidden: tuple[int, ...] = (256, 128)
    activation: str = "relu"
    dropout: float | None = None
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    seed: int = 0
    dtype: str = "float32"

    def plan(self, rows: int) -> Plan:
        """Fill in what suits that many training rows."""
        if rows < ROWS_OF_A_CYCLE:
            usual = Plan(epochs=100, batch_size=32, lr=1e-3, one_cycle=False)
        else:
            # 128, and more for very many rows: the power of two nearest to their root.
            size = 2 ** round(math.log2(rows) / 2)
            batch_size = min(max(size, 128), LARGEST_BATCH)
            usual = Plan(epochs=30, batch_size=batch_size, lr=6e-3, one_cycle=True)
        given = {name: getattr(self, name) for name in ("epochs", "batch_size", "lr")}
        return replace(usual, **{name: value for name, value in given.items() if value is not None})

    def dropped_share(self, task: str) -> float:
        """Return the share of hidden units to drop."""
        return DROPOUT[task] if self.dropout is None else self.dropout
