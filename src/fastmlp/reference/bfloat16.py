"""Operands of matrix products in bfloat16: the sign, the exponent and 7 digits of a float32."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, as_float


def bfloat16(values: ArrayLike) -> Array:
    """Round to float32, and then to the nearest bfloat16, ties to even.

    A number too small for a normal float32 becomes a zero of its sign, one too large infinite.

    Examples
    --------
    >>> bfloat16([1.00390625, 3.141592653589793, -1e-39]).tolist()
    [1.0, 3.140625, -0.0]
    """
    with np.errstate(over="ignore", under="ignore"):
        x = as_float(np.asarray(values).astype(np.float32))
    mantissa, exponent = np.frexp(x)
    rounded = np.ldexp(np.rint(mantissa * 2.0**8), exponent - 8)
    rounded = np.where(np.abs(rounded) < 2.0**128, rounded, np.copysign(np.inf, x))
    rounded = np.where(np.abs(x) < 2.0**-126, np.copysign(0.0, x), rounded)
    return as_float(np.where(np.isfinite(x), rounded, x))


def operand(values: ArrayLike, compute: str | None) -> Array:
    """An operand of a matrix product, rounded if ``compute`` is ``"bfloat16"``."""
    return as_float(values) if compute is None else bfloat16(values)
