"""Losses of predicted densities: scores are means, then spreads."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, as_float
from .loss_base import Loss, Reduction, log_softmax

__all__ = ["GaussianCRPSLoss", "GaussianNLLLoss", "MixtureNLLLoss"]

_erf = np.vectorize(math.erf, otypes=[np.float64])


class GaussianNLLLoss(Loss):
    """``(log v + (m - t)^2 / v) / 2`` with ``v = max(exp(c), eps)``.

    Scores are (N, 2 D): means m, then log variances c (or half of them, if ``log_std``). With
    ``full``, ``log(2 pi) / 2`` is added. As in PyTorch, the gradient passes by ``eps`` as if there
    were no limit: that of c is ``exp(c) (1 - (m - t)^2 / v) / (2 v)``.

    Source: Nix & Weigend 1994.

    Examples
    --------
    >>> loss = GaussianNLLLoss()
    >>> loss.forward([[1.0, 0.0]], [[3.0]])
    2.0
    >>> loss.backward()
    array([[-2. , -1.5]])
    """

    target = "fields"
    elementwise = 2

    def __init__(
        self,
        full: bool = False,
        eps: float = 1e-6,
        log_std: bool = False,
        reduction: Reduction = "mean",
        fold: int = 1,
    ) -> None:
        super().__init__(reduction, fold)
        self.full, self.eps, self.log_std = full, eps, log_std

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        mean, spread = np.split(scores, 2, axis=1)
        times = 2.0 if self.log_std else 1.0
        e = np.exp(times * spread)
        limited = e < self.eps
        variance = np.where(limited, self.eps, e)
        log_variance = np.where(limited, np.log(self.eps), times * spread)
        d = mean - as_float(target).reshape(mean.shape)
        share = np.where(limited, e / self.eps, 1.0)
        loss = 0.5 * (log_variance + d * d / variance)
        constant = 0.5 * np.log(2.0 * np.pi) if self.full else 0.0
        bend = 0.5 * times * share * (1.0 - d * d / variance)
        return (loss + constant).sum(axis=1), np.hstack([d / variance, bend])


class GaussianCRPSLoss(Loss):
    """``s (z erf(z / sqrt 2) + 2 phi(z) - 1 / sqrt(pi))`` with ``z = (t - m) / s``.

    Scores are (N, 2 D): means m, then ``log s``. The gradients are ``-erf(z / sqrt 2)`` and
    ``s (2 phi(z) - 1 / sqrt(pi))``.

    Source: Gneiting et al. 2005, equation 5.

    Examples
    --------
    >>> loss = GaussianCRPSLoss()
    >>> round(loss.forward([[1.0, 0.0]], [[1.0]]), 4)
    0.2337
    """

    target = "fields"
    elementwise = 2

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        mean, log_std = np.split(scores, 2, axis=1)
        d = as_float(target).reshape(mean.shape) - mean
        z = d * np.exp(-log_std)
        tail = as_float(_erf(z / np.sqrt(2.0)))
        density = np.exp(-0.5 * z * z) * np.sqrt(2.0 / np.pi)
        of_log_std = np.exp(log_std) * (density - 1.0 / np.sqrt(np.pi))
        return (d * tail + of_log_std).sum(axis=1), np.hstack([-tail, of_log_std])


def log_density(mean: Array, log_std: Array, x: Array) -> Array:
    """Log density of independent normal numbers x (..., D), summed over the last axis."""
    z = (x - mean) * np.exp(-log_std)
    constant = 0.5 * np.log(2.0 * np.pi) * x.shape[-1]
    return as_float((-0.5 * z * z).sum(axis=-1) - log_std.sum(axis=-1) - constant)


class MixtureNLLLoss(Loss):
    """``-log sum_k w_k prod_d N(t_d; m_kd, s_kd)``, with weights w the softmax of the logits.

    Scores are (N, K + 2 K D): K logits, K means of D columns, and as many ``log s``. With r_k the
    share of component k in the density, the gradients are ``w_k - r_k``, ``-r_k z / s`` and
    ``r_k (1 - z^2)``.

    Source: Bishop 1994, "Mixture Density Networks".

    Examples
    --------
    >>> loss = MixtureNLLLoss(components=1)
    >>> round(loss.forward([[0.0, 1.0, 0.0]], [[1.0]]), 4)
    0.9189
    """

    target = "fields"
    elementwise = 0

    def __init__(self, components: int = 2, reduction: Reduction = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.components = components

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        k = int(self.components)
        columns = (scores.shape[1] // k - 1) // 2
        mean, log_std = scores[:, k:].reshape(len(scores), 2, k, columns).swapaxes(0, 1)
        t = as_float(target).reshape(len(scores), 1, mean.shape[2])
        joint = log_softmax(scores[:, :k]) + log_density(mean, log_std, t)
        share = np.exp(log_softmax(joint))
        largest = joint.max(axis=1)
        total = largest + np.log(np.exp(joint - largest[:, np.newaxis]).sum(axis=1))
        z = (t - mean) * np.exp(-log_std)
        by = share[:, :, np.newaxis]
        parts = [
            np.exp(log_softmax(scores[:, :k])) - share,
            (-by * z * np.exp(-log_std)).reshape(len(scores), k * columns),
            (by * (1.0 - z * z)).reshape(len(scores), k * columns),
        ]
        return -total, np.hstack(parts)


LOSSES: dict[str, type[Loss]] = {
    "GaussianNLLLoss": GaussianNLLLoss,
    "GaussianCRPSLoss": GaussianCRPSLoss,
    "MixtureNLLLoss": MixtureNLLLoss,
}
