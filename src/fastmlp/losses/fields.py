"""The base of the losses whose targets are several named numbers in a row."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.losses.base import Loss
from fastmlp.losses.packing import Field, check_whole, packed


class FieldsLoss(Loss):
    """Base of the losses of rows of fields; ``layout`` says which.

    ``y`` is an array ``(N, k)`` of the fields side by side, or a dict or a structured array of
    them, ``(N,)`` or ``(N, columns)`` each.
    """

    score_name: ClassVar[str] = "minus loss"

    def layout(self, width: int) -> list[Field]:
        """Return the fields of the targets of ``width`` columns of scores."""
        raise NotImplementedError

    def unchecked(self, width: int) -> Any:
        try:
            return tuple(tuple(field) for field in self.layout(width))
        except ArgumentError:  # the next step says what does not fit
            return ""

    def target(self, y: Any, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
        layout = self.layout(width)
        target = packed(y, layout, rows, dtype)
        first = 0
        for field in layout:
            if field.end:
                check_whole(target[:, first], field)
            first += field.columns
        return target

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return self.minus_loss(rows, target, weights)
