"""The options of `fastmlp train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fastmlp.tabular.plan import Hyperparameters
from fastmlp.tabular.reading import stem


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
