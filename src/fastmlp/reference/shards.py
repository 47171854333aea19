"""Batches in shards: contiguous parts of the rows whose sums are added in a fixed binary tree."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from .arrays import Array

__all__ = ["shard_rows", "tree_sum"]


def shard_rows(rows: int, shards: int) -> list[slice]:
    """Return the rows of each shard; a batch of few rows has empty ones.

    Examples
    --------
    >>> shard_rows(10, 4)
    [slice(0, 2, None), slice(2, 5, None), slice(5, 7, None), slice(7, 10, None)]
    """
    ends = [rows * shard // shards for shard in range(shards + 1)]
    return [slice(begin, end) for begin, end in itertools.pairwise(ends)]


def tree_sum(parts: Sequence[Array]) -> Array:
    """Add arrays, a power of two of them: ``((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7))``.

    Examples
    --------
    >>> import numpy as np
    >>> float(tree_sum([np.float64(1e17), np.float64(-1e17), np.float64(1.0), np.float64(1.0)]))
    2.0
    """
    half = len(parts) // 2
    return parts[0] if half == 0 else tree_sum(parts[:half]) + tree_sum(parts[half:])
