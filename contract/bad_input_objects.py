"""Objects that are no plain arrays: containers that convert to arrays, and others that do not."""

from __future__ import annotations

import array
import ctypes
import decimal
import fractions
import math
import warnings
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

# ---- containers: no plain arrays, but convertible ----


class Subclass(np.ndarray[Any, Any]):
    """An array of a subclass."""


class _ByMethod:
    """Offers its array in one way: by a method or an attribute."""

    def __init__(self, x: np.ndarray[Any, Any]) -> None:
        self._x = x


class ByArray(_ByMethod):
    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        return self._x.astype(dtype or self._x.dtype)


class ByInterface(_ByMethod):
    @property
    def __array_interface__(self) -> Any:
        return self._x.__array_interface__


class ByStruct(_ByMethod):
    @property
    def __array_struct__(self) -> Any:
        return self._x.__array_struct__


class ByDLPack(_ByMethod):
    """NumPy's asarray does not use this protocol."""

    def __dlpack__(self, **options: Any) -> Any:
        return self._x.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._x.__dlpack_device__()


class Tensor(ByArray, ByDLPack):
    """Like the tensors of other packages."""

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, index: Any) -> Any:
        return self._x[index]


class Sequence(_ByMethod):
    """A sequence of its own class."""

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, index: Any) -> Any:
        return self._x[index]


def _masked(x: np.ndarray[Any, Any]) -> Any:
    found = np.ma.masked_array(x, np.zeros(x.shape, bool))
    if x.size:
        found.mask.flat[0] = True
    return found


def _frame(x: np.ndarray[Any, Any]) -> Any:
    import pandas

    return pandas.Series(x) if x.ndim == 1 else pandas.DataFrame(x)


def _nullable(x: np.ndarray[Any, Any]) -> Any:
    """pandas' own nullable numbers, with one missing."""
    found = _frame(x.astype(np.float64)).astype("Float64")
    if x.size:
        found.iloc[(0,) * x.ndim] = None
    return found


def _matrix(x: np.ndarray[Any, Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.matrix(x)


def _ctypes(x: np.ndarray[Any, Any]) -> Any:
    return np.ctypeslib.as_ctypes(np.ascontiguousarray(x, np.float64))


CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "list": lambda x: x.tolist(),
    "tuple": lambda x: tuple(x.tolist()),
    "list of arrays": list,
    "list of scalars": lambda x: x.astype(np.float64).astype(object).tolist(),
    "matrix": _matrix,
    "subclass": lambda x: x.view(Subclass),
    "masked nowhere": np.ma.masked_array,
    "masked": _masked,
    "memoryview": memoryview,
    "memoryview of bytes": lambda x: memoryview(x.tobytes()),
    "array.array": lambda x: array.array("d", x.astype(np.float64).ravel()),
    "ctypes": _ctypes,
    "__array__": ByArray,
    "__array_interface__": ByInterface,
    "__array_struct__": ByStruct,
    "__dlpack__": ByDLPack,
    "tensor": Tensor,
    "sequence": Sequence,
    "pandas": _frame,
    "pandas nullable": _nullable,
    "pandas categories": lambda x: _frame(x).astype("category"),
    "object array": lambda x: x.astype(object),
    "decimals": lambda x: np.vectorize(decimal.Decimal, otypes="O")(x).tolist(),
    "fractions": lambda x: np.vectorize(fractions.Fraction, otypes="O")(x).tolist(),
    "complex list": lambda x: (x + 0j).tolist(),
    "iterator": iter,
    "generator": lambda x: (row for row in x),
    "dict": lambda x: dict(enumerate(x.tolist())),
    "set": lambda x: set(x.ravel().tolist()),
    "bytes": lambda x: x.tobytes(),
    "pickle": lambda x: x.dumps(),
    "with None": lambda x: [*x.tolist(), None],
    "with a longer row": lambda x: [*x.tolist(), [1.0] * 9],
    "with text": lambda x: [*x.tolist(), "text"],
    "with a huge integer": lambda x: [*x.ravel().tolist(), 10**400],
    "in a list": lambda x: [x],
}


# ---- no arrays ----


class _Raises:
    def __init__(self, error: BaseException) -> None:
        self._error = error


class RaisingArray(_Raises):
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise self._error


class RaisingLength(_Raises):
    def __len__(self) -> int:
        raise self._error

    def __getitem__(self, index: int) -> Any:
        raise self._error


class RaisingAttributes:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class WrongArray:
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return "not an array"


class WrongInterface:
    __array_interface__ = MappingProxyType({"shape": (2,), "typestr": "<f8"})


class Nameless:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


def _within_itself() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def _deep(levels: int) -> Any:
    found: Any = 1.0
    for _ in range(levels):
        found = [found]
    return found


ODDITIES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "Ellipsis": lambda: ...,
    "NotImplemented": lambda: NotImplemented,
    "True": lambda: True,
    "integer": lambda: 3,
    "huge integer": lambda: 10**400,
    "float": lambda: 1.5,
    "nan": lambda: math.nan,
    "complex": lambda: 1j,
    "empty text": lambda: "",
    "text": lambda: "text",
    "numbers as text": lambda: "1 2 3",
    "bytes": lambda: b"1",
    "bytearray": lambda: bytearray(8),
    "empty list": list,
    "empty tuple": tuple,
    "empty dict": dict,
    "empty set": set,
    "nested empty lists": lambda: [[], []],
    "ragged": lambda: [[1.0, 2.0], [3.0]],
    "deep": lambda: _deep(100),
    "within itself": _within_itself,
    "range": lambda: range(4),
    "slice": lambda: slice(3),
    "class": lambda: np.ndarray,
    "dtype": lambda: np.dtype("f4"),
    "function": lambda: print,
    "module": lambda: math,
    "object": object,
    "no text of its own": Nameless,
    "__array__ raises": lambda: RaisingArray(RuntimeError("inside")),
    "__array__ without memory": lambda: RaisingArray(MemoryError("inside")),
    "__array__ gives text": WrongArray,
    "__array_interface__ of lies": WrongInterface,
    "__len__ raises": lambda: RaisingLength(RuntimeError("inside")),
    "attributes raise": RaisingAttributes,
    "pointer": lambda: ctypes.c_void_p(0),
    "null array": lambda: (ctypes.c_double * 0)(),
    "masked constant": lambda: np.ma.masked,
}
