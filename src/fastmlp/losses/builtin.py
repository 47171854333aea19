"""Loss functions: the error of a network's scores, and its gradient with respect to the scores.

Conventions are PyTorch's. With ``sample_weight`` (one ``w`` for each row), ``reduction="mean"`` is
``sum_i w_i l_i / sum_i w_i`` (0 when the weights sum to 0) and ``"sum"`` is ``sum_i w_i l_i``;
elementwise losses average over the columns too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.config import Configurable, registered
from fastmlp.base.errors import ArgumentError, StateError
from fastmlp.base.validation import Array
from fastmlp.losses import metrics

REDUCTIONS = ("mean", "sum")
_ROWS: Mapping[str, tuple[int, Any]] = {
    row["name"]: (kind, row) for kind, row in enumerate(_core.losses())
}


class Loss(Configurable):
    """Base of the losses."""

    score_name: ClassVar[str] = "r2"
    # Targets that a step may pass to the core without a check of their values: "class" (labels in
    # range), "real" (any numbers) or "" (none).
    unchecked_target: ClassVar[str] = ""

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = validation.choice(reduction, "reduction", REDUCTIONS)
        self._gradient: Array | None = None

    def forward(self, scores: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the loss and keep its gradient for ``backward``.

        Parameters
        ----------
        scores : array_like, shape (N, C) or (C,)
            The network's output. The loss is computed in float64 if this is float64, else in
            float32.
        y : array_like
            Targets, as the class describes; for scores of one row, the target of one row.
        sample_weight : array_like, shape (N,), optional

        Returns
        -------
        float

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If shapes, types or values do not fit.
        """
        dtype = validation.natural_dtype(scores, "scores")
        rows, single = validation.rows_or_row(scores, "scores", dtype)
        if single:
            y = validation.numeric(y, "y")
            y = y.reshape(1) if y.size == 1 else y[None]
            if sample_weight is not None:
                sample_weight = np.atleast_1d(validation.numeric(sample_weight, "sample_weight"))
        target = self.target(y, rows.shape[0], rows.shape[1], dtype)
        weights = validation.sample_weights(sample_weight, rows.shape[0], dtype)
        value, gradient = _core.loss_forward(*self.core_spec(), rows, target, weights)
        self._gradient = gradient[0] if single else gradient
        return value

    def backward(self) -> Array:
        """Return the gradient of the last loss with respect to its scores, in their shape.

        Raises
        ------
        StateError
            Before a forward pass.
        """
        if self._gradient is None:
            raise StateError("backward: no loss has been computed; call forward(scores, y) first")
        return self._gradient

    def score(self, scores: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the measure ``score_name`` of the scores; 1 is perfect.

        Parameters
        ----------
        scores : array_like, shape (N, C)
        y : array_like
            Targets, as for ``forward``.
        sample_weight : array_like, shape (N,), optional

        Returns
        -------
        float
            NaN if there are no rows.
        """
        dtype = validation.natural_dtype(scores, "scores")
        rows = validation.matrix(scores, "scores", dtype)
        target = self.target(y, rows.shape[0], rows.shape[1], dtype)
        weights = validation.sample_weights(sample_weight, rows.shape[0], dtype)
        return self.core_score(rows, target, weights)

    def target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
        """Check targets and convert them for the core."""
        return validation.targets(y, "y", rows, width, dtype)

    def core_spec(self) -> tuple[int, tuple[float, ...], Any]:
        """Return the core's description of the loss: kind, parameters, reduction."""
        kind, row = registered(_ROWS, self, "loss")
        values = tuple(float(getattr(self, name)) for name, _ in row["params"])
        return kind, values, self.reduction

    def core_score(self, rows: Array, target: Array, weights: Array | None) -> float:
        """Return the score of checked arrays."""
        # A diverged network has infinite scores: the result is then NaN, without warnings.
        with np.errstate(all="ignore"):
            return self._score(rows, target, weights)

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return metrics.r2(rows, target, weights)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_gradient": None}


class CrossEntropyLoss(Loss):
    """Softmax and cross-entropy: ``-sum_j t_j log softmax(scores)_j`` for each row.

    Parameters
    ----------
    label_smoothing : float, default 0
        From 0 to 1: the target becomes ``(1 - s) t + s / C``.
    reduction : {"mean", "sum"}

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

    def __init__(self, label_smoothing: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
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

    score_name = "accuracy"
    unchecked_target = "class"

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
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
        target = validation.targets(y, "y", rows, width, dtype)
        # Written so that NaN is refused too.
        if target.size and not (target.min() >= 0.0 and target.max() <= 1.0):
            raise ArgumentError(f"y: got values from {target.min()} to {target.max()}; want 0 to 1")
        return target

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return metrics.binary_accuracy(rows, target, weights)


class MSELoss(Loss):
    """Squared error: ``(s - t) ** 2`` for each element.

    Parameters
    ----------
    reduction : {"mean", "sum"}

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

    Notes
    -----
    ``y`` is ``(N, C)``, or ``(N,)`` if C is 1. The score is R2, averaged over the columns.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.L1Loss().forward([[1.0], [3.0]], [0.0, 1.0])
    1.5
    """

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

    Notes
    -----
    ``y`` is ``(N, C)``, or ``(N,)`` if C is 1. The score is R2, averaged over the columns.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.HuberLoss(1.0).forward([[1.0], [3.0]], [0.0, 0.0])
    1.5
    """

    unchecked_target = "real"

    def __init__(self, delta: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.delta = validation.real(delta, "delta", 0.0, low_open=True)


class PoissonNLLLoss(Loss):
    """Poisson negative log-likelihood of counts: ``exp(s) - t s``; scores are log rates.

    Parameters
    ----------
    reduction : {"mean", "sum"}

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

    score_name = "d2"

    def __init__(self, quantiles: float | Iterable[float], reduction: str = "mean") -> None:
        super().__init__(reduction)
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

    def core_spec(self) -> tuple[int, tuple[float, ...], Any]:
        return _ROWS["QuantileLoss"][0], self.quantiles, self.reduction

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return metrics.d2_pinball(rows, target, weights, self.quantiles)
