"""Losses of the similarity of vectors that lie side by side in a row of scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, as_float
from .loss_base import Loss, Reduction, like

__all__ = ["ContrastiveLoss", "CosineEmbeddingLoss", "CosineSimilarityLoss", "TripletMarginLoss"]


class ContrastiveLoss(Loss):
    """``y d^2 / 2 + (1 - y) max(0, margin - d)^2 / 2`` with ``d = |a - b|``.

    Scores are (N, 2 D), y is (N,). At d = 0 the second part has gradient 0.

    Source: Hadsell, Chopra & LeCun 2006 (their Y is 1 - y).

    Examples
    --------
    >>> loss = ContrastiveLoss(margin=3.0)
    >>> loss.forward([[0.0, 0.0, 0.0, 2.0]] * 2, [1.0, 0.0])
    1.25
    """

    target = "fields"
    elementwise = 0

    def __init__(self, margin: float = 1.0, reduction: Reduction = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.margin = margin

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        a, b = np.split(scores, 2, axis=1)
        y = as_float(target).reshape(-1)
        d, _ = _distance(a - b)
        gap = np.maximum(0.0, self.margin - d)
        loss = 0.5 * (y * d * d + (1.0 - y) * gap * gap)
        ratio = np.divide(gap, d, out=np.zeros_like(d), where=d != 0.0)
        slope = (y - (1.0 - y) * ratio)[:, np.newaxis] * (a - b)
        return loss, np.hstack([slope, -slope])


class TripletMarginLoss(Loss):
    """``max(0, d(a, p) - d(a, n) + margin)`` with ``d(x, y) = |x - y + eps|``.

    Scores are (N, 3 D): anchor, positive, negative. With ``swap``, d(p, n) takes the place of
    d(a, n) where it is smaller. PyTorch's, for p = 2.

    Source: Balntas et al. 2016, "Learning Local Feature Descriptors with Triplets".

    Examples
    --------
    >>> loss = TripletMarginLoss(eps=0.0)
    >>> loss.forward([[0.0, 1.0, 1.5]], [0.0])
    0.5
    >>> loss.backward()
    array([[ 0.,  1., -1.]])
    """

    target = "fields"
    elementwise = 0

    def __init__(
        self,
        margin: float = 1.0,
        eps: float = 1e-6,
        swap: bool = False,
        reduction: Reduction = "mean",
        fold: int = 1,
    ) -> None:
        super().__init__(reduction, fold)
        self.margin, self.eps, self.swap = margin, eps, swap

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        a, p, n = np.split(scores, 3, axis=1)
        near, to_near = _distance(a - p + self.eps)
        far, to_far = _distance(a - n + self.eps)
        other, to_other = _distance(p - n + self.eps)
        swapped = (other < far) & bool(self.swap)
        column = swapped[:, np.newaxis]
        excess = near - np.where(swapped, other, far) + self.margin
        to_far, to_other = np.where(column, 0.0, to_far), np.where(column, to_other, 0.0)
        parts = [to_near - to_far, -to_near - to_other, to_far + to_other]
        counts = np.where(excess <= 0.0, 0.0, 1.0)[:, np.newaxis]
        slope = np.where(counts == 0.0, 0.0, np.hstack(parts))
        return np.where(excess < 0.0, 0.0, excess), slope


class CosineEmbeddingLoss(Loss):
    """``1 - cos(a, b)`` if y = 1, ``max(0, cos(a, b) - margin)`` if y = -1.

    Scores are (N, 2 D), y is (N,). As in PyTorch, 1e-12 is added to the squared norms.

    Examples
    --------
    >>> loss = CosineEmbeddingLoss()
    >>> round(loss.forward([[1.0, 0.0, 1.0, 1.0]], [1.0]), 4)
    0.2929
    """

    target = "fields"
    elementwise = 0

    def __init__(self, margin: float = 0.0, reduction: Reduction = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.margin = margin

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        a, b = np.split(scores, 2, axis=1)
        is_pair = as_float(target).reshape(-1) > 0.0
        aa, bb = (a * a).sum(axis=1) + 1e-12, (b * b).sum(axis=1) + 1e-12
        norms = np.sqrt(aa) * np.sqrt(bb)
        cosine = (a * b).sum(axis=1) / norms
        excess = cosine - self.margin
        loss = np.where(is_pair, 1.0 - cosine, np.where(excess < 0.0, 0.0, excess))
        by = np.where(is_pair, -1.0, np.where(excess <= 0.0, 0.0, 1.0))
        of_a = (by * cosine / aa)[:, np.newaxis] * a
        of_b = (by * cosine / bb)[:, np.newaxis] * b
        cross = (by / norms)[:, np.newaxis]
        return loss, np.hstack([cross * b - of_a, cross * a - of_b])


class CosineSimilarityLoss(Loss):
    """``1 - s t / (max(|s|, eps) max(|t|, eps))``, with PyTorch's cosine.

    Examples
    --------
    >>> loss = CosineSimilarityLoss()
    >>> loss.forward([[2.0, 0.0]], [[0.0, 3.0]])
    1.0
    >>> loss.backward()
    array([[ 0. , -0.5]])
    """

    elementwise = 0

    def __init__(self, eps: float = 1e-8, reduction: Reduction = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.eps = eps

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        t = like(target, scores)
        size = np.sqrt((scores * scores).sum(axis=1))
        wanted = np.sqrt((t * t).sum(axis=1))
        s = np.where(size < self.eps, self.eps, size)
        w = np.where(wanted < self.eps, self.eps, wanted)
        cosine = (scores * t).sum(axis=1) / s / w
        of_scores = np.where(size < self.eps, 0.0, cosine / s / s)
        slope = of_scores[:, np.newaxis] * scores - (1.0 / s / w)[:, np.newaxis] * t
        return 1.0 - cosine, slope


def _distance(d: Array) -> tuple[Array, Array]:
    """The norm of each row, and its gradient, 0 at 0."""
    size = np.sqrt((d * d).sum(axis=1))
    inverse = np.divide(1.0, size, out=np.zeros_like(size), where=size != 0.0)
    return size, d * inverse[:, np.newaxis]


LOSSES: dict[str, type[Loss]] = {
    "ContrastiveLoss": ContrastiveLoss,
    "TripletMarginLoss": TripletMarginLoss,
    "CosineEmbeddingLoss": CosineEmbeddingLoss,
    "CosineSimilarityLoss": CosineSimilarityLoss,
}
