"""The base class of the losses.

Conventions are PyTorch's. With ``sample_weight`` (one ``w`` for each row), ``reduction="mean"`` is
``sum_i w_i l_i / sum_i w_i`` (0 when the weights sum to 0) and ``"sum"`` is ``sum_i w_i l_i``;
elementwise losses average over the columns too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.config import Configurable, registered
from fastmlp.base.errors import StateError
from fastmlp.base.validation import Array
from fastmlp.losses import metrics

REDUCTIONS = ("mean", "sum")
ROWS: Mapping[str, tuple[int, Any]] = {
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
            y = validation.flattened(y, "y", leading)
            if sample_weight is not None:
                sample_weight = validation.flattened(sample_weight, "sample_weight", leading)
        elif not leading:
            y = validation.numeric(y, "y")
            y = y.reshape(1) if y.size == 1 else y[None]
            if sample_weight is not None:
                sample_weight = np.atleast_1d(validation.numeric(sample_weight, "sample_weight"))
        target = self.target(y, rows.shape[0], rows.shape[1], dtype)
        weights = validation.sample_weights(sample_weight, rows.shape[0], dtype)
        value, gradient = _core.loss_forward(*self.core_spec(), rows, target, weights)
        self._gradient = gradient.reshape(array.shape)
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
        kind, row = registered(ROWS, self, "loss")
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
