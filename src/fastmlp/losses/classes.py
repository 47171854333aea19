"""Losses of classes: scores are logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.losses import metrics
from fastmlp.losses.base import REDUCTIONS, Loss

__all__ = [
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "FocalLoss",
    "KLDivLoss",
    "MultiMarginLoss",
    "SigmoidFocalLoss",
]


class CrossEntropyLoss(Loss):
    """Softmax and cross-entropy: ``-sum_j t_j log softmax(scores)_j`` for each row.

    Parameters
    ----------
    label_smoothing : float, default 0
        From 0 to 1: the target becomes ``(1 - s) t + s / C``.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; the scores are then ``(N, fold * C)``.

    Notes
    -----
    ``y`` holds class labels ``(N,)`` from 0 to C - 1, or probabilities ``(N, C)``.
    The score is the accuracy.

    Examples
    --------
    >>> import fastmlp as fm
    >>> loss = fm.CrossEntropyLoss()
    >>> round(loss.forward([[0.0, 0.0]], [1]), 4)
    0.6931
    >>> loss.backward().tolist()
    [[0.5, -0.5]]
    """

    score_name = "accuracy"
    unchecked_target = "class"

    def __init__(
        self, label_smoothing: float = 0.0, reduction: str = "mean", fold: int = 1
    ) -> None:
        super().__init__(reduction, fold)
        self.label_smoothing = validation.real(label_smoothing, "label_smoothing", 0.0, 1.0)

    def target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
        array = y if isinstance(y, np.ndarray) else validation.numeric(y, "y")
        if array.ndim == 2 and array.shape[1] == width and (width > 1 or array.dtype.kind == "f"):
            return validation.targets(array, "y", rows, width, dtype)
        return validation.labels(array, "y", rows, width)

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return metrics.accuracy(rows, target, weights)


class MultiMarginLoss(Loss):
    """Multiclass SVM hinge: ``sum_{j != y} max(0, s_j - s_y + margin)`` for each row.

    Parameters
    ----------
    margin : float, default 1
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; the scores are then ``(N, fold * C)``.

    Notes
    -----
    The loss is summed over the wrong classes, not averaged. ``y`` holds class labels ``(N,)``. The
    score is the accuracy.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.MultiMarginLoss().forward([[3.0, 1.0, 2.5]], [0])
    0.5
    """

    smooth = False

    score_name = "accuracy"
    unchecked_target = "class"

    def __init__(self, margin: float = 1.0, reduction: str = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.margin = validation.real(margin, "margin")

    def target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
        return validation.labels(y, "y", rows, width)

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return metrics.accuracy(rows, target, weights)


class BCEWithLogitsLoss(Loss):
    """Sigmoid and binary cross-entropy: ``log(1 + exp(s)) - t s`` for each element.

    Parameters
    ----------
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; the scores are then ``(N, fold * C)``.

    Notes
    -----
    ``y`` holds numbers from 0 to 1, ``(N, C)``, or ``(N,)`` if C is 1. The score is the accuracy at
    probability 1/2, over all elements.

    Examples
    --------
    >>> import fastmlp as fm
    >>> round(fm.BCEWithLogitsLoss().forward([[0.0], [0.0]], [0, 1]), 4)
    0.6931
    """

    score_name = "accuracy"

    def target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
        return _unit_targets(y, rows, width, dtype)

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return metrics.binary_accuracy(rows, target, weights)


class FocalLoss(Loss):
    """Focal loss: ``-(1 - p)**gamma log p`` with ``p`` the softmax of the label's score.

    Rows that the network already gets right count less, so that rare classes are not drowned.

    Parameters
    ----------
    gamma : float, default 2
        At least 0; 0 is cross-entropy.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; the scores are then ``(N, fold * C)``.

    Notes
    -----
    ``y`` holds class labels ``(N,)``. Weights of the classes (``alpha`` of the paper) are
    ``sample_weight``. The score is the accuracy. Source: Lin, Goyal, Girshick, He & Dollar 2017,
    "Focal Loss for Dense Object Detection".

    Examples
    --------
    >>> import fastmlp as fm
    >>> round(fm.FocalLoss().forward([[0.0, 0.0]], [1]), 4)
    0.1733
    """

    score_name = "accuracy"
    unchecked_target = "class"

    def __init__(self, gamma: float = 2.0, reduction: str = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.gamma = validation.real(gamma, "gamma", 0.0)

    def target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
        return validation.labels(y, "y", rows, width)

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return metrics.accuracy(rows, target, weights)


class SigmoidFocalLoss(Loss):
    """Binary focal loss of each element: ``alpha_t (1 - p_t)**gamma`` times the cross-entropy.

    ``p_t`` is the probability given to the target, and ``alpha_t`` is ``alpha`` for a target of 1,
    ``1 - alpha`` for 0. The formula and its defaults are torchvision's ``sigmoid_focal_loss``.

    Parameters
    ----------
    alpha : float, default 0.25
        From 0 to 1, or -1 for no weights.
    gamma : float, default 2
        At least 0.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; the scores are then ``(N, fold * C)``.

    Notes
    -----
    ``y`` holds numbers from 0 to 1, ``(N, C)``, or ``(N,)`` if C is 1. The score is the accuracy at
    probability 1/2, over all elements. Source: Lin, Goyal, Girshick, He & Dollar 2017, "Focal Loss
    for Dense Object Detection".

    Examples
    --------
    >>> import fastmlp as fm
    >>> round(fm.SigmoidFocalLoss().forward([[0.0], [0.0]], [0, 1]), 4)
    0.0866
    """

    score_name = "accuracy"

    def __init__(
        self, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean", fold: int = 1
    ) -> None:
        super().__init__(reduction, fold)
        self.alpha = validation.real(alpha, "alpha", -1.0, 1.0)
        self.gamma = validation.real(gamma, "gamma", 0.0)

    def target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
        return _unit_targets(y, rows, width, dtype)

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return metrics.binary_accuracy(rows, target, weights)


class KLDivLoss(Loss):
    """Kullback-Leibler divergence: ``t (log t - s)`` for each element; ``0 log 0`` is 0.

    As PyTorch's: scores are LOG probabilities, targets are probabilities.

    Parameters
    ----------
    log_target : bool, default False
        Whether targets are log probabilities too: ``exp(t) (t - s)``.
    reduction : {"mean", "sum", "batchmean"}
        The mean is over all elements; ``"batchmean"`` is the mean over rows of the sums over
        columns, which is the divergence of the distributions.
    fold : int, default 1
        Number of members that predict ``y``; the scores are then ``(N, fold * C)``.

    Notes
    -----
    ``y`` is at least 0, ``(N, C)``. For scores that are logits, ``CrossEntropyLoss`` with
    probabilities has the gradient of ``"batchmean"``; the losses differ by the entropy of ``y``.
    The score is minus the loss.

    Examples
    --------
    >>> import numpy as np
    >>> import fastmlp as fm
    >>> loss = fm.KLDivLoss(reduction="batchmean")
    >>> round(loss.forward(np.log([[0.5, 0.5]]), [[1.0, 0.0]]), 4)
    0.6931
    """

    score_name = "minus loss"
    reductions = (*REDUCTIONS, "batchmean")

    def __init__(self, log_target: bool = False, reduction: str = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.log_target = validation.flag(log_target, "log_target")

    def target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
        target = validation.targets(y, "y", rows, width, dtype)
        # Written so that NaN is refused too.
        if not self.log_target and target.size and not target.min() >= 0.0:
            raise ArgumentError(f"y: got {target.min()}; want probabilities of at least 0")
        return target

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return self.minus_loss(rows, target, weights)


def _unit_targets(y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
    target = validation.targets(y, "y", rows, width, dtype)
    # Written so that NaN is refused too.
    if target.size and not (target.min() >= 0.0 and target.max() <= 1.0):
        raise ArgumentError(f"y: got values from {target.min()} to {target.max()}; want 0 to 1")
    return target
