"""Losses: one number from scores and targets, and its gradient with respect to the scores.

``scores`` is (N, C). Each loss defines ``rows(scores, target)``, which returns the loss (N,) and
the gradient (N, C) of every row by itself. `Loss.forward` does the weighting and averaging for all
of them:

* ``reduction="sum"``:  ``sum_i w_i l_i``
* ``reduction="mean"``: ``sum_i w_i l_i / sum_i w_i`` (0 when the weights sum to 0); losses that are
  sums over elements (MSE, L1, ...) are divided by the number of columns ``C`` as well.

With ``fold=k``, scores are (N, k C): ``k`` members predict the same targets, and the loss is the
mean of theirs (``values``).

Formulas and defaults are PyTorch's where it has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from .activations import sigmoid
from .arrays import Array, as_float

Reduction = Literal["mean", "sum"]


class Loss:
    """Base of the losses: weighting and reduction; a subclass defines ``rows``.

    Attributes
    ----------
    target : what targets are: ``"class"`` (labels (N,) or probabilities (N, C)), ``"real"``
        ((N, C), or (N,) when C = 1) or ``"quantile"``
    elementwise : whether ``"mean"`` also averages over the columns
    """

    target: ClassVar[str] = "real"
    elementwise: ClassVar[bool] = True
    dscores: Array
    values: Array

    def __init__(self, reduction: Reduction = "mean", fold: int = 1) -> None:
        if reduction not in ("mean", "sum"):
            raise ValueError(f"reduction must be 'mean' or 'sum', not {reduction!r}")
        self.reduction, self.fold = reduction, fold

    def rows(self, scores: Array, target: ArrayLike) -> tuple[Array, Array]:
        """Loss (N,) and gradient (N, C) of each row by itself."""
        raise NotImplementedError

    def forward(
        self, scores: ArrayLike, target: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the reduced loss; keep its gradient for `backward`."""
        scores = as_float(scores)
        weight = np.ones(len(scores)) if sample_weight is None else as_float(sample_weight)
        members = np.split(scores, self.fold, axis=1)
        losses, gradients = zip(
            *(self._reduced(one, target, weight) for one in members), strict=True
        )
        self.values = np.array(losses)
        self.dscores = as_float(np.hstack(gradients) / self.fold)
        return float(np.mean(self.values))

    def _reduced(self, scores: Array, target: ArrayLike, weight: Array) -> tuple[float, Array]:
        """The reduced loss of one member, and its gradient."""
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            loss, gradient = self.rows(scores, target)
            divisor = self._divisor(weight, scores.shape[1])
            if divisor == 0.0:
                return 0.0, np.zeros_like(scores)
            slope = as_float(gradient * (weight / divisor)[:, np.newaxis])
            return float(np.sum(weight * loss) / divisor), slope

    def backward(self) -> Array:
        """The gradient of the last `forward` with respect to the scores, (N, C)."""
        return self.dscores

    def _divisor(self, weight: Array, columns: int) -> float:
        if self.reduction == "sum":
            return 1.0
        return float(weight.sum()) * (columns if self.elementwise else 1)


def one_hot(labels: ArrayLike, classes: int) -> Array:
    """Return labels 0..classes-1, (N,), as rows of probabilities, (N, classes).

    Examples
    --------
    >>> one_hot([1, 0], 2)
    array([[0., 1.],
           [1., 0.]])
    """
    return as_float(np.asarray(labels)[:, np.newaxis] == np.arange(classes))


def log_softmax(scores: ArrayLike) -> Array:
    """``s_j - log(sum_k exp(s_k))`` in each row, (N, C), without overflow.

    Examples
    --------
    >>> log_softmax([[1000.0, 0.0]])
    array([[    0., -1000.]])
    """
    scores = as_float(scores)
    with np.errstate(under="ignore", invalid="ignore"):
        shifted = scores - scores.max(axis=1, keepdims=True)
        return as_float(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


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
    elementwise = False

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
        t = _like(target, scores)
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
        d = scores - _like(target, scores)
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
        d = scores - _like(target, scores)
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
        d = scores - _like(target, scores)
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
    elementwise = False

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
        t = _like(target, scores)
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


def _like(target: ArrayLike, scores: Array) -> Array:
    """The target in the scores' shape: (N,) serves a single column."""
    return as_float(target).reshape(scores.shape)


LOSSES: dict[str, type[Loss]] = {
    "CrossEntropyLoss": CrossEntropyLoss,
    "BCEWithLogitsLoss": BCEWithLogitsLoss,
    "MSELoss": MSELoss,
    "L1Loss": L1Loss,
    "HuberLoss": HuberLoss,
    "MultiMarginLoss": MultiMarginLoss,
    "PoissonNLLLoss": PoissonNLLLoss,
    "QuantileLoss": QuantileLoss,
}
