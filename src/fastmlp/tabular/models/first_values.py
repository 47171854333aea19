"""First values of weights that are chosen by looking at training rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base.validation import Array

# Rows whose pre-activations a bias is a mean of ("he+5" in the RealMLP paper).
_ROWS_OF_A_BIAS = 5
# Random streams of a layer: weights, rows, shares. Layers of networks use streams from 0 on.
_STREAMS, _FIRST_STREAM = 3, 1 << 20


def set_by_rows(layer: Any, x: Array, seed: int, number: int) -> Array:
    """Set the weights and the bias of a `Linear` by training rows; return its outputs for them.

    Weights are normal, and scaled so that each unit's pre-activation ``x @ W`` has standard
    deviation 1. The bias of a unit is minus a random convex combination of its pre-activations on
    5 random rows, so that the unit's kink lies among the rows (Steinwart, arXiv 1903.11482).

    Parameters
    ----------
    layer : Linear
    x : ndarray, shape (N, in_features)
    seed, number : int
        Seed, and number of the layer in its network: they determine the random numbers.
    """
    stream = _FIRST_STREAM + _STREAMS * number
    width = layer.out_features
    draws = _core.random_normal(layer.W.size, seed, stream).reshape(layer.W.shape)
    layer.W[...], layer.b[...] = draws, 0.0
    deviation = layer.forward(x).astype(np.float64).std(axis=0)
    layer.W[...] = draws / np.where(deviation > 0.0, deviation, 1.0)
    z = layer.forward(x)
    rows = _core.random_uniform(width * _ROWS_OF_A_BIAS, seed, stream + 1) * len(x)
    chosen = z[rows.astype(np.int64).reshape(_ROWS_OF_A_BIAS, width), np.arange(width)]
    layer.b[...] = -(_shares(width, seed, stream + 2) * chosen).sum(axis=0)
    found: Array = layer.forward(x)
    return found


def _shares(width: int, seed: int, stream: int) -> Array:
    """Random convex combinations, (5, width): the gaps between sorted uniform numbers."""
    cuts = _core.random_uniform(width * (_ROWS_OF_A_BIAS - 1), seed, stream).reshape(-1, width)
    return np.diff(np.sort(cuts, axis=0), axis=0, prepend=0.0, append=1.0)
