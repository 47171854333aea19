"""The presets: which models a table is trained with, how many members, and how long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fastmlp.tabular.models import MLP, Model, RealMLP, TabM, find_model

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


_TABM = TabM(members=16, hidden=(256, 256), epochs=100)
# Chosen by folds of training rows, see docs/tabular.md.
PRESETS: dict[str, Plan] = {
    "fast": Plan((MLP(),), members=1, folds=6),
    "balanced": Plan((MLP(), RealMLP(epochs=64)), members=2, folds=6),
    "best": Plan((MLP(), RealMLP(epochs=128), _TABM), members=8, folds=8),
}


def models_of(preset: str, model: str | Model) -> tuple[Model, ...]:
    """Return the models of a preset, or the given one.

    Parameters
    ----------
    preset : str
    model : str or Model
        "auto" for those of the preset; or a name of `MODELS`, with the preset's hyperparameters if
        it has such a model; or hyperparameters.
    """
    if isinstance(model, str) and model == AUTO:
        return PRESETS[preset].models
    found = find_model(model)
    if not isinstance(model, str):
        return (found,)
    of_preset = [one for one in PRESETS[preset].models if type(one) is type(found)]
    return tuple(of_preset) or (found,)


def plan_of(settings: Settings, rows: int, classes: int) -> Plan:
    """Choose what is trained on so many rows; 0 classes: a regression.

    The settings' `model`, `n_members` and `compute` overrule the preset.
    """
    chosen = PRESETS[settings.preset]
    models = models_of(settings.preset, settings.model)
    if settings.compute is not None:
        models = tuple(replace(one, compute=settings.compute) for one in models)
    members = chosen.members if settings.n_members is None else settings.n_members
    return Plan(models, members, chosen.folds)
