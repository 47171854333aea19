"""Sparse matrices as inputs: the checks and conversions of `validation`, for scipy.sparse.

SciPy is not imported: a sparse matrix is recognised by its methods.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from fastmlp import _core
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import check_width

SparseRows: TypeAlias = _core.SparseRows
_MOST_COLUMNS = 2**31 - 1


def is_sparse(value: Any) -> bool:
    """Whether this is a matrix or an array of scipy.sparse, or rows made of one."""
    return isinstance(value, _core.SparseRows) or (
        hasattr(type(value), "tocsr") and hasattr(type(value), "toarray")
    )


def rows(value: Any, name: str, dtype: np.dtype[Any], width: int | None = None) -> SparseRows:
    """Return the rows of a sparse matrix in a float type, with ``width`` columns if given.

    Numbers of the same element are added, as ``toarray`` does; numbers too large become inf.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If the shape does not fit, or the numbers are not real.
    """
    if isinstance(value, _core.SparseRows):
        return value
    if len(value.shape) != 2:
        raise ArgumentError(f"{name}: got shape {value.shape}; want two dimensions (N, features)")
    if value.dtype.kind not in "biuf":
        raise ArgumentTypeError(
            f"{name}: got dtype {value.dtype}; want real numbers (floats, integers or booleans)"
        )
    check_width(value, name, width)
    if value.shape[1] > _MOST_COLUMNS:
        raise ArgumentError(f"{name}: got {value.shape[1]} columns; want at most {_MOST_COLUMNS}")
    matrix = value.tocsr()
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    with np.errstate(all="ignore"):
        numbers = matrix.data.astype(dtype, copy=False)
    return _core.SparseRows(matrix.indptr, matrix.indices, numbers, matrix.shape[1])


def finite(values: Any, name: str) -> None:
    """Refuse sparse rows with NaN or infinity; the error names the place of the first one."""
    wrong = np.flatnonzero(~np.isfinite(values.value))
    if wrong.size:
        entry = wrong[0]
        row = int(np.searchsorted(values.start, entry, side="right")) - 1
        raise ArgumentError(
            f"{name}: got {values.value[entry]} at index {(row, int(values.column[entry]))}; want "
            "finite numbers (check_finite=False lets them through)"
        )
