"""Make layers from their descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
