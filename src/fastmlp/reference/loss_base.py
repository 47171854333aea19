"""The base of the losses: weighting and reduction, for all of them.

``scores`` is (N, C). Each loss defines ``rows(scores, target)``, which returns the loss (N,) and
the gradient (N, C) of every row by itself. `Loss.forward` does the weighting and averaging:

* ``reduction="sum"``:  ``sum_i w_i l_i``
* ``reduction="mean"``: ``sum_i w_i l_i / sum_i w_i`` (0 when the weights sum to 0); losses that are
  sums over elements (MSE, L1, ...) are divided by the number of columns ``C`` as well.
* ``reduction="batchmean"``: the mean without this division.

With ``fold=k``, scores are (N, k C): ``k`` members predict the same targets, and the loss is the
mean of theirs (``values``).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, as_float

Reduction = Literal["mean", "sum", "batchmean"]


class Loss:
    """Base of the losses: weighting and reduction; a subclass defines ``rows``.

    Attributes
    ----------
    target : what targets are: ``"class"`` (labels (N,) or probabilities (N, C)), ``"real"``
        ((N, C), or (N,) when C = 1), ``"quantile"``, or ``"fields"`` (named numbers side by side)
    elementwise : whether ``"mean"`` also averages over the columns; 2 if two of them go together
    """

    target: ClassVar[str] = "real"
    elementwise: ClassVar[int] = 1
    dscores: Array
    values: Array

    def __init__(self, reduction: Reduction = "mean", fold: int = 1) -> None:
        if reduction not in ("mean", "sum", "batchmean"):
            raise ValueError(f"reduction must be 'mean', 'sum' or 'batchmean', not {reduction!r}")
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
        averages = self.elementwise and self.reduction == "mean"
        return float(weight.sum()) * (columns // self.elementwise if averages else 1)


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


def like(target: ArrayLike, scores: Array) -> Array:
    """The target in the scores' shape: (N,) serves a single column."""
    return as_float(target).reshape(scores.shape)
