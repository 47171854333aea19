"""The presets: which models a table is trained with, how many members, and how long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fastmlp.tabular.models import Model, find_model

if TYPE_CHECKING:
    from fastmlp.tabular.settings import Settings

AUTO = "auto"


@dataclass(frozen=True)
class Plan:
    """What is trained on a table.

    Attributes
    ----------
    models : tuple of Model
    members : int
        Of each model.
    folds : int
        A member is trained on all rows but one of so many folds, which stops its training.
    """

    models: tuple[Model, ...]
    members: int
    folds: int


@dataclass(frozen=True)
class Preset:
    """The models by name, the members of each, and the folds."""

    models: tuple[str, ...]
    members: int
    folds: int


PRESETS: dict[str, Preset] = {
    "fast": Preset(("mlp",), members=1, folds=6),
    "balanced": Preset(("mlp",), members=2, folds=6),
    "best": Preset(("mlp",), members=8, folds=8),
}


def plan_of(settings: Settings, rows: int, classes: int) -> Plan:
    """Choose what is trained on so many rows; 0 classes: a regression.

    The settings' `model`, `n_members` and `compute` overrule the preset.
    """
    chosen = PRESETS[settings.preset]
    names = chosen.models if settings.model == AUTO else (settings.model,)
    models = [find_model(name) for name in names]
    if settings.compute is not None:
        models = [replace(one, compute=settings.compute) for one in models]
    members = chosen.members if settings.n_members is None else settings.n_members
    return Plan(tuple(models), members, chosen.folds)
