"""The array type of the reference: float64."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]


def as_float(values: ArrayLike) -> Array:
    """``values`` as a float64 array; no copy when it already is one.

    Examples
    --------
    >>> as_float([1, 2])
    array([1., 2.])
    """
    return np.asarray(values, dtype=np.float64)
