"""What `fastmlp train` can be told, and what it does when it is told nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from fastmlp.cli.reading import stem

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


@dataclass(frozen=True, kw_only=True)
class Settings(Hyperparameters):
    """The options of `fastmlp train`, as parsed."""

    data: str
    is_file: bool
    target: str | None = None
    task: Literal["classification", "regression"] | None = None
    cv: int | None = None
    threads: int | None = None
    progress: bool = True
    output: Path | None = None
    checkpoint: Path | None = None

    @property
    def name(self) -> str:
        """The data's name."""
        return stem(Path(self.data)) if self.is_file else self.data

    @property
    def model_path(self) -> Path:
        return self.output or Path(f"{self.name}.safetensors")

    def checkpoint_of(self, fold: int) -> Path | None:
        """Where a fold of a cross-validation is saved: beside the checkpoint of the last fit."""
        path = self.checkpoint
        return None if path is None else path.with_name(f"{path.name}.fold{fold}")

    @property
    def picture_path(self) -> Path:
        return self.model_path.with_suffix(".png")
