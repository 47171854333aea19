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

    With ``groups=G``, the columns of the input are G groups, and each has a product of its own:
    columns ``g * in // G`` and following of ``x`` by the same rows of ``W`` give columns ``g * out
    // G`` and following of ``y``. So G networks, or embeddings of G columns, run side by side.

    With ``fold=k``, each row is read as k rows of ``in_features`` columns, without a copy: ``(N,
    k * in) -> (N, k * out)``. All of them have the same ``W`` and ``b``, whose gradients sum over
    the k N rows.

    Parameters
    ----------
    in_features, out_features : int
        Widths of input and output, at least 1; with a fold, of each of the k rows.
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
    groups : int, default 1
        Number of products side by side; must divide ``in_features`` and ``out_features``.
        Initializers get the numbers of inputs and outputs of one group.
    fold : int, default 1
        Number of rows that each row is read as; only without groups.

    Attributes
    ----------
    W, dW : ndarray, shape (in_features, out_features // groups)
        Weights and their gradient, as views: writing into ``W`` takes effect at the next call.
        The blocks of the groups, ``(in_features // groups, out_features // groups)``, lie one below
        the other.
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

    Two groups of one input and one output, and one weight for two rows:

    >>> pair = fm.Linear(2, 2, groups=2)
    >>> pair.W = [[1.0], [10.0]]
    >>> pair.forward([[3.0, 4.0]]).tolist()
    [[3.0, 40.0]]
    >>> shared = fm.Linear(1, 1, fold=2)
    >>> shared.W = [[10.0]]
    >>> shared.forward([[3.0, 4.0]]).tolist()
    [[30.0, 40.0]]
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
        *,
        groups: int = 1,
        fold: int = 1,
    ) -> None:
        super().__init__(dtype, seed)
        self.in_features = validation.size(in_features, "in_features")
        self.out_features = validation.size(out_features, "out_features")
        self.groups = _dividing(groups, in_features, out_features)
        self.fold = validation.size(fold, "fold")
        if self.groups > 1 and self.fold > 1:
            raise ArgumentError(f"fold: got {fold} with groups={groups}; want one of them to be 1")
        self.bias = validation.flag(bias, "bias")
        self.init = resolve(init, "init")
        self.bias_init = resolve(bias_init, "bias_init")

    W = ParameterView("Weights, shape (in_features, out_features // groups).")
    b = ParameterView(
        "Bias, shape (out_features,); None without one.",
        missing="this layer has no bias; make it with bias=True",
    )
    dW = ParameterView("Gradient of the loss with respect to ``W``.", fixed=True)
    db = ParameterView("Gradient with respect to ``b``; None without one.", fixed=True)

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        bias = {"b": (self.out_features,)} if self.bias else {}
        return {"W": (self.in_features, self.out_features // self.groups), **bias}

    def widths_alone(self) -> tuple[int, ...]:
        return (self.fold * self.in_features,)

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        fan_in, fan_out = self.fold * self.in_features, self.fold * self.out_features
        if self.groups > 1:
            sizes: tuple[int, ...] = (self.groups,)
            return Node("grouped_linear", sources, fan_in, fan_out, sizes=sizes, bias=self.bias)
        sizes = (self.fold,) if self.fold > 1 else ()
        return Node("linear", sources, fan_in, fan_out, sizes=sizes, bias=self.bias)

    def width_after(self, *widths: int) -> int:
        if widths[0] != self.fold * self.in_features:
            folded = f" with fold={self.fold}" if self.fold > 1 else ""
            wanted = f"{widths[0]} / {self.fold}" if self.fold > 1 else str(widths[0])
            raise ArgumentError(f"in_features: got {self.in_features}{folded}; want {wanted}")
        return self.fold * self.out_features

    def initialise(self, views: Mapping[str, Array], seed: int, index: int, init: str) -> None:
        fans = (self.in_features // self.groups, self.out_features // self.groups)
        chosen = self.init or FAMILIES[init]
        views["W"][...] = chosen.sample(self.shapes()["W"], fans, seed, _STREAMS * index)
        if "b" in views:
            chosen = self.bias_init or Zeros()
            shape = self.shapes()["b"]
            views["b"][...] = chosen.sample(shape, fans, seed, _STREAMS * index + 1)

    def describe(self) -> dict[str, Any]:
        # Plain layers are described as before there were groups and folds.
        described = super().describe()
        return {k: v for k, v in described.items() if k not in ("groups", "fold") or v != 1}


def _dividing(groups: Any, in_features: int, out_features: int) -> int:
    checked = validation.size(groups, "groups")
    if in_features % checked or out_features % checked:
        wanted = f"a divisor of in_features={in_features} and out_features={out_features}"
        raise ArgumentError(f"groups: got {groups}; want {wanted}")
    return checked
