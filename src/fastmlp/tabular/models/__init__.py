"""The networks that a table can be trained with, one file each."""

from __future__ import annotations

from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import shown
from fastmlp.tabular.models.base import Encoded, Member, Metric, Model
from fastmlp.tabular.models.mlp import MLP
from fastmlp.tabular.models.realmlp import RealMLP
from fastmlp.tabular.models.tabm import TabM

__all__ = ["MLP", "MODELS", "Encoded", "Member", "Metric", "Model", "RealMLP", "TabM", "find_model"]

MODELS: dict[str, type[Model]] = {"mlp": MLP, "realmlp": RealMLP, "tabm": TabM}


def find_model(model: str | Model) -> Model:
    """Return a model as it is; by a name of `MODELS`, with its defaults.

    Examples
    --------
    >>> find_model("mlp") == MLP()
    True
    """
    if isinstance(model, Model):
        return model
    wanted = f"one of {', '.join(MODELS)}, or hyperparameters such as RealMLP(epochs=64)"
    if not isinstance(model, str):
        raise ArgumentTypeError(f"model: got {shown(model)}; want {wanted}")
    if model not in MODELS:
        raise ArgumentError(f"model: got {model!r}; want {wanted}")
    return MODELS[model]()
