"""What a network is made of."""

from __future__ import annotations

from collections.abc import Mapping

from fastmlp.layers.activations import ACTIVATIONS
from fastmlp.layers.base import Layer
from fastmlp.layers.dropout import Dropout
from fastmlp.layers.linear import Linear
from fastmlp.layers.softmax import Softmax

LAYERS: Mapping[str, type[Layer]] = {
    "Linear": Linear,
    **ACTIVATIONS,
    "Softmax": Softmax,
    "Dropout": Dropout,
}

globals().update(ACTIVATIONS)

__all__ = ["ACTIVATIONS", "LAYERS", "Dropout", "Layer", "Linear", "Softmax"]
__all__ += list(ACTIVATIONS)
