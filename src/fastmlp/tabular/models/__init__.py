"""The networks that a table can be trained with, one file each."""

from __future__ import annotations

from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import shown
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
        methods = (getattr(model, name, None) for name in ("encoder", "plan"))
        if isinstance(model, type) or not all(map(callable, methods)):
            wanted = f"one of {', '.join(MODELS)}, or hyperparameters such as MLP(hidden=(64,))"
            raise ArgumentTypeError(f"model: got {shown(model)}; want {wanted}")
        return model
    if model not in MODELS:
        raise ArgumentError(f"model: got {model!r}; want one of {', '.join(MODELS)}")
    return MODELS[model]()
