"""Matrix products of whole numbers of 8 bits, as frozen predictors compute them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, as_float
from .layers import Layer

_LEAST = 2.0**-120


def quantized_weights(W: ArrayLike) -> tuple[Array, Array]:
    """Whole numbers from -127 to 127, and the scale of each column: ``W`` is about ``q * scale``.

    Examples
    --------
    >>> q, scale = quantized_weights([[1.27, 0.0], [-0.635, 2.54]])
    >>> q.tolist()
    [[127.0, 0.0], [-64.0, 127.0]]
    """
    values = as_float(np.asarray(W).astype(np.float32))
    most = np.abs(values).max(axis=0, initial=0.0)
    scale = as_float(np.where(most > 127 * _LEAST, most / 127, 1.0).astype(np.float32))
    return as_float(np.clip(np.rint(values / scale), -127, 127)), scale


def input_scale(low: float, high: float) -> tuple[float, int]:
    """Step and zero for numbers in a range: ``x`` is about ``(u - zero) * step``, u in 0 .. 255.

    Examples
    --------
    >>> input_scale(-1.0, 1.55)
    (0.009999999776482582, 100)
    """
    low, high = min(low, 0.0), max(high, 0.0)
    step = float(np.float32(high / 255 - low / 255))
    if step < _LEAST:
        return 1.0, 0
    return step, int(np.clip(np.rint(-low / step), 0, 255))


def quantized_input(x: ArrayLike, step: float, zero: int) -> Array:
    """The whole numbers of inputs, from 0 to 255; the product with 1 / step is one of float32."""
    with np.errstate(over="ignore", under="ignore"):
        steps = np.asarray(x).astype(np.float32) * np.float32(1.0 / step)
    return as_float(np.clip(np.rint(as_float(steps)) + zero, 0, 255))


class QuantizedLinear(Layer):
    """``x W + b`` from whole numbers, with ``W`` about ``q * scale``; a row with a NaN is NaN.

    Examples
    --------
    >>> QuantizedLinear([[2]], [0.5], step=0.5, zero=10).forward([[-2.0], [3.1]]).tolist()
    [[-2.0], [3.0]]
    """

    def __init__(
        self, q: ArrayLike, scale: ArrayLike, step: float, zero: int, b: ArrayLike | None = None
    ) -> None:
        self.q, self.step, self.zero = as_float(q), step, zero
        self.factor = as_float(np.float32(step) * np.asarray(scale).astype(np.float32))
        self.b = 0.0 if b is None else as_float(b)

    def forward(self, x: ArrayLike, training: bool = False) -> Array:
        rows = as_float(x)
        u = quantized_input(np.nan_to_num(rows, nan=0.0), self.step, self.zero)
        sums = (u - self.zero) @ self.q
        sums[np.isnan(rows).any(axis=1)] = np.nan
        return as_float(sums * self.factor + self.b)
