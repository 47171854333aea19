"""Make layers from their descriptions, and descriptions for other uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.layers import LAYERS, Custom, Layer
from fastmlp.layers.parametric import ParametricLayer


def layer_from(description: Any) -> Layer:
    """Make a layer from its description; raise ArgumentError if that is invalid."""
    if isinstance(description, Custom):
        return description
    arguments = dict(description) if isinstance(description, Mapping) else {}
    name = arguments.pop("type", None)
    if not isinstance(name, str) or name not in LAYERS:
        raise ArgumentError(f"layer: got type {name!r}; want one of {', '.join(LAYERS)}")
    if {"dtype", "seed"} & arguments.keys():
        raise ArgumentError(f"layer: got a dtype or seed for {name}; want those of its network")
    trainable = arguments.pop("trainable", True)
    try:
        layer: Layer = LAYERS[name](**arguments)
    except TypeError as error:
        raise ArgumentError(f"layer: got {arguments} for {name}: {error}") from error
    layer.trainable = trainable
    return layer


def uninitialised_layer(description: Any) -> Layer:
    """Make a layer from its description; its parameters will be set, not initialised."""
    layer = layer_from(description)
    if isinstance(layer, ParametricLayer):
        layer.skip_initialisation()
    return layer


def retyped(description: dict[str, Any], dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the description of the network in another dtype; float64 has no bfloat16 products."""
    changed = description | {"dtype": dtype.name}
    return changed if dtype == np.float32 else {k: v for k, v in changed.items() if k != "compute"}


def architecture_of(layer: Layer) -> dict[str, Any]:
    """Return a layer's description without ``trainable``, which training may change."""
    return {name: value for name, value in layer.describe().items() if name != "trainable"}


def copy_of(layer: Layer) -> Any:
    """Return a layer's description; of a node written by the user, a copy."""
    if not isinstance(layer, Custom):
        return layer.describe()
    import copy

    return copy.deepcopy(layer)


def own_form(layer: Layer) -> Any:
    """Return a layer's description; of a node written by the user, the node."""
    return layer if isinstance(layer, Custom) else layer.describe()


def init_for(following: tuple[Layer, ...]) -> str:
    """Return the registry's name of the initializer for weights before these layers."""
    words = (layer.init_before for layer in following)
    return next((word for word in words if word is not None), "xavier")


def restored(kind: Any, description: Mapping[str, Any], numbers: Mapping[str, Any]) -> Any:
    """Make a network of a class, with the parameters, gradients and state that are given."""
    net = kind.uninitialised(description)
    for name in ("params", "grads", "state"):
        getattr(net, name)[...] = numbers[name]
    net.step_count = numbers["step_count"]
    return net
