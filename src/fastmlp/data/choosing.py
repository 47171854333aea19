"""Which arguments of a fit are sources, and which are arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.base import sparse
from fastmlp.base.errors import ArgumentTypeError
from fastmlp.data.iterables import IterableSource, LoaderSource, is_loader
from fastmlp.data.source import Source


def as_source(x: Any) -> Source | None:
    """Return a source for a stream of blocks; None if ``x`` is rows, as arrays are."""
    if isinstance(x, Source):
        return x
    if is_loader(x):
        return LoaderSource(x)
    if type(x).__module__.startswith("pyarrow."):
        raise ArgumentTypeError(
            f"x: got {type(x).__module__}.{type(x).__name__}; want "
            "fm.data.arrow(dataset, inputs=..., targets=...)"
        )
    return IterableSource(x) if _gives_blocks(x) else None


def _gives_blocks(x: Any) -> bool:
    """Whether this is a function, or an iterable of blocks rather than of rows or of numbers."""
    if isinstance(x, (str, bytes, bytearray, Mapping, type)) or sparse.is_sparse(x):
        return False
    if hasattr(x, "dtype") or hasattr(x, "__array__") or hasattr(x, "dtypes"):
        return False
    if isinstance(x, (list, tuple)):
        return len(x) > 0 and all(map(_is_block, x))
    return callable(x) or hasattr(x, "__iter__")


def _is_block(item: Any) -> bool:
    """Whether an item of a list is ``(x, y)`` or ``(x, y, sample_weight)``, and no row."""
    if not isinstance(item, tuple) or len(item) not in (2, 3):
        return False
    first = next(iter(item[0].values()), None) if isinstance(item[0], Mapping) else item[0]
    return len(getattr(first, "shape", ())) > 1


def is_mapped(*values: Any) -> bool:
    """Whether rows of two dimensions or what belongs to them are in a memory-mapped file."""
    arrays = [
        one
        for value in values
        for one in (value.values() if isinstance(value, Mapping) else [value])
    ]
    x = values[0].values() if isinstance(values[0], Mapping) else [values[0]]
    flat = all(isinstance(one, np.ndarray) and one.ndim == 2 for one in x)
    return flat and any(isinstance(one, np.memmap) for one in arrays)
