"""Activations with a strength that is learnt, one for each column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.node import Node
from fastmlp.base.validation import Array
from fastmlp.layers.activations import ACTIVATIONS, Activation
from fastmlp.layers.parametric import ColumnwiseLayer, ParameterView


class ParametricActivation(ColumnwiseLayer):
    """An activation ``f`` of learnt strength: ``y = x + alpha * (f(x) - x)``.

    With ``alpha`` 0 the layer is the identity, with 1 it is ``f``. Input and output have the same
    shape, ``(N, features)`` or ``(features,)``. Local gradients: ``dx = dy * (1 + alpha * (f'(x) -
    1))`` and ``dalpha = sum(dy * (f(x) - x))`` over the rows. RealMLP uses it with ``SELU`` and
    ``Mish`` (Holzmüller, Grinsztajn and Steinwart, "Better by default", NeurIPS 2024).

    Parameters
    ----------
    activation : activation layer or str
        ``f``, such as ``fm.Mish()``, or its name.
    features : int
        Width of the input.
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; float32 by default.

    Notes
    -----
    The role of ``alpha`` in parameter groups is "alpha": ``fm.Adam(groups={"alpha": {"lr": 0.1}})``
    gives all of them a tenth of the learning rate.

    Examples
    --------
    >>> import fastmlp as fm
    >>> layer = fm.ParametricActivation(fm.ReLU(), 2)
    >>> layer.alpha = [1.0, 0.5]
    >>> layer.forward([[-2.0, -2.0]]).tolist()
    [[0.0, -1.0]]
    """

    alpha = ParameterView("Strengths, shape (features,); initially 1.")
    dalpha = ParameterView("Gradient with respect to ``alpha``.", fixed=True)

    def __init__(
        self, activation: Activation | str, features: int, dtype: Any = None,
        seed: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(features, dtype, seed)
        self.activation = _resolved(activation)
        self.init_before = self.activation.init_before

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"alpha": (self.features,)}

    def initialise(self, views: Mapping[str, Array], seed: int, index: int, init: str) -> None:
        views["alpha"][...] = 1.0

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        return self.activation.node(sources, widths)._replace(op="parametric_activation")


def _resolved(value: Any) -> Activation:
    """Return an activation, given itself, its name or its description."""
    if isinstance(value, Activation):
        return value
    if isinstance(value, str):
        return ACTIVATIONS[validation.choice(value, "activation", tuple(ACTIVATIONS))]()
    if isinstance(value, Mapping):
        arguments = dict(value)
        kind = validation.choice(arguments.pop("type", None), "activation", tuple(ACTIVATIONS))
        try:
            return ACTIVATIONS[kind](**arguments)
        except TypeError as error:
            raise ArgumentError(
                f"activation: got {validation.shown(value)}; want a dict from describe() ({error})"
            ) from error
    hint = "; write it with parentheses" if isinstance(value, type) else ""
    wanted = f"an activation layer or one of {', '.join(ACTIVATIONS)}"
    raise ArgumentTypeError(f"activation: got {validation.shown(value)}; want {wanted}{hint}")
