"""Losses of similarity: scores are vectors side by side, or a direction."""

from __future__ import annotations

from typing import ClassVar

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.losses.base import Loss
from fastmlp.losses.fields import FieldsLoss
from fastmlp.losses.packing import Field

__all__ = ["ContrastiveLoss", "CosineEmbeddingLoss", "CosineSimilarityLoss", "TripletMarginLoss"]


class _VectorsLoss(FieldsLoss):
    """Base of losses of several vectors in a row of scores, with one number as the target."""

    vectors: ClassVar[int] = 2

    def layout(self, width: int) -> list[Field]:
        if width % self.vectors:
            raise ArgumentError(
                f"scores: got {width} columns; want a multiple of {self.vectors}, for vectors side "
                "by side"
            )
        return [Field("label")]


class ContrastiveLoss(_VectorsLoss):
    """Contrastive loss of pairs: ``y d**2 / 2 + (1 - y) max(0, margin - d)**2 / 2``.

    ``d`` is the Euclidean distance of the two vectors. Pairs that belong together are drawn
    together, others are pushed apart up to the margin.

    Parameters
    ----------
    margin : float, default 1
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; each has its part of the columns of the scores.

    Notes
    -----
    Scores are ``(N, 2 D)``: the two vectors side by side, as ``Linear(..., fold=2)`` makes them
    from two inputs side by side with the same weights. ``y`` is ``(N,)``: 1 for a pair that belongs
    together, 0 for another; or a dict of the field ``label``. The score is minus the loss. Source:
    Hadsell, Chopra & LeCun 2006, "Dimensionality Reduction by Learning an Invariant Mapping" (their
    Y is ``1 - y``).

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.ContrastiveLoss(margin=3.0).forward([[0.0, 0.0, 0.0, 2.0]] * 2, [1, 0])
    1.25
    """

    smooth = False

    def __init__(self, margin: float = 1.0, reduction: str = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.margin = validation.real(margin, "margin")


class TripletMarginLoss(_VectorsLoss):
    """Triplet loss: ``max(0, d(a, p) - d(a, n) + margin)``, with ``d(x, y) = |x - y + eps|``.

    The formula and its defaults are PyTorch's, for Euclidean distances.

    Parameters
    ----------
    margin : float, default 1
    eps : float, default 1e-6
    swap : bool, default False
        Whether ``d(p, n)`` takes the place of ``d(a, n)`` where it is smaller (Balntas, Riba, Ponsa
        & Mikolajczyk 2016, "Learning Local Feature Descriptors with Triplets").
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; each has its part of the columns of the scores.

    Notes
    -----
    Scores are ``(N, 3 D)``: anchor, positive and negative side by side, as ``Linear(..., fold=3)``
    makes them from three inputs side by side with the same weights. ``y`` is ``(N,)`` or a dict of
    the field ``label``; its values are not used. The score is minus the loss.

    Examples
    --------
    >>> import fastmlp as fm
    >>> round(fm.TripletMarginLoss().forward([[0.0, 1.0, 1.5]], [0]), 4)
    0.5
    """

    smooth = False

    vectors = 3

    def __init__(
        self,
        margin: float = 1.0,
        eps: float = 1e-6,
        swap: bool = False,
        reduction: str = "mean",
        fold: int = 1,
    ) -> None:
        super().__init__(reduction, fold)
        self.margin = validation.real(margin, "margin")
        self.eps = validation.real(eps, "eps", 0.0)
        self.swap = validation.flag(swap, "swap")


class CosineEmbeddingLoss(_VectorsLoss):
    """Cosine loss of pairs: ``1 - cos`` if ``y`` is 1, ``max(0, cos - margin)`` if it is -1.

    The formula is PyTorch's.

    Parameters
    ----------
    margin : float, default 0
        From -1 to 1.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; each has its part of the columns of the scores.

    Notes
    -----
    Scores are ``(N, 2 D)``: the two vectors side by side. ``y`` is ``(N,)``: 1 for a pair that
    belongs together, -1 for another; or a dict of the field ``label``. The score is minus the loss.

    Examples
    --------
    >>> import fastmlp as fm
    >>> round(fm.CosineEmbeddingLoss().forward([[1.0, 0.0, 1.0, 1.0]], [1]), 4)
    0.2929
    """

    smooth = False

    def __init__(self, margin: float = 0.0, reduction: str = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.margin = validation.real(margin, "margin", -1.0, 1.0)


class CosineSimilarityLoss(Loss):
    """Angle to the target: ``1 - cos(s, t)`` of each row.

    The cosine is PyTorch's ``CosineSimilarity``: norms are at least ``eps``.

    Parameters
    ----------
    eps : float, default 1e-8
        Above 0.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; the scores are then ``(N, fold * C)``.

    Notes
    -----
    ``y`` is ``(N, C)``. The score is minus the loss.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.CosineSimilarityLoss().forward([[2.0, 0.0]], [[0.0, 3.0]])
    1.0
    """

    score_name = "minus loss"
    unchecked_target = "real"

    def __init__(self, eps: float = 1e-8, reduction: str = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.eps = validation.real(eps, "eps", 0.0, low_open=True)

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return self.minus_loss(rows, target, weights)
