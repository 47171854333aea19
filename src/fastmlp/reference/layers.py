"""Layers with ``forward`` and ``backward``, as they are taught.

``forward`` computes the output and saves what ``backward`` needs. ``backward`` multiplies the
upstream gradient by the local one and returns the gradient with respect to the input. Rows are
samples: ``x`` is (N, fan_in). The caller gives the parameters as plain arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .activations import ACTIVATIONS
from .arrays import Array, as_float
from .bfloat16 import operand
from .rng import dropout_mask

__all__ = [
    "Activation",
    "Dropout",
    "Embedding",
    "Layer",
    "Linear",
    "Scale",
    "Sequential",
    "Softmax",
    "Square",
    "Sum",
    "assign",
    "flatten",
]


class Layer:
    """A node of the graph. ``params`` and ``grads`` are parallel lists, empty by default."""

    @property
    def params(self) -> list[Array]:
        return []

    @property
    def grads(self) -> list[Array]:
        return []

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        raise NotImplementedError

    def backward(self, dy: ArrayLike) -> Array:
        raise NotImplementedError


class Linear(Layer):
    """``y = x W + b``; backward: ``dW = x^T dy``, ``db = sum of dy's rows``, ``dx = dy W^T``.

    Groups are products side by side: the columns of ``x`` and ``y`` and the rows of ``W`` are cut
    into as many parts. With a fold of k, each row is read as k rows.

    Parameters
    ----------
    W : array-like (fan_in, fan_out / groups)
    b : array-like (fan_out,), or None for a layer without bias
    compute : "bfloat16" to round the operands of the three products; None for no rounding
    groups, fold : 1 for a plain product

    Examples
    --------
    >>> layer = Linear([[1.0, 2.0]], [0.0, 1.0])
    >>> layer.forward([[3.0]])
    array([[3., 7.]])
    >>> layer.backward([[1.0, 1.0]])
    array([[3.]])
    >>> layer.dW
    array([[3., 3.]])
    """

    def __init__(
        self,
        W: ArrayLike,
        b: ArrayLike | None = None,
        compute: str | None = None,
        groups: int = 1,
        fold: int = 1,
    ) -> None:
        self.compute, self.groups, self.fold = compute, groups, fold
        self.W = np.array(W, dtype=np.float64)
        self.b = None if b is None else np.array(b, dtype=np.float64)
        self.dW = np.zeros_like(self.W)
        self.db = None if self.b is None else np.zeros_like(self.b)

    @property
    def params(self) -> list[Array]:
        return [self.W] if self.b is None else [self.W, self.b]

    @property
    def grads(self) -> list[Array]:
        return [self.dW] if self.db is None else [self.dW, self.db]

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        self.x = operand(x, self.compute)
        y = self._by_row(self._by_group(self.x) @ self._weights(), len(self.x))
        return y if self.b is None else y + np.tile(self.b, self.fold)

    def backward(self, dy: ArrayLike) -> Array:
        dz = self._by_group(operand(dy, self.compute))
        self.dW[...] = (self._by_group(self.x).swapaxes(1, 2) @ dz).reshape(self.dW.shape)
        if self.db is not None:
            self.db[...] = as_float(dy).reshape(-1, self.db.size).sum(axis=0)
        return self._by_row(dz @ self._weights().swapaxes(1, 2), len(self.x))

    def _weights(self) -> Array:
        return operand(self.W, self.compute).reshape(self.groups, -1, self.W.shape[1])

    def _by_group(self, x: Array) -> Array:
        """(rows, groups * width) as (groups, rows, width), with folded rows."""
        rows = x.shape[0] * self.fold
        width = x.shape[1] // (self.fold * self.groups)
        return x.reshape(rows, self.groups, width).swapaxes(0, 1)

    def _by_row(self, y: Array, rows: int) -> Array:
        width = y.shape[2] * self.groups * self.fold
        return as_float(y.swapaxes(0, 1).reshape(rows, width))


class Activation(Layer):
    """``y = f(z)`` element by element; backward: ``dz = dy * f'(z)``.

    Parameters
    ----------
    name : a key of `ACTIVATIONS`; KeyError otherwise
    *params : the activation's parameters, its defaults when none are given

    Examples
    --------
    >>> layer = Activation("LeakyReLU", 0.5)
    >>> layer.forward([[-2.0, 2.0]])
    array([[-1.,  2.]])
    >>> layer.backward([[10.0, 10.0]])
    array([[ 5., 10.]])
    """

    def __init__(self, name: str, *params: float) -> None:
        self.row = ACTIVATIONS[name]
        self.arguments = params or tuple(self.row.params.values())

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        self.z = as_float(x)
        return self.row.f(self.z, *self.arguments)

    def backward(self, dy: ArrayLike) -> Array:
        return as_float(dy) * self.row.df(self.z, *self.arguments)


class Softmax(Layer):
    """``y_j = exp(z_j) / sum_k exp(z_k)`` in each row; backward: ``dz = y * (dy - dy . y)``.

    The row's maximum is subtracted first: the result is the same, and ``exp`` does not overflow.

    Examples
    --------
    >>> Softmax().forward([[1000.0, 1000.0]])
    array([[0.5, 0.5]])
    """

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        z = as_float(x)
        with np.errstate(invalid="ignore", under="ignore"):
            e = np.exp(z - z.max(axis=1, keepdims=True))
            self.y = as_float(e / e.sum(axis=1, keepdims=True))
        return self.y

    def backward(self, dy: ArrayLike) -> Array:
        dy = as_float(dy)
        return as_float(self.y * (dy - (dy * self.y).sum(axis=1, keepdims=True)))


class Dropout(Layer):
    """In training, zero each element with probability ``p``, scale the rest by ``1 / (1 - p)``.

    Outside training it is the identity. The mask is a function of (seed, node, step, element):
    ``step`` counts the training passes so far, and ``node`` is the layer's position in the network.

    Parameters
    ----------
    p : probability of zeroing, 0 <= p <= 1
    seed : the network's seed, 0 <= seed < 2**64
    node : the layer's index in the network

    Examples
    --------
    >>> layer = Dropout(0.5, seed=1)
    >>> layer.forward([[1.0, 1.0]])
    array([[1., 1.]])
    >>> set(layer.forward(np.ones((8, 8)), training=True).ravel().tolist()) == {0.0, 2.0}
    True
    """

    def __init__(self, p: float, seed: int = 0, node: int = 0) -> None:
        self.p, self.seed, self.stream = p, seed, 4 * node + 2
        self.step = 0

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        x = as_float(x)
        self.factor = np.ones_like(x)
        if training:
            mask = dropout_mask(x.size, self.p, self.seed, self.stream, self.step)
            scale = 1.0 / (1.0 - self.p) if self.p < 1.0 else 0.0
            self.factor = as_float(mask.reshape(x.shape) * scale)
            self.step += 1
        return x * self.factor

    def backward(self, dy: ArrayLike) -> Array:
        return as_float(dy) * self.factor


class Scale(Layer):
    """``y = x gain + shift``; backward: ``dgain = sum(dy x)``, ``dshift = sum(dy)`` over the rows.

    Parameters
    ----------
    gain : array-like (features,)
    shift : array-like (features,), or None

    Examples
    --------
    >>> Scale([2.0, 3.0], [0.0, 1.0]).forward([[1.0, 1.0]])
    array([[2., 4.]])
    """

    def __init__(self, gain: ArrayLike, shift: ArrayLike | None = None) -> None:
        self.gain = np.array(gain, dtype=np.float64)
        self.shift = None if shift is None else np.array(shift, dtype=np.float64)
        self.dgain = np.zeros_like(self.gain)
        self.dshift = None if self.shift is None else np.zeros_like(self.shift)

    @property
    def params(self) -> list[Array]:
        return [self.gain] if self.shift is None else [self.gain, self.shift]

    @property
    def grads(self) -> list[Array]:
        return [self.dgain] if self.dshift is None else [self.dgain, self.dshift]

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        self.x = as_float(x)
        return as_float(self.x * self.gain + (0.0 if self.shift is None else self.shift))

    def backward(self, dy: ArrayLike) -> Array:
        dy = as_float(dy)
        self.dgain[...] = (dy * self.x).sum(axis=0)
        if self.dshift is not None:
            self.dshift[...] = dy.sum(axis=0)
        return as_float(dy * self.gain)


class Embedding(Layer):
    """Rows of a table: ``y[i] = W[x[i]]``, for each column of row numbers ``x``.

    Backward: ``dW[r]`` sums ``dy`` over the places where ``x`` is ``r``; ``dx`` is 0.

    Parameters
    ----------
    W : array-like (num_embeddings, embedding_dim)

    Examples
    --------
    >>> Embedding([[0.0, 1.0], [2.0, 3.0]]).forward([[1.0], [0.0]])
    array([[2., 3.],
           [0., 1.]])
    """

    def __init__(self, W: ArrayLike) -> None:
        self.W = np.array(W, dtype=np.float64)
        self.dW = np.zeros_like(self.W)

    @property
    def params(self) -> list[Array]:
        return [self.W]

    @property
    def grads(self) -> list[Array]:
        return [self.dW]

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        self.x = as_float(x).astype(np.int64)
        return as_float(self.W[self.x].reshape(len(self.x), self.x.shape[1] * self.W.shape[1]))

    def backward(self, dy: ArrayLike) -> Array:
        self.dW[...] = 0.0
        np.add.at(self.dW, self.x, as_float(dy).reshape(*self.x.shape, self.W.shape[1]))
        return np.zeros(self.x.shape)


class Sum(Layer):
    """``y = x_1 + x_2 + ...`` of each row, one column; backward: ``dy`` to each.

    Examples
    --------
    >>> Sum().forward([[1.0, 2.0, 3.0]])
    array([[6.]])
    """

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        self.x = as_float(x)
        return as_float(self.x.sum(axis=1, keepdims=True))

    def backward(self, dy: ArrayLike) -> Array:
        return as_float(dy) * np.ones_like(self.x)


class Square(Layer):
    """``y = x^2`` element by element; backward: ``dx = 2 x dy``.

    Examples
    --------
    >>> Square().forward([[-3.0, 2.0]])
    array([[9., 4.]])
    """

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        self.x = as_float(x)
        return as_float(self.x**2)

    def backward(self, dy: ArrayLike) -> Array:
        return as_float(2.0 * self.x * as_float(dy))


class Sequential(Layer):
    """A chain of layers; backward walks it in reverse.

    Examples
    --------
    The circuit ``sigmoid(w0 x0 + w1 x1 + w2)``:

    >>> net = Sequential(Linear([[2.0], [-3.0]], [-3.0]), Activation("Sigmoid"))
    >>> net.forward([[-1.0, -2.0]]).round(2)
    array([[0.73]])
    >>> net.backward([[1.0]]).round(2)
    array([[ 0.39, -0.59]])
    >>> [g.round(2).tolist() for g in net.grads]
    [[[-0.2], [-0.39]], [0.2]]
    """

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers

    @property
    def params(self) -> list[Array]:
        return [param for layer in self.layers for param in layer.params]

    @property
    def grads(self) -> list[Array]:
        return [grad for layer in self.layers for grad in layer.grads]

    @property
    def linears(self) -> list[Linear]:
        """The layers that have weights, for penalties."""
        return [layer for layer in self.layers if isinstance(layer, Linear)]

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        y = as_float(x)
        for layer in self.layers:
            y = layer.forward(y, training)
        return y

    def backward(self, dy: ArrayLike) -> Array:
        dx = as_float(dy)
        for layer in reversed(self.layers):
            dx = layer.backward(dx)
        return dx


def flatten(arrays: Sequence[Array]) -> Array:
    """All elements in one flat new array, in order: each ``W`` by rows, then its ``b``.

    Examples
    --------
    >>> flatten([np.ones((1, 2)), np.zeros(1)])
    array([1., 1., 0.])
    """
    return np.concatenate([array.ravel() for array in arrays]) if arrays else np.zeros(0)


def assign(arrays: Sequence[Array], flat: Array) -> None:
    """Write the flat array back into ``arrays``: the inverse of `flatten`.

    Examples
    --------
    >>> w = np.zeros((1, 2))
    >>> assign([w], np.array([1.0, 2.0]))
    >>> w
    array([[1., 2.]])
    """
    start = 0
    for array in arrays:
        array[...] = flat[start : start + array.size].reshape(array.shape)
        start += array.size
