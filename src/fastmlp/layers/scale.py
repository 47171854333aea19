"""A layer that scales each column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp.base import validation
from fastmlp.base.node import Node
from fastmlp.base.validation import Array
from fastmlp.layers.parametric import ColumnwiseLayer, ParameterView

_NO_SHIFT = "this layer has no shift; make it with bias=True"


class Scale(ColumnwiseLayer):
    """Scale each column, and shift it: ``y = x * gain + shift``.

    Input and output have the same shape, ``(N, features)`` or ``(features,)``. Local gradients:
    ``dx = dy * gain``, ``dgain = sum(dy * x)`` and ``dshift = sum(dy)`` over the rows.

    Parameters
    ----------
    features : int
        Width of the input.
    bias : bool, default True
        Whether there is a ``shift``.
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; float32 by default.

    Examples
    --------
    >>> import fastmlp as fm
    >>> scale = fm.Scale(2)
    >>> scale.gain, scale.shift = [1.0, 10.0], [0.0, 1.0]
    >>> scale.forward([[2.0, 3.0]]).tolist()
    [[2.0, 31.0]]
    """

    init_before = None

    gain = ParameterView("Factors, shape (features,); initially 1.")
    shift = ParameterView("Summands, shape (features,); initially 0.", missing=_NO_SHIFT)
    dgain = ParameterView("Gradient with respect to ``gain``.", fixed=True)
    dshift = ParameterView("Gradient with respect to ``shift``.", fixed=True, missing=_NO_SHIFT)

    def __init__(
        self, features: int, bias: bool = True, dtype: Any = None, seed: int | None = None
    ) -> None:
        super().__init__(features, dtype, seed)
        self.bias = validation.flag(bias, "bias")

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        names = ("gain", "shift") if self.bias else ("gain",)
        return dict.fromkeys(names, (self.features,))

    def initialise(self, views: Mapping[str, Array], seed: int, index: int, init: str) -> None:
        views["gain"][...] = 1.0
        if self.bias:
            views["shift"][...] = 0.0

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        return Node("scale", sources, widths[0], widths[0], bias=self.bias)
