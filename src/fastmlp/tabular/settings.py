"""What to train and how, for one table or many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.threads import MAX_THREADS
from fastmlp.base.validation import shown
from fastmlp.tabular.models import Model, find_model
from fastmlp.tabular.presets import AUTO, PRESETS

MOST_MEMBERS = 1000


# Written once here, these are parameters of `Settings` and of the estimators.
@dataclass(kw_only=True, eq=False, repr=False)
class AnySettings:
    """How networks are trained on any table, see `Settings`; not checked."""

    model: str | Model = field(default=AUTO, kw_only=False)
    preset: str = "balanced"
    n_members: int | None = None
    time_budget: float | None = None
    metric: str | None = None
    n_threads: int | None = None
    compute: str | None = None


@dataclass(kw_only=True, eq=False, repr=False)
class ClassSettings:
    """What matters for classes only, see `Settings`; not checked."""

    class_weight: str | Mapping[Any, float] | None = None
    threshold: str | float = AUTO
    calibrate: bool = True


@dataclass(kw_only=True, eq=False)
class Settings(ClassSettings, AnySettings):
    """How networks are trained on a table. None is a default that depends on preset and table.

    Parameters
    ----------
    model : str or Model
        "auto", as the preset has it; a name of `MODELS`; or hyperparameters of one.
    preset : {"fast", "balanced", "best"}
        How much time to spend.
    n_members : int, optional
        Number of networks of each model whose predictions are averaged.
    time_budget : float, optional
        Seconds that a fit may take; it then trains fewer epochs and fewer members.
    metric : str, optional
        A name of `METRICS`, which chooses epochs, weights of models and the threshold. By
        default log loss, or RMSE.
    class_weight : "balanced" or dict, optional
        Factors of the weights of rows, by class; "balanced" gives all classes the same sum.
    threshold : "auto" or float
        Of two classes, the second is predicted where its probability is above this. "auto" is
        chosen on held-out rows if the metric is F1 or balanced accuracy, and is 1/2 otherwise.
    calibrate : bool
        Whether probabilities are calibrated on held-out rows.
    seed : int
    n_threads : int, optional
    compute : {None, "bfloat16"}
    """

    seed: int = 0

    def __post_init__(self) -> None:
        if self.model != AUTO:
            find_model(self.model)
        validation.choice(self.preset, "preset", list(PRESETS))
        if self.n_members is not None:
            validation.integer(self.n_members, "n_members", 1, MOST_MEMBERS)
        if self.time_budget is not None:
            validation.real(self.time_budget, "time_budget", 0.0, low_open=True)
        if self.n_threads is not None:
            validation.integer(self.n_threads, "n_threads", 1, MAX_THREADS)
        validation.integer(self.seed, "seed", 0, 2**32 - 1)
        validation.flag(self.calibrate, "calibrate")
        if self.compute is not None:
            validation.choice(self.compute, "compute", ["bfloat16"])
        _check_threshold(self.threshold)
        _check_class_weight(self.class_weight)


def _check_threshold(threshold: Any) -> None:
    if isinstance(threshold, str):
        if threshold != AUTO:
            raise ArgumentError(f"threshold: got {shown(threshold)}; want 'auto' or a number")
        return
    validation.real(threshold, "threshold", 0.0, 1.0)


def _check_class_weight(weights: Any) -> None:
    wanted = 'None, "balanced" or a dict of positive numbers by class'
    if weights is None or (isinstance(weights, str) and weights == "balanced"):
        return
    if not isinstance(weights, Mapping):
        error = ArgumentError if isinstance(weights, str) else ArgumentTypeError
        raise error(f"class_weight: got {shown(weights)}; want {wanted}")
    for value in weights.values():
        validation.real(value, "class_weight", 0.0)
