"""Layers that normalise each row, or each column over the batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.node import Node
from fastmlp.base.validation import Array
from fastmlp.layers.parametric import ColumnwiseLayer, ParameterView


class _Norm(ColumnwiseLayer):
    """Base of both: a factor ``gamma`` and a summand ``beta`` for each feature."""

    init_before = None

    gamma = ParameterView("Factors, shape (features,); initially 1.")
    beta = ParameterView("Summands, shape (features,); initially 0.")
    dgamma = ParameterView("Gradient with respect to ``gamma``.", fixed=True)
    dbeta = ParameterView("Gradient with respect to ``beta``.", fixed=True)

    def __init__(self, features: int, eps: float, dtype: Any, seed: int | None) -> None:
        super().__init__(features, dtype, seed)
        # A smaller eps would be 0 in float32, or lose digits.
        self._eps = validation.real(eps, "eps", float(np.finfo(np.float32).tiny))

    @property
    def eps(self) -> float:
        """Added to the variance; read-only, because a network has it built in."""
        return self._eps

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"gamma": (self.features,), "beta": (self.features,)}

    def initialise(self, views: Mapping[str, Array], seed: int, index: int, init: str) -> None:
        views["gamma"][...] = 1.0
        views["beta"][...] = 0.0


class LayerNorm(_Norm):
    """Normalise each row to mean 0 and variance 1, then scale: ``y = gamma * x_hat + beta``.

    ``x_hat = (x - mean) / sqrt(var + eps)`` with the row's own mean and (biased) variance (Ba,
    Kiros and Hinton, "Layer normalization", 2016). Input and output have the same shape,
    ``(N, features)`` or ``(features,)``.

    Local gradients: with ``u = dy * gamma``,
    ``dx = (u - mean(u) - x_hat * mean(u * x_hat)) / sqrt(var + eps)``, means over the row;
    ``dgamma = sum(dy * x_hat)`` and ``dbeta = sum(dy)`` over the rows.

    Parameters
    ----------
    features : int
        Width of the input.
    eps : float, default 1e-5
        At least the smallest normal float32, 1.2e-38.
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; float32 by default.

    Examples
    --------
    >>> import fastmlp as fm
    >>> norm = fm.LayerNorm(3, dtype="float64")
    >>> norm.forward([[1.0, 2.0, 3.0]]).round(3).tolist()
    [[-1.225, 0.0, 1.225]]
    >>> norm.backward([[1.0, 1.0, 1.0]]).round(3).tolist()
    [[0.0, 0.0, 0.0]]
    """

    def __init__(
        self, features: int, eps: float = 1e-5, dtype: Any = None, seed: int | None = None
    ) -> None:
        super().__init__(features, eps, dtype, seed)

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        return Node("layer_norm", sources, widths[0], widths[0], params=(self._eps,))


class BatchNorm(_Norm):
    """Normalise each feature over the batch, then scale: ``y = gamma * x_hat + beta``.

    ``x_hat = (x - mean) / sqrt(var + eps)``: training uses the batch's mean and (biased) variance,
    prediction the running ones (Ioffe and Szegedy, "Batch normalization", 2015). A training pass
    updates the running ones, ``running += momentum * (batch - running)``, with the batch's unbiased
    variance. Input and output have the same shape, ``(N, features)`` or ``(features,)``.

    Local gradients, in training:
    ``dx = gamma / sqrt(var + eps) * (dy - mean(dy) - x_hat * mean(dy * x_hat))``, means over the
    batch; otherwise ``dx = gamma / sqrt(var + eps) * dy``. ``dgamma = sum(dy * x_hat)``,
    ``dbeta = sum(dy)``.

    Parameters
    ----------
    features : int
        Width of the input.
    eps : float, default 1e-5
        Above 0.
    momentum : float, default 0.1
        From 0 to 1: the weight of a batch in the running mean and variance.
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; float32 by default.

    Attributes
    ----------
    running_mean, running_var : ndarray, shape (features,)
        Views; initially 0 and 1. Not part of ``net.params``; saved and copied with the network.

    Examples
    --------
    >>> import fastmlp as fm
    >>> norm = fm.BatchNorm(1, dtype="float64")
    >>> norm.forward([[1.0], [3.0]], training=True).round(3).tolist()
    [[-1.0], [1.0]]
    >>> norm.running_mean.round(3).tolist(), norm.running_var.round(3).tolist()
    ([0.2], [1.1])
    """

    _state = ("running_mean", "running_var")

    running_mean = ParameterView("Mean of the batches so far, shape (features,).")
    running_var = ParameterView("Variance of the batches so far, shape (features,).")

    def __init__(
        self,
        features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        dtype: Any = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(features, eps, dtype, seed)
        self._momentum = validation.real(momentum, "momentum", 0.0, 1.0)

    @property
    def momentum(self) -> float:
        """Weight of a batch; read-only, because a network has it built in."""
        return self._momentum

    def initialise(self, views: Mapping[str, Array], seed: int, index: int, init: str) -> None:
        super().initialise(views, seed, index, init)
        views["running_mean"][...] = 0.0
        views["running_var"][...] = 1.0

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        width = widths[0]
        return Node("batch_norm", sources, width, width, params=(self._eps, self._momentum))
