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


# A TabM for two cores: on folds of training rows it had less error than larger ones that take
# several times as long; see docs/tabular.md.
_SMALL = TabM(
    members=8, hidden=(128, 128), bins=32, embedding=8, most_embedded=100, lr=4e-3, epochs=60,
    waits=8, compute="bfloat16",
)  # fmt: skip
_LARGE = TabM(members=16, hidden=(256, 256), most_embedded=100, epochs=100, compute="bfloat16")
_REALMLP = RealMLP(epochs=128, compute="bfloat16")
PRESETS: dict[str, Plan] = {
    "fast": Plan((_SMALL,), members=1, folds=6),
    "balanced": Plan(
        (MLP(), replace(_REALMLP, epochs=64), replace(_SMALL, epochs=100, waits=12)),
        members=2,
        folds=6,
    ),
    "best": Plan((MLP(), _REALMLP, _LARGE), members=6, folds=6),
}
# Above so many rows, "fast" trains a plain MLP, and the others a small TabM, for fewer epochs.
MANY_ROWS = {"fast": 20_000, "balanced": 50_000, "best": 50_000}


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
    if settings.model == AUTO:
        models = tuple(_for_rows(one, settings.preset, rows) for one in models)
    if settings.compute is not None:
        models = tuple(replace(one, compute=settings.compute) for one in models)
    members = chosen.members if settings.n_members is None else settings.n_members
    return Plan(models, members, chosen.folds)


def _for_rows(model: Model, preset: str, rows: int) -> Model:
    """Return the model that a preset trains on so many rows in place of one of its models."""
    many = MANY_ROWS[preset]
    if rows <= many or not isinstance(model, (TabM, RealMLP)):
        return model
    if preset == "fast":
        return MLP()
    epochs = max(1, round(model.epochs * many / rows))
    return replace(_SMALL if isinstance(model, TabM) else model, epochs=epochs)
