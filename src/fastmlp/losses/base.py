"""The base class of the losses.

Conventions are PyTorch's. With ``sample_weight`` (one ``w`` for each row), ``reduction="mean"`` is
``sum_i w_i l_i / sum_i w_i`` (0 when the weights sum to 0) and ``"sum"`` is ``sum_i w_i l_i``;
elementwise losses average over the columns too.

``fold=k`` is for networks of ``k`` members, such as an ensemble in one network. Each member
predicts the same targets with its own part of the columns: scores are ``(N, k * C)``, member after
member. The loss is the mean of the members' losses, never the loss of their mean prediction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.config import Adjustable, registered
from fastmlp.base.errors import ArgumentError, StateError
from fastmlp.base.validation import Array
from fastmlp.losses import metrics, packing

REDUCTIONS = ("mean", "sum")
ROWS: Mapping[str, tuple[int, Any]] = {
    row["name"]: (kind, row) for kind, row in enumerate(_core.losses())
}


class Loss(Adjustable):
    """Base of the losses."""

    score_name: ClassVar[str] = "r2"
    # Targets that a step may pass to the core without a check of their values: "class" (labels in
    # range), "real" (any numbers) or "" (none).
    unchecked_target: ClassVar[str] = ""
    reductions: ClassVar[tuple[str, ...]] = REDUCTIONS
    smooth: ClassVar[bool] = True  # has second derivatives everywhere

    def __init__(self, reduction: str = "mean", fold: int = 1) -> None:
        self.reduction = validation.choice(reduction, "reduction", self.reductions)
        self.fold = validation.size(fold, "fold")
        self._gradient: Array | None = None
        self._values: Array | None = None

    def forward(self, scores: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the loss and keep its gradient for ``backward``.

        Parameters
        ----------
        scores : array_like, shape (N, C), (C,) or (..., C)
            The network's output. The loss is computed in float64 if this is float64, else in
            float32.
        y : array_like
            Targets, as the class describes; for scores of one row, the target of one row. Scores
            with more leading dimensions have targets and weights with the same.
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
        array = validation.vectors(scores, "scores", dtype)
        rows, leading = validation.flat_rows(array), array.shape[:-1]
        if len(leading) > 1:
            y = packing.flattened(y, leading)
            if sample_weight is not None:
                sample_weight = validation.flattened(sample_weight, "sample_weight", leading)
        elif not leading:
            y = packing.of_one_row(y)
            if sample_weight is not None:
                sample_weight = np.atleast_1d(validation.numeric(sample_weight, "sample_weight"))
        target = self.checked_target(y, rows.shape[0], rows.shape[1], dtype)
        weights = validation.sample_weights(sample_weight, rows.shape[0], dtype)
        value, gradient, values = self.computed(rows, target, weights)
        self._gradient, self._values = gradient.reshape(array.shape), values
        return value

    @property
    def values(self) -> Array:
        """Each member's part of the last loss, shape (fold,); the loss is their mean.

        Raises
        ------
        StateError
            Before a forward pass.

        Examples
        --------
        >>> import fastmlp as fm
        >>> loss = fm.MSELoss(fold=2)
        >>> loss.forward([[1.0, 3.0]], [0.0])
        5.0
        >>> loss.values.tolist()
        [1.0, 9.0]
        """
        if self._values is None:
            raise StateError("values: no loss has been computed; call forward(scores, y) first")
        return self._values

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
        return float(np.mean(self.member_scores(scores, y, sample_weight)))

    def member_scores(self, scores: Any, y: Any, sample_weight: Any = None) -> Array:
        """Return the score of each member, shape (fold,); ``score`` is their mean.

        Examples
        --------
        >>> import fastmlp as fm
        >>> loss = fm.CrossEntropyLoss(fold=2)
        >>> loss.member_scores([[0.0, 1.0, 1.0, 0.0]], [1]).tolist()
        [1.0, 0.0]
        """
        dtype = validation.natural_dtype(scores, "scores")
        rows = validation.matrix(scores, "scores", dtype)
        target = self.checked_target(y, rows.shape[0], rows.shape[1], dtype)
        weights = validation.sample_weights(sample_weight, rows.shape[0], dtype)
        return self.core_scores(rows, target, weights)

    def checked_target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
        """Check the targets of scores with ``width`` columns, and convert them for the core."""
        if width % self.fold:
            raise ArgumentError(f"scores: got {width} columns; want a multiple of fold={self.fold}")
        return self.target(y, rows, width // self.fold, dtype)

    def target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
        """Check the targets of one member, whose scores have ``width`` columns."""
        return validation.targets(y, "y", rows, width, dtype)

    def unchecked(self, width: int) -> Any:
        """Return `unchecked_target`, or fields that the core packs, for ``width`` columns of scores
        of a member."""
        return self.unchecked_target

    def core_spec(self) -> tuple[int, tuple[float, ...], Any, int]:
        """Return the core's description of the loss: kind, parameters, reduction, fold."""
        kind, row = registered(ROWS, self, "loss")
        values = tuple(float(getattr(self, name)) for name, _ in row["params"])
        return kind, values, self.reduction, self.fold

    def computed(
        self, rows: Array, target: Array, weights: Array | None
    ) -> tuple[float, Array, Array]:
        """Return the loss of checked arrays, its gradient, and each member's part.

        Targets and weights belong to rows, or to each member of each row: (rows * fold, ...).
        """
        kind, parameters, reduction, fold = self.core_spec()
        values = np.empty(fold)
        value, gradient = _core.loss_forward(
            kind, parameters, reduction, rows, target, weights, fold, values
        )
        return value, gradient, values

    def core_scores(self, rows: Array, target: Array, weights: Array | None) -> Array:
        """Return the score of each member; arrays as for ``computed``."""
        count, fold = len(rows), self.fold
        parts = rows.reshape(count, fold, rows.shape[1] // fold)
        # A diverged network has infinite scores: the result is then NaN, without warnings.
        with np.errstate(all="ignore"):
            if len(target) == count:
                found = [self._score(parts[:, k], target, weights) for k in range(fold)]
            else:
                own = target.reshape(count, fold, *target.shape[1:])
                shares = None if weights is None else weights.reshape(count, fold)
                found = [
                    self._score(parts[:, k], own[:, k], None if shares is None else shares[:, k])
                    for k in range(fold)
                ]
        return np.array(found, np.float64)

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return metrics.r2(rows, target, weights)

    def minus_loss(self, rows: Array, target: Array, weights: Array | None) -> float:
        """Return minus the loss of one member's rows; NaN if there are none."""
        if not len(rows) or (weights is not None and not weights.sum()):
            return float("nan")
        kind, parameters, reduction, _ = self.core_spec()
        rows, target = np.ascontiguousarray(rows), np.ascontiguousarray(target)
        weights = None if weights is None else np.ascontiguousarray(weights)
        return -_core.loss_forward(kind, parameters, reduction, rows, target, weights)[0]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_gradient": None, "_values": None}
