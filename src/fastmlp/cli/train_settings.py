"""What `fastmlp train` is asked to do, as parsed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from fastmlp.cli.train_options import HYPERPARAMETERS
from fastmlp.tabular.presets import models_of
from fastmlp.tabular.reading import ReadOptions, stem
from fastmlp.tabular.training import fold_checkpoint

TRAINING = ("preset", "n_members", "time_budget", "metric", "class_weight", "threshold", "seed",
            "compute")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """What to train on, how, and which files to write.

    Attributes
    ----------
    training : dict
        Arguments of `fastmlp.tabular.train`.
    """

    data: tuple[str, ...]
    is_file: bool
    reading: ReadOptions
    training: dict[str, Any]
    target: str | None = None
    task: Any = None
    test: str | None = None
    cv: int | None = None
    threads: int | None = None
    memory: str | None = None
    progress: bool = True
    verbose: bool = False
    json: bool = False
    force: bool = False
    output: Path | None = None
    report: Path | None = None
    picture: Path | None = None
    checkpoint: Path | None = None

    @classmethod
    def from_options(cls, options: dict[str, Any], is_file: bool) -> TrainSettings:
        """Sort the options of the command."""
        given = {name: options.pop(name, None) for name in HYPERPARAMETERS}
        training = {name: options.pop(name) for name in TRAINING}
        name, preset = options.pop("model"), training["preset"]
        training["model"] = _model(name, preset, {k: v for k, v in given.items() if v is not None})
        return cls(training=training, is_file=is_file, **options)

    @property
    def name(self) -> str:
        """The data's name."""
        return stem(Path(self.data[0])) if self.is_file else self.data[0]

    @property
    def model_path(self) -> Path:
        """The model file to write."""
        return self.output or Path(f"{self.name}.safetensors")

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


def _model(name: str, preset: str, given: dict[str, Any]) -> Any:
    """Return the name of a model, or one with the hyperparameters that were given."""
    if not given:
        return name
    models = models_of(preset, name)
    option = f"--{next(iter(given)).replace('_', '-')}"
    if len(models) > 1:
        raise click.UsageError(f"{option} needs --model, as {preset} trains several kinds.")
    for field in given:
        if field not in type(models[0]).__dataclass_fields__:
            option = f"--{field.replace('_', '-')}"
            kind = type(models[0]).__name__
            raise click.UsageError(f"{option} is no option of the model {kind}.")
    rounded = None if given.get("dtype") == "float64" else models[0].compute
    return replace(models[0], **{"compute": rounded, **given})
