"""What the distributions share: checks of parameters, actions and generators."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array

LOG_2PI = float(np.log(2.0 * np.pi))


def parameter(value: Any, name: str) -> Array:
    """Return an array (..., K) of float32 or float64, at least one column."""
    return validation.vectors(value, name, validation.natural_dtype(value, name))


def generator(rng: Any) -> np.random.Generator:
    """Return a generator: the one given, or a new one from a seed or the system's entropy."""
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None:
        return np.random.default_rng()
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
        return np.random.default_rng(int(rng))
    raise ArgumentTypeError(
        f"rng: got {validation.shown(rng)}; want a numpy.random.Generator, a seed or None"
    )


def vector(value: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return actions of the shape of the parameters."""
    array = validation.numeric(value, name)
    if array.shape != shape:
        raise ArgumentError(f"{name}: got shape {array.shape}; want {shape}")
    return array.astype(dtype, copy=False)
