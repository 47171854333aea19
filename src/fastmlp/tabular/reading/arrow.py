"""Between NumPy and Arrow, through their memory.

pyarrow's own conversions (``pa.array``, ``pa.scalar``, ``to_numpy``) import pandas when it is
installed, which takes longer than reading a small table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.base.validation import Array


def strings(texts: Sequence[str | None]) -> Any:
    """Return texts as a pyarrow.StringArray; None is null."""
    import pyarrow as pa

    encoded = [b"" if text is None else text.encode() for text in texts]
    ends = np.zeros(len(encoded) + 1, dtype=np.int32)
    np.cumsum([len(text) for text in encoded], out=ends[1:])
    valid = np.array([text is not None for text in texts], dtype=bool)
    buffers = [_bits(valid), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def booleans(mask: NDArray[np.bool_]) -> Any:
    """Return truth values as a pyarrow.BooleanArray."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.bool_(), len(mask), [None, _bits(mask)])


def numbers(values: Array, valid: NDArray[np.bool_] | None = None) -> Any:
    """Return numbers as a pyarrow array of their type; null where they are not valid."""
    import pyarrow as pa

    values = np.ascontiguousarray(values)
    buffers = [None if valid is None else _bits(valid), pa.py_buffer(values)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), buffers)


def null(kind: Any) -> Any:
    """Return the null of a type."""
    import pyarrow as pa

    return pa.nulls(1, kind)[0]


def mask_of(array: Any) -> NDArray[np.bool_]:
    """Return a pyarrow.BooleanArray as truth values; null is False."""
    found = _bits_of(array.buffers()[1], array)
    return found & valid_of(array) if array.null_count else found


def valid_of(array: Any) -> NDArray[np.bool_]:
    """Tell which values of a pyarrow array are not null."""
    if array.null_count == 0:
        return np.ones(len(array), dtype=bool)
    import pyarrow.compute as pc

    found = pc.is_valid(array)
    return _bits_of(found.buffers()[1], found)


def values_of(array: Any, missing: Any) -> Array:
    """Return a pyarrow array of numbers as a NumPy array; `missing` where it is null."""
    dtype = array.type.to_pandas_dtype()
    size = np.dtype(dtype).itemsize
    buffer = array.buffers()[1]
    if buffer is None or len(array) == 0:
        return np.full(len(array), missing, dtype=dtype)
    found = np.frombuffer(buffer, dtype, len(array), array.offset * size)
    return np.where(valid_of(array), found, missing) if array.null_count else found


def _bits(mask: NDArray[np.bool_]) -> Any:
    import pyarrow as pa

    return pa.py_buffer(np.packbits(mask, bitorder="little"))


def _bits_of(buffer: Any, array: Any) -> NDArray[np.bool_]:
    end = array.offset + len(array)
    packed = np.frombuffer(buffer, np.uint8)
    return np.unpackbits(packed, count=end, bitorder="little")[array.offset :].view(bool)
