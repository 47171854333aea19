"""The linear layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.node import Node
from fastmlp.base.validation import Array
from fastmlp.layers.initializers import FAMILIES, Initializer, Zeros, resolve
from fastmlp.layers.parametric import ParameterView, ParametricLayer

# Random streams of a node: weights, bias, dropout mask, one spare.
_STREAMS = 4


class Linear(ParametricLayer):
    """Linear (affine) function of the input: ``y = x @ W + b``.

    Local gradients: ``dx = dy @ W.T``, ``dW = x.T @ dy``, ``db = dy.sum(axis=0)``.

    Parameters
    ----------
    in_features, out_features : int
        Widths of input and output, at least 1.
    bias : bool
        Whether to add ``b``.
    init, bias_init : initializer or str, optional
        Initial values of ``W`` and ``b``. The default of ``W`` suits the activation that follows:
        He normal for the ReLU family, LeCun normal for SELU, else Xavier uniform. The default of
        ``b`` is zeros.
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone (a network has its own); float32 by default.
    seed : int, optional
        Used while the layer is alone; drawn from the system's entropy by default.

    Attributes
    ----------
    W, dW : ndarray, shape (in_features, out_features)
        Weights and their gradient, as views: writing into ``W`` takes effect at the next call.
    b, db : ndarray, shape (out_features,), or None
        Bias and its gradient.

    Examples
    --------
    >>> import fastmlp as fm
    >>> lin = fm.Linear(2, 1)
    >>> lin.W = [[1.0], [2.0]]
    >>> lin.forward([[3.0, 4.0]]).tolist()
    [[11.0]]
    >>> lin.backward([[1.0]]).tolist()
    [[1.0, 2.0]]
    >>> lin.dW.tolist()
    [[3.0], [4.0]]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        init: Initializer | str | None = None,
        bias_init: Initializer | str | None = None,
        dtype: Any = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(dtype, seed)
        self.in_features = validation.size(in_features, "in_features")
        self.out_features = validation.size(out_features, "out_features")
        self.bias = validation.flag(bias, "bias")
        self.init = resolve(init, "init")
        self.bias_init = resolve(bias_init, "bias_init")

    W = ParameterView("Weights, shape (in_features, out_features).")
    b = ParameterView(
        "Bias, shape (out_features,); None without one.",
        missing="this layer has no bias; make it with bias=True",
    )
    dW = ParameterView("Gradient of the loss with respect to ``W``.", fixed=True)
    db = ParameterView("Gradient with respect to ``b``; None without one.", fixed=True)

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        bias = {"b": (self.out_features,)} if self.bias else {}
        return {"W": (self.in_features, self.out_features), **bias}

    def widths_alone(self) -> tuple[int, ...]:
        return (self.in_features,)

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        return Node("linear", sources, self.in_features, self.out_features, bias=self.bias)

    def width_after(self, *widths: int) -> int:
        if widths[0] != self.in_features:
            raise ArgumentError(f"in_features: got {self.in_features}; want {widths[0]}")
        return self.out_features

    def initialise(self, views: Mapping[str, Array], seed: int, index: int, init: str) -> None:
        fans = (self.in_features, self.out_features)
        chosen = self.init or FAMILIES[init]
        views["W"][...] = chosen.sample(fans, fans, seed, _STREAMS * index)
        if "b" in views:
            chosen = self.bias_init or Zeros()
            views["b"][...] = chosen.sample(fans[1:], fans, seed, _STREAMS * index + 1)
