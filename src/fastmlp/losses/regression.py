"""Losses of numbers: scores are predictions of the targets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.losses import metrics
from fastmlp.losses.base import ROWS, Loss

__all__ = [
    "HuberLoss",
    "L1Loss",
    "MSELoss",
    "PoissonNLLLoss",
    "QuantileLoss",
]


class MSELoss(Loss):
    """Squared error: ``(s - t) ** 2`` for each element.

    Parameters
    ----------
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; the scores are then ``(N, fold * C)``.

    Notes
    -----
    ``y`` is ``(N, C)``, or ``(N,)`` if C is 1. The score is R2, averaged over the columns.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.MSELoss().forward([[1.0], [3.0]], [0.0, 1.0])
    2.5
    """

    unchecked_target = "real"


class L1Loss(Loss):
    """Absolute error: ``abs(s - t)`` for each element; gradient 0 at 0.

    Parameters
    ----------
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; the scores are then ``(N, fold * C)``.

    Notes
    -----
    ``y`` is ``(N, C)``, or ``(N,)`` if C is 1. The score is R2, averaged over the columns.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.L1Loss().forward([[1.0], [3.0]], [0.0, 1.0])
    1.5
    """

    smooth = False

    unchecked_target = "real"


class HuberLoss(Loss):
    """Squared error near 0, absolute error beyond ``delta``.

    With ``d = s - t``: ``d**2 / 2`` where ``abs(d) <= delta``, else
    ``delta * (abs(d) - delta / 2)``.

    Parameters
    ----------
    delta : float, default 1
        Above 0.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; the scores are then ``(N, fold * C)``.

    Notes
    -----
    ``y`` is ``(N, C)``, or ``(N,)`` if C is 1. The score is R2, averaged over the columns.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.HuberLoss(1.0).forward([[1.0], [3.0]], [0.0, 0.0])
    1.5
    """

    smooth = False

    unchecked_target = "real"

    def __init__(self, delta: float = 1.0, reduction: str = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.delta = validation.real(delta, "delta", 0.0, low_open=True)


class PoissonNLLLoss(Loss):
    """Poisson negative log-likelihood of counts: ``exp(s) - t s``; scores are log rates.

    Parameters
    ----------
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; the scores are then ``(N, fold * C)``.

    Notes
    -----
    ``y`` is at least 0, ``(N, C)``, or ``(N,)`` if C is 1. The score is D2: the fraction of the
    Poisson deviance that the scores explain, averaged over the columns.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.PoissonNLLLoss().forward([[0.0]], [3.0])
    1.0
    """

    score_name = "d2"

    def target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
        target = validation.targets(y, "y", rows, width, dtype)
        # Written so that NaN is refused too.
        if target.size and not target.min() >= 0.0:
            raise ArgumentError(f"y: got {target.min()}; want counts of at least 0")
        return target

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return metrics.d2_poisson(rows, target, weights)


class QuantileLoss(Loss):
    """Pinball loss: with ``d = t - s``, ``max(q d, (q - 1) d)`` for each element.

    Parameters
    ----------
    quantiles : float or sequence of float
        Each above 0 and below 1. Output column ``c`` estimates quantile ``c % Q`` of the ``Q``
        given, of target ``c // Q``.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; the scores are then ``(N, fold * C)``.

    Notes
    -----
    ``y`` is ``(N, C // Q)``, or ``(N,)`` if that is 1, or ``(N, C)`` with a target for each column.
    The score is D2: the fraction of the pinball loss of the best constants that the scores explain,
    averaged over the columns.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.QuantileLoss([0.25, 0.75]).forward([[0.0, 0.0]], [1.0])
    0.5
    """

    smooth = False

    score_name = "d2"

    def __init__(
        self, quantiles: float | Iterable[float], reduction: str = "mean", fold: int = 1
    ) -> None:
        super().__init__(reduction, fold)
        several = isinstance(quantiles, Iterable)
        wanted = "numbers between 0 and 1"
        given = validation.items(quantiles, "quantiles", wanted) if several else [quantiles]
        self.quantiles = tuple(validation.real(q, "quantiles", 0.0, 1.0, True, True) for q in given)
        if not self.quantiles:
            raise ArgumentError("quantiles: got none; want at least one")

    def target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
        each = len(self.quantiles)
        if width % each:
            raise ArgumentError(
                f"scores: got {width} columns; want a multiple of {each}, the number of quantiles"
            )
        array = validation.numeric(y, "y")
        of_columns = array.ndim == 2 and array.shape[1] == width
        return validation.targets(array, "y", rows, width if of_columns else width // each, dtype)

    def core_spec(self) -> tuple[int, tuple[float, ...], Any, int]:
        return ROWS["QuantileLoss"][0], self.quantiles, self.reduction, self.fold

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return metrics.d2_pinball(rows, target, weights, self.quantiles)
