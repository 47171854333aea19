"""Layers that choose columns, and activations with a parameter for each column."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, as_float
from .layers import Activation, Layer

__all__ = ["GatherColumns", "ParametricActivation"]


class GatherColumns(Layer):
    """``y[:, j] = x[:, indices[j]]``; backward: ``dx`` sums ``dy`` over the copies of a column.

    Parameters
    ----------
    indices : array-like of int (out,)

    Examples
    --------
    >>> layer = GatherColumns([1, 0, 1])
    >>> layer.forward([[2.0, 3.0]])
    array([[3., 2., 3.]])
    >>> layer.backward([[1.0, 10.0, 100.0]])
    array([[ 10., 101.]])
    """

    def __init__(self, indices: ArrayLike) -> None:
        self.indices = np.array(indices, dtype=np.int64)

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        self.x = as_float(x)
        return self.x[:, self.indices]

    def backward(self, dy: ArrayLike) -> Array:
        dx = np.zeros_like(self.x)
        np.add.at(dx.T, self.indices, as_float(dy).T)
        return dx


class ParametricActivation(Layer):
    """``y = x + alpha (f(x) - x)``, one ``alpha`` for each column.

    Backward: ``dx = dy (1 + alpha (f'(x) - 1))``; ``dalpha = sum(dy (f(x) - x))`` over the rows.

    Parameters
    ----------
    alpha : array-like (features,)
    name, *params : the activation ``f`` and its parameters, as for `Activation`

    Examples
    --------
    >>> ParametricActivation([1.0, 0.5], "ReLU").forward([[-2.0, -2.0]])
    array([[ 0., -1.]])
    """

    def __init__(self, alpha: ArrayLike, name: str, *params: float) -> None:
        self.alpha = np.array(alpha, dtype=np.float64)
        self.dalpha = np.zeros_like(self.alpha)
        self.f = Activation(name, *params)

    @property
    def params(self) -> list[Array]:
        return [self.alpha]

    @property
    def grads(self) -> list[Array]:
        return [self.dalpha]

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        x = as_float(x)
        self.change = self.f.forward(x) - x
        return as_float(x + self.alpha * self.change)

    def backward(self, dy: ArrayLike) -> Array:
        dy = as_float(dy)
        self.dalpha[...] = (dy * self.change).sum(axis=0)
        return as_float(dy + self.alpha * (self.f.backward(dy) - dy))
