"""A planned network of the core with the checks around its calls.

``Sequential`` and a layer used alone both run on one of these: there is no second implementation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp import _core, validation
from fastmlp.errors import ArgumentError, StateError
from fastmlp.validation import Array

_NEVER = "backward: no forward pass has been made; call forward(x) first"
_USED = "backward: the last forward pass has been used up; call forward(x) again first"


class Engine:
    """``_core.Net`` plus validation, and whether the last input was one row."""

    __slots__ = ("_ran", "_single", "core", "dtype", "n_in", "n_out")

    def __init__(self, n_in: int, nodes: list[_core.Node], dtype: np.dtype[Any], seed: int) -> None:
        self.core = _core.Net(n_in, nodes, dtype.name, seed)
        self.dtype = dtype
        self.n_in = n_in
        self.n_out = self.core.n_out
        self._ran = False
        self._single = False

    def forward(self, x: Any, training: bool) -> Array:
        """``(N, n_in) -> (N, n_out)``, or one row to one row; saves what backward needs."""
        rows, single = validation.rows_or_row(x, "x", self.dtype, self.n_in)
        y = self.core.forward(rows, validation.flag(training, "training"))
        self._ran, self._single = True, single
        return y[0] if single else y

    def backward(self, dy: Any, accumulate: bool) -> Array:
        """``(N, n_out) -> (N, n_in)``; once per forward."""
        saved = self.core.saved_rows
        if saved < 0:
            raise StateError(_USED if self._ran else _NEVER)
        rows, _ = validation.rows_or_row(dy, "dy", self.dtype, self.n_out)
        if rows.shape[0] != saved:
            raise ArgumentError(
                f"dy: got {rows.shape[0]} rows; want {saved}, as many as the forward pass had"
            )
        dx = self.core.backward(rows, validation.flag(accumulate, "accumulate"))
        return dx[0] if self._single else dx

    def predict(self, x: Any, out: Any) -> Array:
        """Forward without saving anything, into ``out`` where given."""
        rows, single = validation.rows_or_row(x, "x", self.dtype, self.n_in)
        if out is None:
            y = self.core.predict(rows, None)
            return y[0] if single else y
        shape = (self.n_out,) if single else (rows.shape[0], self.n_out)
        validation.output(out, "out", shape, self.dtype, (rows, self.core.params))
        self.core.predict(rows, out.reshape(rows.shape[0], self.n_out))
        return out  # type: ignore[no-any-return]
