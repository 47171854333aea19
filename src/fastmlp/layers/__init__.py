"""The layers: one module for each layer or family, and the initializers of their weights."""

from __future__ import annotations

from collections.abc import Mapping

from fastmlp.layers import activations, initializers, products
from fastmlp.layers.activations import *  # noqa: F403  (the activations are listed there alone)
from fastmlp.layers.activations import ACTIVATIONS as ACTIVATIONS
from fastmlp.layers.base import Layer
from fastmlp.layers.custom import Custom
from fastmlp.layers.dropout import Dropout
from fastmlp.layers.embedding import Embedding
from fastmlp.layers.gather_columns import GatherColumns
from fastmlp.layers.inputs import Input, Parameter
from fastmlp.layers.joins import Add, Concat, Copy, Maximum, Multiply
from fastmlp.layers.linear import Linear
from fastmlp.layers.maxout import Maxout
from fastmlp.layers.norm import BatchNorm, LayerNorm
from fastmlp.layers.parametric_activation import ParametricActivation
from fastmlp.layers.products import MatMul, Square, Sum
from fastmlp.layers.scale import Scale
from fastmlp.layers.softmax import Softmax
from fastmlp.layers.symbol import Symbol

_ALONE = (Linear, Softmax, Dropout, Maxout, LayerNorm, BatchNorm, Scale, Embedding, GatherColumns,
          ParametricActivation)  # fmt: skip
_IN_GRAPHS = (products.Parameter, Add, Multiply, Maximum, Concat, Copy, MatMul, Square, Sum)

# By the name that a description and a model file use.
LAYERS: Mapping[str, type[Layer]] = {
    **ACTIVATIONS,
    **{kind.__name__: kind for kind in (*_ALONE, *_IN_GRAPHS)},
}

# What `fastmlp` exports too.
__all__ = [
    "Add",
    "BatchNorm",
    "Concat",
    "Copy",
    "Custom",
    "Dropout",
    "Embedding",
    "GatherColumns",
    "Input",
    "Layer",
    "LayerNorm",
    "Linear",
    "MatMul",
    "Maximum",
    "Maxout",
    "Multiply",
    "Parameter",
    "ParametricActivation",
    "Scale",
    "Softmax",
    "Square",
    "Sum",
    "Symbol",
    "initializers",
]
__all__ += activations.__all__
