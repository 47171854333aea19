"""The presets: which models a table is trained with, how many members, and how long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fastmlp.tabular.models import Model, RealMLP, TabM, find_model

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
    visits : int
        Rows that a member is trained on, over all epochs: with many rows there are fewer epochs.
    prior_rows : int
        Held-out rows by which chosen weights of models count as much as equal weights.
    """

    models: tuple[Model, ...]
    members: int
    folds: int
    visits: int
    prior_rows: int = 300


# Both networks embed numbers piecewise linearly and go through a schedule of rates, after which
# they are better than after several times as many epochs at a constant rate. On folds of training
# rows one is better for most regressions, the other for many columns or classes, and their mean is
# hardly ever worse than the better one; see docs/tabular.md.
_TABM = TabM(
    members=1, hidden=(128, 128), bins=16, embedding=8, most_embedded=100, lr=8e-3, epochs=48,
    annealed=True, compute="bfloat16",
)  # fmt: skip
_REALMLP = RealMLP(
    hidden=(128, 128, 128), bins=16, most_embedded=100, epochs=48, compute="bfloat16"
)
PRESETS: dict[str, Plan] = {
    "fast": Plan(
        (replace(_TABM, epochs=36), replace(_REALMLP, epochs=36)),
        members=1,
        folds=6,
        visits=120_000,
    ),
    "balanced": Plan(
        (replace(_TABM, bins=32), replace(_REALMLP, bins=32)), members=4, folds=6, visits=300_000
    ),
    "best": Plan(
        (
            replace(_TABM, members=2, hidden=(256, 256), bins=48, lr=6e-3),
            replace(_REALMLP, hidden=(256, 256, 256), bins=32, epochs=64),
            RealMLP(epochs=64, compute="bfloat16"),
        ),
        members=8,
        folds=8,
        visits=500_000,
    ),
}
FEWEST_EPOCHS = 8  # of which a schedule of rates makes sense
OF_CLASSES = 4  # times as many rows are worth training on if there are more than two classes


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
    visits = chosen.visits * (OF_CLASSES if classes > 2 else 1)
    if settings.model == AUTO:
        models = tuple(_for_rows(one, rows, visits) for one in models)
    if settings.compute is not None:
        models = tuple(replace(one, compute=settings.compute) for one in models)
    members = chosen.members if settings.n_members is None else settings.n_members
    return replace(chosen, models=models, members=members)


def _for_rows(model: Model, rows: int, visits: int) -> Model:
    """Return a model of a preset with fewer epochs if there are many rows."""
    if not isinstance(model, (TabM, RealMLP)):
        return model
    return replace(model, epochs=min(model.epochs, max(FEWEST_EPOCHS, round(visits / rows))))
