"""Losses of classes and numbers: one number from scores and targets, and its gradient.

The gradient is that with respect to the scores. Formulas and defaults are PyTorch's where it has
them. ``LOSSES`` also lists the losses of the other files.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from . import losses_density, losses_pairs, losses_policy
from .activations import sigmoid
from .arrays import Array, as_float
from .loss_base import Loss, Reduction, like, log_softmax, one_hot


class CrossEntropyLoss(Loss):
    """``-sum_j t_j log softmax(s)_j``; the gradient is ``softmax(s) * sum_j t_j - t``.

    ``t`` is one-hot from labels (N,), or probabilities (N, C). Smoothing replaces it by
    ``(1 - label_smoothing) * t + label_smoothing / C``. A target of 0 ignores its score, so a
    class may be masked by ``-inf``.

    Examples
    --------
    >>> loss = CrossEntropyLoss()
    >>> round(loss.forward([[0.0, 0.0]], [1]), 4)
    0.6931
    >>> loss.backward()
    array([[ 0.5, -0.5]])
    """

    target = "class"
    elementwise = 0

    def __init__(
        self, label_smoothing: float = 0.0, reduction: Reduction = "mean", fold: int = 1
    ) -> None:
        super().__init__(reduction, fold)
        self.label_smoothing = label_smoothing

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        t = self._probabilities(target, scores.shape[1])
        log_p = log_softmax(scores)
        terms = np.where((t == 0.0) & (log_p == -np.inf), 0.0, t * log_p)
        return -terms.sum(axis=1), np.exp(log_p) * t.sum(axis=1, keepdims=True) - t

    def _probabilities(self, target: ArrayLike, classes: int) -> Array:
        t = one_hot(target, classes) if np.ndim(target) == 1 else as_float(target)
        return (1.0 - self.label_smoothing) * t + self.label_smoothing / classes


class BCEWithLogitsLoss(Loss):
    """``log(1 + exp(s)) - t s``: cross-entropy of ``sigmoid(s)``; gradient ``sigmoid(s) - t``.

    Examples
    --------
    >>> loss = BCEWithLogitsLoss()
    >>> round(loss.forward([[0.0]], [[1.0]]), 4)
    0.6931
    >>> loss.backward()
    array([[-0.5]])
    """

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        t = like(target, scores)
        # softplus written out: max(s, 0) - t s is exactly 0 on the right side, and keeps the tail.
        tail = np.log1p(np.exp(-np.abs(scores)))
        loss = np.maximum(scores, 0.0) - t * scores + tail
        return loss.sum(axis=1), sigmoid(scores) - t


class MSELoss(Loss):
    """``(s - t)^2``; gradient ``2 (s - t)``.

    Examples
    --------
    >>> loss = MSELoss(reduction="sum")
    >>> loss.forward([[1.0, 2.0]], [[0.0, 0.0]])
    5.0
    >>> loss.backward()
    array([[2., 4.]])
    """

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        d = scores - like(target, scores)
        return (d * d).sum(axis=1), 2.0 * d


class L1Loss(Loss):
    """``|s - t|``; gradient ``sign(s - t)``, 0 where they are equal.

    Examples
    --------
    >>> loss = L1Loss()
    >>> loss.forward([[1.0, 2.0]], [[0.0, 2.0]])
    0.5
    >>> loss.backward()
    array([[0.5, 0. ]])
    """

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        d = scores - like(target, scores)
        return np.abs(d).sum(axis=1), np.sign(d)


class HuberLoss(Loss):
    """With ``d = s - t``: ``d^2 / 2`` where ``|d| < delta``, else ``delta (|d| - delta / 2)``.

    The gradient is ``d``, clipped to ``[-delta, delta]``.

    Examples
    --------
    >>> loss = HuberLoss(delta=1.0, reduction="sum")
    >>> loss.forward([[0.5, 3.0]], [[0.0, 0.0]])
    2.625
    >>> loss.backward()
    array([[0.5, 1. ]])
    """

    def __init__(self, delta: float = 1.0, reduction: Reduction = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.delta = delta

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        d = scores - like(target, scores)
        outside = self.delta * (np.abs(d) - 0.5 * self.delta)
        loss = np.where(np.abs(d) < self.delta, 0.5 * d * d, outside)
        return loss.sum(axis=1), np.clip(d, -self.delta, self.delta)


class MultiMarginLoss(Loss):
    """The multiclass SVM loss ``sum_{j != y} max(0, s_j - s_y + margin)``.

    It is summed over the wrong classes and not divided by C (PyTorch's is divided). Each wrong
    class inside the margin has gradient 1 and adds -1 to that of the right class. A class exactly
    on the margin adds nothing.

    Examples
    --------
    >>> loss = MultiMarginLoss()
    >>> round(loss.forward([[3.2, 5.1, -1.7]], [0]), 10)
    2.9
    >>> loss.backward()
    array([[-1.,  1.,  0.]])
    """

    target = "class"
    elementwise = 0

    def __init__(self, margin: float = 1.0, reduction: Reduction = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.margin = margin

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        right = one_hot(target, scores.shape[1])
        right_score = np.take_along_axis(scores, np.asarray(target)[:, np.newaxis], axis=1)
        excess = np.where(right == 1.0, 0.0, scores - right_score + self.margin)
        violated = np.heaviside(excess, 0.0)
        gradient = violated - right * violated.sum(axis=1, keepdims=True)
        return np.maximum(excess, 0.0).sum(axis=1), gradient


class PoissonNLLLoss(Loss):
    """``exp(s) - t s`` for counts ``t`` with expectation ``exp(s)``; gradient ``exp(s) - t``.

    PyTorch's with ``log_input=True, full=False``.

    Examples
    --------
    >>> loss = PoissonNLLLoss()
    >>> loss.forward([[0.0]], [[3.0]])
    1.0
    >>> loss.backward()
    array([[-2.]])
    """

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        t = like(target, scores)
        rate = np.exp(scores)
        return (rate - t * scores).sum(axis=1), rate - t


class QuantileLoss(Loss):
    """The pinball loss ``max(q d, (q - 1) d)``, ``d = t - s``; minimal at the q-quantile of t.

    Scores have ``C = k * len(quantiles)`` columns: column ``c`` predicts quantile
    ``c % len(quantiles)`` of output ``c // len(quantiles)``. The target is (N, k), or (N, C) with
    a target for each column. The gradient is ``-q`` below the target, ``1 - q`` above it, 0 on it.

    Raises ValueError when C is no multiple of the number of quantiles.

    Source: Koenker & Bassett 1978, "Regression Quantiles".

    Examples
    --------
    >>> loss = QuantileLoss([0.25, 0.75], reduction="sum")
    >>> loss.forward([[0.0, 0.0]], [[2.0]])
    2.0
    >>> loss.backward()
    array([[-0.25, -0.75]])
    """

    target = "quantile"

    def __init__(
        self, quantiles: Sequence[float], reduction: Reduction = "mean", fold: int = 1
    ) -> None:
        super().__init__(reduction, fold)
        self.quantiles = as_float(quantiles)

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        q, t = self._columns(scores, target)
        d = t - scores
        gradient = (1.0 - q) * np.heaviside(-d, 0.0) - q * np.heaviside(d, 0.0)
        return np.maximum(q * d, (q - 1.0) * d).sum(axis=1), gradient

    def _columns(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        """The quantile of every column, (C,), and the target of every score, (N, C)."""
        rows, columns = scores.shape
        outputs, rest = divmod(columns, len(self.quantiles))
        if rest:
            raise ValueError(f"{columns} columns for {len(self.quantiles)} quantiles")
        t = as_float(target)
        if t.size != scores.size:
            t = np.repeat(t.reshape(rows, outputs), len(self.quantiles), axis=1)
        return np.tile(self.quantiles, outputs), t.reshape(scores.shape)


class FocalLoss(Loss):
    """``-(1 - p)^gamma log p`` with ``p`` the softmax of the label's score.

    The derivative with respect to ``log p`` is ``(1 - p)^gamma (gamma p log p / (1 - p) - 1)``,
    where ``log p / (1 - p)`` is -1 at ``p = 1``.

    Source: Lin et al. 2017, "Focal Loss for Dense Object Detection".

    Examples
    --------
    >>> loss = FocalLoss(gamma=0.0)
    >>> round(loss.forward([[0.0, 0.0]], [1]), 4)
    0.6931
    """

    target = "class"
    elementwise = 0

    def __init__(self, gamma: float = 2.0, reduction: Reduction = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.gamma = gamma

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        label = np.asarray(target)[:, np.newaxis]
        log_p = np.take_along_axis(log_softmax(scores), label, axis=1)
        p, rest = np.exp(log_p), -np.expm1(log_p)
        power = rest**self.gamma
        ratio = np.divide(log_p, rest, out=np.full_like(rest, -1.0), where=rest != 0.0)
        slope = power * (np.where(p == 0.0, 0.0, self.gamma * p * ratio) - 1.0)
        distance = one_hot(target, scores.shape[1]) - np.exp(log_softmax(scores))
        return (-power * log_p)[:, 0], slope * distance


class SigmoidFocalLoss(Loss):
    """``alpha_t (1 - p_t)^gamma`` times the binary cross-entropy, as in torchvision.

    With ``p = sigmoid(s)``: ``1 - p_t = p (1 - t) + (1 - p) t``, whose derivative is
    ``p (1 - p) (1 - 2 t)``, and ``alpha_t = alpha t + (1 - alpha) (1 - t)``, or 1 if alpha < 0.

    Source: Lin et al. 2017, "Focal Loss for Dense Object Detection".

    Examples
    --------
    >>> loss = SigmoidFocalLoss(alpha=-1.0, gamma=0.0)
    >>> round(loss.forward([[0.0]], [[1.0]]), 4)
    0.6931
    """

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        reduction: Reduction = "mean",
        fold: int = 1,
    ) -> None:
        super().__init__(reduction, fold)
        self.alpha, self.gamma = alpha, gamma

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        t = like(target, scores)
        p, q = sigmoid(scores), sigmoid(-scores)
        cost = np.maximum(scores, 0.0) - t * scores + np.log1p(np.exp(-np.abs(scores)))
        rest = p * (1.0 - t) + q * t
        power = rest**self.gamma
        weight = 1.0 if self.alpha < 0 else self.alpha * t + (1.0 - self.alpha) * (1.0 - t)
        bend = np.divide(p * q * (1.0 - 2.0 * t), rest, out=np.zeros_like(rest), where=rest != 0.0)
        slope = weight * power * (p - t + self.gamma * cost * bend)
        return (weight * power * cost).sum(axis=1), slope


class KLDivLoss(Loss):
    """``t (log t - s)`` for log probabilities s, with ``0 log 0 = 0``; gradient ``-t``.

    With ``log_target``, ``exp(t) (t - s)`` and ``-exp(t)``.

    Examples
    --------
    >>> loss = KLDivLoss(reduction="batchmean")
    >>> round(loss.forward(np.log([[0.5, 0.5]]), [[1.0, 0.0]]), 4)
    0.6931
    >>> loss.backward()
    array([[-1., -0.]])
    """

    def __init__(
        self, log_target: bool = False, reduction: Reduction = "mean", fold: int = 1
    ) -> None:
        super().__init__(reduction, fold)
        self.log_target = log_target

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        t = like(target, scores)
        weight = np.exp(t) if self.log_target else t
        log_t = t if self.log_target else np.log(np.where(t == 0.0, 1.0, t))
        return (weight * (log_t - scores)).sum(axis=1), -weight


LOSSES: dict[str, type[Loss]] = {
    "CrossEntropyLoss": CrossEntropyLoss,
    "BCEWithLogitsLoss": BCEWithLogitsLoss,
    "MSELoss": MSELoss,
    "L1Loss": L1Loss,
    "HuberLoss": HuberLoss,
    "MultiMarginLoss": MultiMarginLoss,
    "PoissonNLLLoss": PoissonNLLLoss,
    "QuantileLoss": QuantileLoss,
    "FocalLoss": FocalLoss,
    "SigmoidFocalLoss": SigmoidFocalLoss,
    "KLDivLoss": KLDivLoss,
    **losses_density.LOSSES,
    **losses_pairs.LOSSES,
    **losses_policy.LOSSES,
}
