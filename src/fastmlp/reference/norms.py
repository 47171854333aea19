"""Layers that normalise each row, or each column over the batch, to mean 0 and variance 1.

``x_hat = (x - mean) / sqrt(var + eps)``, ``y = gamma x_hat + beta``, with the biased variance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, as_float
from .layers import Layer
from .shards import shard_rows, tree_sum

__all__ = ["BatchNorm", "LayerNorm"]


class _Norm(Layer):
    """Base of both: ``gamma``, ``beta`` and the common part of backward."""

    axis: int

    def __init__(self, gamma: ArrayLike, beta: ArrayLike, eps: float = 1e-5) -> None:
        self.gamma, self.beta = (np.array(a, dtype=np.float64) for a in (gamma, beta))
        self.dgamma, self.dbeta = np.zeros_like(self.gamma), np.zeros_like(self.beta)
        self.eps = eps

    @property
    def params(self) -> list[Array]:
        return [self.gamma, self.beta]

    @property
    def grads(self) -> list[Array]:
        return [self.dgamma, self.dbeta]

    def normalise(self, x: Array, mean: Array, var: Array) -> Array:
        """The output for these moments; saves what backward needs."""
        self.scale = 1.0 / np.sqrt(var + self.eps)
        self.x_hat = as_float((x - mean) * self.scale)
        return as_float(self.gamma * self.x_hat + self.beta)

    def backward(self, dy: ArrayLike) -> Array:
        """``u - mean(u) - x_hat mean(u x_hat)``, scaled, with ``u = dy gamma``."""
        dy = as_float(dy)
        self.dgamma[...] = (dy * self.x_hat).sum(axis=0)
        self.dbeta[...] = dy.sum(axis=0)
        u = dy * self.gamma
        mean = u.mean(axis=self.axis, keepdims=True)
        slope = (u * self.x_hat).mean(axis=self.axis, keepdims=True)
        return as_float(self.scale * (u - mean - self.x_hat * slope))


class LayerNorm(_Norm):
    """Normalise each row to mean 0 and variance 1.

    Parameters
    ----------
    gamma, beta : array-like (features,)
    eps : added to the variance

    Examples
    --------
    >>> LayerNorm([1.0, 1.0], [0.0, 0.0], eps=0.0).forward([[3.0, 7.0]])
    array([[-1.,  1.]])
    """

    axis = 1

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        x = as_float(x)
        mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
        return self.normalise(x, mean, var)


class BatchNorm(_Norm):
    """Normalise each column: with the batch's moments in training, else with the running ones.

    Parameters
    ----------
    gamma, beta : array-like (features,)
    eps : added to the variance
    momentum : the weight of a batch in the running moments; their variance is unbiased

    The attribute ``shards`` is the number of parts of a batch that are normalised by themselves.
    The running moments are those of the whole batch in any case.

    Examples
    --------
    >>> norm = BatchNorm([1.0], [0.0], eps=0.0)
    >>> norm.forward([[3.0], [7.0]], training=True)
    array([[-1.],
           [ 1.]])
    >>> norm.running_mean, norm.running_var.round(2)
    (array([0.5]), array([1.7]))
    """

    axis = 0
    shards = 1

    def __init__(
        self, gamma: ArrayLike, beta: ArrayLike, eps: float = 1e-5, momentum: float = 0.1
    ) -> None:
        super().__init__(gamma, beta, eps)
        self.momentum = momentum
        self.running_mean = np.zeros_like(self.gamma)
        self.running_var = np.ones_like(self.gamma)

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        x, self.training = as_float(x), training
        if not training:
            return self.normalise(x, self.running_mean, self.running_var)
        parts = [x[rows] for rows in shard_rows(len(x), self.shards)]
        mean = tree_sum([part.sum(axis=0) for part in parts]) / len(x)
        var = tree_sum([((part - mean) ** 2).sum(axis=0) for part in parts]) / len(x)
        unbiased = var * len(x) / max(len(x) - 1, 1)
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (unbiased - self.running_var)
        y, x_hat, scale = np.empty_like(x), np.empty_like(x), np.empty_like(x)
        for rows in shard_rows(len(x), self.shards):
            if rows.start < rows.stop:
                part = x[rows]
                y[rows] = self.normalise(part, part.mean(axis=0), part.var(axis=0))
                x_hat[rows], scale[rows] = self.x_hat, self.scale
        self.x_hat, self.scale = x_hat, scale
        return y

    def backward(self, dy: ArrayLike) -> Array:
        dy = as_float(dy)
        if not self.training:
            super().backward(dy)
            return as_float(dy * self.gamma * self.scale)
        x_hat, scale, dx = self.x_hat, self.scale, np.empty_like(dy)
        for rows in shard_rows(len(dy), self.shards):
            if rows.start < rows.stop:
                self.x_hat, self.scale = x_hat[rows], scale[rows]
                dx[rows] = super().backward(dy[rows])
        self.x_hat, self.scale = x_hat, scale
        self.dgamma[...], self.dbeta[...] = (dy * x_hat).sum(axis=0), dy.sum(axis=0)
        return dx
