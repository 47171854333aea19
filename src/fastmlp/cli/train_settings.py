"""The options of `fastmlp train`, as parsed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fastmlp.tabular.models.old_mlp import MLP
from fastmlp.tabular.reading import ReadOptions, stem
from fastmlp.tabular.training import fold_checkpoint


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to train on, how, and which files to write."""

    data: tuple[str, ...]
    is_file: bool
    model: MLP
    target: str | None = None
    task: Literal["classification", "regression"] | None = None
    cv: int | None = None
    seed: int = 0
    threads: int | None = None
    progress: bool = True
    output: Path | None = None
    checkpoint: Path | None = None
    reading: ReadOptions = field(default_factory=ReadOptions)

    @classmethod
    def from_options(cls, options: dict[str, Any], is_file: bool) -> Settings:
        """Sort the options of the command into those of the model and the others."""
        fields = MLP.__dataclass_fields__
        model = MLP(**{name: value for name, value in options.items() if name in fields})
        others = {name: value for name, value in options.items() if name not in fields}
        return cls(**others, is_file=is_file, model=model)

    @property
    def name(self) -> str:
        """The data's name."""
        return stem(Path(self.data[0])) if self.is_file else self.data[0]

    @property
    def model_path(self) -> Path:
        """The model file to write."""
        return self.output or Path(f"{self.name}.safetensors")

    @property
    def picture_path(self) -> Path:
        """The picture to write."""
        return self.model_path.with_suffix(".png")

    @property
    def checkpoints(self) -> dict[str, Path]:
        """The checkpoint files that may be written, by what they are."""
        if self.checkpoint is None:
            return {}
        folds = range(1, (self.cv or 0) + 1)
        found = {
            f"the checkpoint of fold {fold}": fold_checkpoint(self.checkpoint, fold)
            for fold in folds
        }
        return {**found, "the checkpoint": self.checkpoint}
