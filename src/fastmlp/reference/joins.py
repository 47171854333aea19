"""Layers with several inputs: ``backward`` returns one gradient for each input of ``forward``.

Of equal values, the first counts as the largest and gets the whole gradient.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, as_float
from .bfloat16 import operand

__all__ = ["Add", "Concat", "Join", "MatMul", "Maximum", "Maxout", "Multiply"]


class Join:
    """A layer with several inputs."""

    inputs: list[Array]

    def forward(self, *inputs: ArrayLike) -> Array:
        """Compute the output and save what backward needs."""
        self.inputs = [as_float(x) for x in inputs]
        return self.value()

    def value(self) -> Array:
        """The output for the saved inputs."""
        raise NotImplementedError

    def backward(self, dy: ArrayLike) -> list[Array]:
        """Downstream gradients, in the order of the inputs."""
        raise NotImplementedError


class Add(Join):
    """``y = a + b + ...``; backward: ``dy`` to each.

    Examples
    --------
    >>> Add().forward([[1.0]], [[2.0]])
    array([[3.]])
    """

    def value(self) -> Array:
        return as_float(sum(self.inputs[1:], self.inputs[0]))

    def backward(self, dy: ArrayLike) -> list[Array]:
        return [as_float(dy)] * len(self.inputs)


class Multiply(Join):
    """``y = a * b * ...``; backward: ``dy`` times the other inputs.

    Examples
    --------
    >>> gate = Multiply()
    >>> gate.forward([[3.0]], [[-4.0]])
    array([[-12.]])
    >>> gate.backward([[1.0]])
    [array([[-4.]]), array([[3.]])]
    """

    def value(self) -> Array:
        return as_float(np.prod(self.inputs, axis=0))

    def backward(self, dy: ArrayLike) -> list[Array]:
        others = [self.inputs[:k] + self.inputs[k + 1 :] for k in range(len(self.inputs))]
        return [as_float(np.prod([as_float(dy), *rest], axis=0)) for rest in others]


class Maximum(Join):
    """``y = max(a, b, ...)``; backward: ``dy`` to the largest.

    Examples
    --------
    >>> gate = Maximum()
    >>> gate.forward([[1.0, 2.0]], [[3.0, 2.0]])
    array([[3., 2.]])
    >>> gate.backward([[1.0, 1.0]])
    [array([[0., 1.]]), array([[1., 0.]])]
    """

    def value(self) -> Array:
        return as_float(np.max(self.inputs, axis=0))

    def backward(self, dy: ArrayLike) -> list[Array]:
        winner = np.argmax(self.inputs, axis=0)
        return [as_float(np.where(winner == k, dy, 0.0)) for k in range(len(self.inputs))]


class Concat(Join):
    """The inputs concatenated by columns; backward: each input gets its columns of ``dy``.

    Examples
    --------
    >>> Concat().forward([[1.0]], [[2.0, 3.0]])
    array([[1., 2., 3.]])
    """

    def value(self) -> Array:
        return np.hstack(self.inputs)

    def backward(self, dy: ArrayLike) -> list[Array]:
        ends = np.cumsum([x.shape[1] for x in self.inputs])
        return np.split(as_float(dy), ends[:-1], axis=1)


class Maxout(Join):
    """``y_j = max_p x[p * out + j]`` of one input; backward: ``dy`` to the largest piece.

    Parameters
    ----------
    pieces : int

    Examples
    --------
    >>> Maxout(2).forward([[1.0, 5.0, 3.0, 4.0]])
    array([[3., 5.]])
    """

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces

    def value(self) -> Array:
        return as_float(np.max(np.split(self.inputs[0], self.pieces, axis=1), axis=0))

    def backward(self, dy: ArrayLike) -> list[Array]:
        winner = np.argmax(np.split(self.inputs[0], self.pieces, axis=1), axis=0)
        return [np.hstack([np.where(winner == p, dy, 0.0) for p in range(self.pieces)])]


class MatMul(Join):
    """``y = a @ b`` of matrices; backward: ``dy b^T`` and ``a^T dy``.

    Parameters
    ----------
    compute : "bfloat16" to round the operands of the three products; None for no rounding

    Examples
    --------
    >>> gate = MatMul()
    >>> gate.forward([[1.0, 2.0]], [[3.0], [4.0]])
    array([[11.]])
    >>> gate.backward([[1.0]])
    [array([[3., 4.]]), array([[1.],
           [2.]])]
    """

    def __init__(self, compute: str | None = None) -> None:
        self.compute = compute

    def value(self) -> Array:
        a, b = (operand(x, self.compute) for x in self.inputs)
        return a @ b

    def backward(self, dy: ArrayLike) -> list[Array]:
        a, b, dy = (operand(x, self.compute) for x in (*self.inputs, dy))
        return [dy @ np.swapaxes(b, -1, -2), np.swapaxes(a, -1, -2) @ dy]
