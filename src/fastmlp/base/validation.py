"""The one module that checks and converts users' arguments: arrays, numbers, names.

The functions for arrays return a native, aligned, C-contiguous array of the requested dtype, so the
compiled core can rely on it. An array that already is one is returned without a copy. Each error
names the argument, the value it got and the values it wants.
"""

from __future__ import annotations

import math
import numbers
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from fastmlp.base.errors import ArgumentError, ArgumentTypeError, OutOfMemoryError

Array = np.ndarray[Any, np.dtype[Any]]

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
INT64 = np.dtype(np.int64)
_UINT64 = np.dtype(np.uint64)
_NUMERIC_KINDS = "biuf"
# Python or NumPy registers these as numbers, but they are not accepted as such.
_NO_NUMBERS = (bool, np.bool_, np.timedelta64)
# Up to this size a loop in Python is faster than one call of NumPy.
_FEW = 8
# A NumPy scalar: compared with float16 labels, a Python float would become float16 and overflow.
_EXACT_INTEGERS = np.float64(2.0**53)
_LONGEST_TEXT = 200
_MAX_SIZE = 2**31 - 1
_MAX_SEED = 2**64 - 1


def shown(value: Any) -> str:
    """Return a value as text of limited length, for an error message; works for any object."""
    try:
        text = repr(value)
    except Exception:  # an integer with too many digits, or an object whose repr fails
        return f"some {type(value).__name__}"
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."


def numeric(value: Any, name: str) -> Array:
    """Return an array-like of real numbers as an array; refuse complex, object, text and dates."""
    if _is_masked(value):
        raise ArgumentError(f"{name}: got masked values; want none: fill or drop them first")
    try:
        array = np.asarray(value)
    except MemoryError as error:
        raise OutOfMemoryError(
            f"{name}: got {type(value).__name__}; not enough memory for its array"
        ) from error
    except ValueError as error:
        raise ArgumentError(f"{name}: got rows of unequal length; want a regular array") from error
    except Exception as error:
        raise ArgumentTypeError(
            f"{name}: got {type(value).__name__}; want an array of real numbers ({error})"
        ) from error
    if array.dtype.kind not in _NUMERIC_KINDS:
        hint = "; a sparse matrix must be made dense first" if hasattr(value, "toarray") else ""
        raise ArgumentTypeError(
            f"{name}: got dtype {array.dtype} from {type(value).__name__}; "
            f"want real numbers (floats, integers or booleans){hint}"
        )
    return array


def _is_masked(value: Any) -> bool:
    # NumPy imports masked arrays at their first use: without the module there can be none.
    if "numpy.ma" not in sys.modules or not isinstance(value, np.ma.MaskedArray):
        return False
    return bool(np.ma.is_masked(value))


def real_array(value: Any, name: str, dtype: np.dtype[Any]) -> Array:
    """Return a native, aligned, C-contiguous array of ``dtype``; no copy if ``value`` is one."""
    return _converted(_numbers(value, name, dtype), name, dtype)


def shaped(value: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return a real array of exactly this shape."""
    array = _numbers(value, name, dtype)
    if array.shape != shape:
        raise ArgumentError(f"{name}: got shape {array.shape}; want {shape}")
    return _converted(array, name, dtype)


def _numbers(value: Any, name: str, dtype: np.dtype[Any]) -> Array:
    """Return ``value`` if it needs no conversion, else ``numeric(value)``.

    The caller checks the shape before it converts: a broadcast view of a wrong shape may stand for
    more bytes than there is memory.
    """
    return value if _is_ready(value, dtype) else numeric(value, name)


def _converted(array: Array, name: str, dtype: np.dtype[Any]) -> Array:
    """Return a native, aligned, C-contiguous array; numbers too large for ``dtype`` become inf."""
    if _is_ready(array, dtype):
        return array
    try:
        # Rounding to infinity is a valid result, whatever np.errstate the caller has set.
        with np.errstate(all="ignore"):
            return np.require(array, dtype, ["C", "A", "E"])
    except (MemoryError, ValueError) as error:  # ValueError: more bytes than can be addressed
        raise OutOfMemoryError(
            f"{name}: got shape {array.shape}; not enough memory to make it {dtype}"
        ) from error


def _is_ready(value: Any, dtype: np.dtype[Any]) -> bool:
    if type(value) is not np.ndarray or value.dtype != dtype:
        return False
    flags = value.flags
    return flags.c_contiguous and flags.aligned


def matrix(value: Any, name: str, dtype: np.dtype[Any], width: int | None = None) -> Array:
    """Return a two-dimensional array with at least one column; with ``width`` columns if given."""
    array = _numbers(value, name, dtype)
    if array.ndim != 2:
        raise ArgumentError(f"{name}: got shape {array.shape}; want {_wanted(width)}")
    check_width(array, name, width)
    return _converted(array, name, dtype)


def vectors(
    value: Any, name: str, dtype: np.dtype[Any], width: int | None = None, single: bool = True
) -> Array:
    """Return an array ``(..., width)``: rows with any leading dimensions, or a `single` row."""
    array = _numbers(value, name, dtype)
    if array.ndim < (1 if single else 2):
        also = " or one row" if single else ""
        raise ArgumentError(f"{name}: got shape {array.shape}; want {_wanted(width)}{also}")
    check_width(array, name, width, array.ndim == 1)
    return _converted(array, name, dtype)


def flat_rows(array: Array) -> Array:
    """Return a C-contiguous array ``(..., width)`` as rows ``(N, width)``, without a copy."""
    return array if array.ndim == 2 else array.reshape(-1, array.shape[-1])


def flattened(value: Any, name: str, leading: tuple[int, ...]) -> Array:
    """Return what belongs to rows with these leading dimensions, with one dimension for them."""
    array = numeric(value, name)
    if array.shape[: len(leading)] != leading:
        wanted = f"the leading dimensions {leading} of the rows"
        raise ArgumentError(f"{name}: got shape {array.shape}; want {wanted}")
    array = _converted(array, name, array.dtype)
    return array.reshape(math.prod(leading), *array.shape[len(leading) :])


def _wanted(width: int | None) -> str:
    return f"two dimensions (N, {width or 'features'})"


def check_width(array: Any, name: str, width: int | None, single: bool = False) -> None:
    found = array.shape[-1]
    if found == 0:
        raise ArgumentError(f"{name}: got 0 columns; want at least one feature")
    if width is not None and found != width:
        hint = f"; for a column of {found} rows use {name}.reshape(-1, 1)" if single else ""
        raise ArgumentError(f"{name}: got {found} columns; want {width}{hint}")


def natural_dtype(value: Any, name: str = "x") -> np.dtype[Any]:
    """Return float64 for float64 or wider input, float32 for anything else."""
    dtype = value.dtype if isinstance(value, np.ndarray) else numeric(value, name).dtype
    return FLOAT64 if dtype.kind == "f" and dtype.itemsize >= 8 else FLOAT32


def targets(value: Any, name: str, rows: int, width: int, dtype: np.dtype[Any]) -> Array:
    """Return real targets ``(rows, width)``; accept ``(rows,)`` when ``width`` is 1."""
    array = _numbers(value, name, dtype)
    if width == 1 and array.ndim == 1:
        array = array.reshape(-1, 1)
    if array.ndim != 2 or array.shape[1] != width:
        also = f" or ({rows},)" if width == 1 else ""
        raise ArgumentError(f"{name}: got shape {array.shape}; want ({rows}, {width}){also}")
    _check_rows(array, name, rows)
    return _converted(array, name, dtype)


def labels(value: Any, name: str, rows: int, n_classes: int, what: str = "label") -> Array:
    """Return class labels as int64 ``(rows,)`` in ``[0, n_classes)``; accept integral floats."""
    array = _numbers(value, name, INT64)
    if array.ndim != 1:
        hint = "; use ravel()" if array.ndim == 2 and array.shape[1] == 1 else ""
        raise ArgumentError(f"{name}: got shape {array.shape}; want class labels ({rows},){hint}")
    _check_rows(array, name, rows)
    array = _integral(array, name)
    if not _all_below(array, n_classes):
        where = int(np.flatnonzero((array < 0) | (array >= n_classes))[0])
        raise ArgumentError(
            f"{name}: got {what} {array[where]} at row {where}; want 0 to {n_classes - 1} "
            f"({n_classes} {'classes' if what == 'label' else 'rows'})"
        )
    return array


def _all_below(array: Array, end: int) -> bool:
    """Whether all of an int64 array is in ``[0, end)``."""
    if array.size <= _FEW:
        return all(0 <= label < end for label in array.tolist())
    # Viewed as unsigned, a negative label is huge: one pass checks both bounds.
    return int(np.maximum.reduce(array.view(_UINT64))) < end


def _integral(array: Array, name: str) -> Array:
    if array.dtype.kind == "f":
        bad = ~((np.abs(array) < _EXACT_INTEGERS) & (array == np.floor(array)))
        if bad.any():
            raise ArgumentError(f"{name}: got {array[bad][0]}; want integral class labels")
    elif array.dtype == _UINT64 and array.size and int(array.max()) > np.iinfo(INT64).max:
        raise ArgumentError(f"{name}: got {array.max()}; want class labels")
    return _converted(array, name, INT64)


def sample_weights(value: Any, rows: int, dtype: np.dtype[Any]) -> Array | None:
    """Return one weight for each row, ``(rows,)``, or None."""
    if value is None:
        return None
    array = _numbers(value, "sample_weight", dtype)
    if array.ndim != 1:
        raise ArgumentError(f"sample_weight: got shape {array.shape}; want ({rows},)")
    _check_rows(array, "sample_weight", rows)
    return _converted(array, "sample_weight", dtype)


def _check_rows(array: Array, name: str, rows: int) -> None:
    if array.shape[0] != rows:
        raise ArgumentError(f"{name}: got {array.shape[0]} rows; want {rows}, as many as x")


def output(
    out: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], sources: Sequence[Array]
) -> Array:
    """Check an array to write into: shape, dtype, writable, no memory shared with ``sources``."""
    if not isinstance(out, np.ndarray):
        raise ArgumentTypeError(f"{name}: got {type(out).__name__}; want a NumPy array")
    if _is_masked(out):
        raise ArgumentError(f"{name}: got masked values, which would hide results; want none")
    if out.dtype != dtype:
        raise ArgumentTypeError(f"{name}: got dtype {out.dtype}; want {dtype}")
    if out.shape != shape:
        raise ArgumentError(f"{name}: got shape {out.shape}; want {shape}")
    if not (out.flags.c_contiguous and out.flags.aligned):
        raise ArgumentError(f"{name}: got a strided or misaligned array; want C-contiguous")
    if not out.flags.writeable:
        raise ArgumentError(f"{name}: got a read-only array; want a writable one")
    # All are contiguous, so the bounds that may_share_memory compares are exact.
    if any(np.may_share_memory(out, source) for source in sources):
        raise ArgumentError(f"{name}: overlaps the input or the parameters; want memory of its own")
    return out


def finite(array: Array | None, name: str) -> None:
    """Refuse NaN and infinity; the error names the index of the first one."""
    if array is None or array.dtype.kind != "f":
        return
    extremes = array.min(initial=0.0), array.max(initial=0.0)  # NaN if any number is
    if np.isfinite(extremes).all():
        return
    where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    raise ArgumentError(
        f"{name}: got {array[where]} at index {where}; want finite numbers "
        "(check_finite=False lets them through)"
    )


def integer(value: Any, name: str, minimum: int = -_MAX_SIZE, maximum: int = _MAX_SIZE) -> int:
    """Return an integer in ``[minimum, maximum]``; refuse booleans and floats."""
    if isinstance(value, _NO_NUMBERS) or not isinstance(value, numbers.Integral):
        raise ArgumentTypeError(f"{name}: got {shown(value)}; want an integer")
    result = int(value)
    if not minimum <= result <= maximum:
        raise ArgumentError(f"{name}: got {shown(result)}; want {minimum} to {maximum}")
    return result


def size(value: Any, name: str) -> int:
    """Return a count of at least one."""
    return integer(value, name, 1)


def real(
    value: Any, name: str, low: float = -math.inf, high: float = math.inf,
    low_open: bool = False, high_open: bool = False,
) -> float:  # fmt: skip
    """Return a finite number from ``low`` to ``high``; an open bound is itself excluded."""
    if isinstance(value, _NO_NUMBERS) or not isinstance(value, numbers.Real):
        raise ArgumentTypeError(f"{name}: got {shown(value)}; want a real number")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    above = result > low if low_open else result >= low
    below = result < high if high_open else result <= high
    if not (math.isfinite(result) and above and below):
        wanted = _interval(low, high, low_open, high_open)
        raise ArgumentError(f"{name}: got {result}; want {wanted}")
    return result


def _interval(low: float, high: float, low_open: bool, high_open: bool) -> str:
    parts = ["a finite number"]
    if math.isfinite(low):
        parts.append(f"{'>' if low_open else '>='} {low:g}")
    if math.isfinite(high):
        parts.append(f"{'<' if high_open else '<='} {high:g}")
    return " ".join(parts[:2]) + (f" and {parts[2]}" if len(parts) == 3 else "")


def choice(value: Any, name: str, options: Sequence[str]) -> str:
    """Return one of the names in ``options``."""
    if not isinstance(value, str) or value not in options:
        wanted = ", ".join(map(repr, options))
        raise ArgumentError(f"{name}: got {shown(value)}; want one of {wanted}")
    return str(value)


def items(value: Any, name: str, wanted: str) -> list[Any]:
    """Return the items of an iterable that is neither text nor a mapping."""
    if not isinstance(value, (str, bytes, bytearray, Mapping)):
        with suppress(TypeError):
            return list(iter(value))
    raise ArgumentTypeError(f"{name}: got {shown(value)}; want {wanted}")


def mapping(value: Any, name: str, wanted: str) -> Mapping[Any, Any]:
    """Return a mapping."""
    if not isinstance(value, Mapping):
        raise ArgumentTypeError(f"{name}: got {shown(value)}; want {wanted}")
    return value


def name(value: Any, argument: str) -> str:
    """Return a name: text that is not empty."""
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{argument}: got {shown(value)} for a name; want text")
    if not value.strip():
        raise ArgumentError(
            f"{argument}: got {shown(value)} for a name; want text that is not empty"
        )
    return value


def path(value: Any, name: str = "path") -> str:
    """Return a path as text; refuse integers, which ``open`` takes for open file descriptors."""
    found = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(found, str):
        raise ArgumentTypeError(f"{name}: got {shown(value)}; want a path, as text or os.PathLike")
    try:
        usable = found != "" and b"\0" not in os.fsencode(found)
    except UnicodeEncodeError:
        usable = False
    if not usable:
        raise ArgumentError(f"{name}: got {shown(value)}; want a valid file name")
    return found


def flag(value: Any, name: str) -> bool:
    """Return a boolean."""
    if not isinstance(value, (bool, np.bool_)):
        raise ArgumentTypeError(f"{name}: got {shown(value)}; want True or False")
    return bool(value)


def seed(value: Any, name: str = "seed") -> int:
    """Return a seed of 64 bits; for None, draw one from the system's entropy."""
    if value is None:
        return int.from_bytes(os.urandom(8), "little") >> 1
    return integer(value, name, 0, _MAX_SEED)


def float_dtype(value: Any, name: str = "dtype") -> np.dtype[Any]:
    """Return float32 or float64, given by name, type or dtype."""
    try:
        dtype: np.dtype[Any] = np.dtype(value)
    except TypeError as error:
        raise ArgumentTypeError(
            f"{name}: got {shown(value)}; want 'float32' or 'float64'"
        ) from error
    except MemoryError:
        raise
    except Exception as error:
        # np.dtype parses text, dicts and attributes of objects, which can fail in other ways.
        raise ArgumentError(f"{name}: got {shown(value)}; want 'float32' or 'float64'") from error
    if value is None or dtype not in (FLOAT32, FLOAT64):
        raise ArgumentError(f"{name}: got {shown(value)}; want 'float32' or 'float64'")
    return FLOAT32 if dtype.itemsize == 4 else FLOAT64
