"""The type of the operands of matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError


def compute_type(value: Any, dtype: np.dtype[Any], name: str = "compute") -> str | None:
    """Return the type of the operands of matrix products: None for ``dtype``, or "bfloat16"."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{name}: got {validation.shown(value)}; want None or 'bfloat16'")
    if value != "bfloat16":
        raise ArgumentError(f"{name}: got {validation.shown(value)}; want None or 'bfloat16'")
    if dtype != validation.FLOAT32:
        raise ArgumentError(f"{name}: got 'bfloat16' with dtype '{dtype}'; want dtype 'float32'")
    return str(value)
