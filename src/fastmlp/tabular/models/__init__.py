"""The networks that a table can be trained with, one file each."""

from __future__ import annotations

from fastmlp.base.errors import ArgumentError
from fastmlp.tabular.models.base import Model, Plan
from fastmlp.tabular.models.mlp import MLP

__all__ = ["MLP", "MODELS", "Model", "Plan", "find_model"]

MODELS: dict[str, type[Model]] = {"mlp": MLP}


def find_model(model: str | Model) -> Model:
    """Return a model as it is; by a name of `MODELS`, with its defaults.

    Examples
    --------
    >>> find_model("mlp") == MLP()
    True
    """
    if not isinstance(model, str):
        return model
    if model not in MODELS:
        raise ArgumentError(f"model: got {model!r}; want one of {', '.join(MODELS)}")
    return MODELS[model]()
