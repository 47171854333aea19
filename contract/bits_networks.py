"""Networks of every shape that the engine treats specially, for any activation and width.

Each function takes a maker of the activation and the number of outputs, and returns the arguments
of ``golden.runs.network``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tests.golden import runs

import fastmlp as fm

IN = 21
Maker = Callable[[], fm.Layer]
Architecture = Callable[[Maker, int], "list[fm.Layer] | fm.Graph"]


def shallow(act: Maker, out: int) -> list[fm.Layer]:
    return runs.dense(IN, 19, out, between=act)


def deep(act: Maker, out: int) -> list[fm.Layer]:
    return runs.dense(IN, 17, 33, 16, 15, out, between=act)


def packed(act: Maker, out: int) -> list[fm.Layer]:
    return runs.dense(IN, 200, 260, out, between=act)


def lane_sums(act: Maker, out: int) -> list[fm.Layer]:
    return runs.dense(IN, 3, 40, 2, out, between=act)


def transposed_gradients(act: Maker, out: int) -> list[fm.Layer]:
    return runs.dense(IN, 300, 10, out, between=act)


def without_bias(act: Maker, out: int) -> list[fm.Layer]:
    return [fm.Linear(IN, 18, bias=False), act(), fm.Linear(18, out, bias=False)]


def dropout_and_softmax(act: Maker, out: int) -> list[fm.Layer]:
    return [fm.Dropout(0.1), fm.Linear(IN, 25), act(), fm.Dropout(0.5), fm.Softmax(),
            fm.Linear(25, out)]  # fmt: skip


def layer_norms(act: Maker, out: int) -> list[fm.Layer]:
    return [fm.Linear(IN, 24), fm.LayerNorm(24), act(), fm.Linear(24, 13), fm.LayerNorm(13),
            act(), fm.Linear(13, out)]  # fmt: skip


def batch_norms(act: Maker, out: int) -> list[fm.Layer]:
    return [fm.Linear(IN, 24), fm.BatchNorm(24), act(), fm.Linear(24, 13), fm.BatchNorm(13),
            act(), fm.Linear(13, out)]  # fmt: skip


def maxouts(act: Maker, out: int) -> list[fm.Layer]:
    return [fm.Linear(IN, 36), fm.Maxout(3), act(), fm.Linear(12, 2 * out), fm.Maxout(2)]


def graph(x: fm.Symbol, y: fm.Symbol) -> fm.Graph:
    return fm.Graph(x, y, seed=12345)


def residuals(act: Maker, out: int) -> fm.Graph:
    x = fm.Input(IN)
    h = act()(fm.Linear(IN, 24)(x))
    for _ in range(2):
        h = act()(fm.Linear(24, 24)(h) + h)
    return graph(x, fm.Linear(24, out)(h))


def concatenations(act: Maker, out: int) -> fm.Graph:
    x = fm.Input(IN)
    a = act()(fm.Linear(IN, 9)(x))
    b = act()(fm.Linear(IN + 9, 7)(fm.Concat()(x, a)))
    return graph(x, fm.Linear(IN + 16, out)(fm.Concat()(x, a, b)))


def joins(act: Maker, out: int) -> fm.Graph:
    """Sums, products and maxima of values, a parameter, and a value with many readers."""
    x = fm.Input(IN)
    h = fm.Linear(IN, 16)(x)
    a, b = act()(fm.Copy()(h) + fm.Parameter(16)), fm.LayerNorm(16)(fm.Linear(16, 16)(h) * h)
    both = fm.Multiply()(fm.Maximum()(a, b, h), fm.BatchNorm(16)(a))
    return graph(x, fm.Linear(16, out)(fm.Add()(both, h, a)))


def products(act: Maker, out: int) -> fm.Graph:
    """A product of two matrices that no Linear can replace; sums and squares."""
    x = fm.Input(IN)
    matrix = fm.Parameter(4, 12)
    a = fm.MatMul()(matrix, act()(fm.Linear(IN, 12)(x)))
    b = fm.MatMul()(matrix, fm.Linear(IN, 12)(x))
    energy = fm.Sum()(fm.Square()(a))
    return graph(x, fm.Linear(9, out)(fm.Concat()(a, b, energy)))


class Blend:
    """A custom node with parameters: ``a x + b z``, where ``a`` and ``b`` are trained."""

    def __init__(self) -> None:
        self.parameters = {"a": np.full(14, 0.5), "b": np.full(14, -0.25)}

    def forward(self, x: Any, z: Any) -> Any:
        self.x, self.z = x, z
        return self.parameters["a"] * x + self.parameters["b"] * z

    def backward(self, upstream: Any) -> Any:
        self.gradients = {
            "a": (upstream * self.x).sum(axis=0),
            "b": (upstream * self.z).sum(axis=0),
        }
        return upstream * self.parameters["a"], upstream * self.parameters["b"]


class Cubic:
    """A custom node without parameters: ``x - x^3 / 8``."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return x - x * x * x / 8

    def backward(self, upstream: Any) -> Any:
        return upstream * (1 - 3 * self.x * self.x / 8)


def custom_nodes(act: Maker, out: int) -> fm.Graph:
    x = fm.Input(IN)
    left, right = fm.Linear(IN, 14)(x), fm.Custom(Cubic())(fm.Linear(IN, 14)(x))
    blend = fm.Custom(Blend())(act()(left), right)
    return graph(x, fm.Linear(14, out)(blend + left))


ARCHITECTURES: dict[str, Architecture] = {
    make.__name__: make
    for make in (shallow, deep, packed, lane_sums, transposed_gradients, without_bias,
                 dropout_and_softmax, layer_norms, batch_norms, maxouts, residuals,
                 concatenations, joins, products, custom_nodes)
}  # fmt: skip
