"""What users may pass instead of a good array.

A good array in every dtype, layout, container and shape, with every kind of odd value in it; and
objects that are no arrays at all. A form is a name; `build` makes its object, the same one every
time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from contract.bad_input_objects import CONTAINERS, ODDITIES

HUGE_ROWS = 2**50  # no machine has that much memory, even if the system promises it

# ---- dtypes: every type code of NumPy, in both byte orders ----


def _dtypes() -> dict[str, np.dtype[Any]]:
    found: dict[str, np.dtype[Any]] = {}
    sized = {"S": "S9", "U": "U9", "V": "V8", "M": "M8[s]", "m": "m8[s]"}
    for code in np.typecodes["All"]:
        plain = np.dtype(sized.get(code, code))
        found[code] = plain
        if plain.newbyteorder() != plain:
            found[f"{code} swapped"] = plain.newbyteorder()
    found["structured"] = np.dtype([("a", "f4"), ("b", "i2")])
    found["subarray field"] = np.dtype([("a", "f8", (2,))])
    if hasattr(np.dtypes, "StringDType"):
        found["StringDType"] = np.dtypes.StringDType()
    return found


DTYPES = _dtypes()
NUMERIC = [name for name, dtype in DTYPES.items() if dtype.kind in "biuf"]
FLOATS = [name for name in NUMERIC if DTYPES[name].kind == "f"]


def cast(good: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
    dtype = DTYPES[name]
    if dtype.kind == "V":
        return np.zeros(good.shape, dtype)
    if dtype.kind in "Mm":
        good = good.astype(np.int64)
    return good.astype(str).astype(dtype) if dtype.kind == "T" else good.astype(dtype)


# ---- shapes: the good one, off by one in each place, and quite different ones ----

Shape = tuple[int, ...]


def shapes(good: Shape) -> dict[str, Shape]:
    found = {"good": good, "0-d": (), "one": (1,), "nothing": (0,), "1 x 1": (1, 1)}
    for axis, size in enumerate(good):
        for label, other in {"less": size - 1, "more": size + 1, "none": 0, "single": 1}.items():
            found[f"axis {axis} {label}"] = (*good[:axis], other, *good[axis + 1 :])
        found[f"axis {axis} dropped"] = good[:axis] + good[axis + 1 :]
    found["flat"] = (math.prod(good),)
    found["axis in front"] = (1, *good)
    found["axis behind"] = (*good, 1)
    found["reversed"] = good[::-1]
    found["many axes"] = (1,) * (30 - len(good)) + good
    return found


def huge_shapes(good: Shape) -> dict[str, Shape]:
    """Views of one number whose sizes in bytes overflow, or exceed any memory."""
    found = {"huge": (HUGE_ROWS,), "largest": (2**59, *([2] * (len(good) - 1)))}
    for axis in range(len(good)):
        found[f"axis {axis} huge"] = (*good[:axis], HUGE_ROWS, *good[axis + 1 :])
        found[f"axis {axis} beyond 32 bits"] = (*good[:axis], 2**46 + good[axis], *good[axis + 1 :])
    return found


# ---- layouts of the same array ----


def _every_third(x: np.ndarray[Any, Any], place: Callable[[Any], Any] = np.array) -> Any:
    every = (*(slice(None, None, 3) for _ in x.shape), ...)
    room = place(np.zeros([3 * n for n in x.shape], x.dtype))
    room[every] = x
    return room[every]


def _reversed(axes: Callable[[int], list[int]]) -> Callable[[Any], Any]:
    def turn(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        which = [axis for axis in axes(x.ndim) if axis < x.ndim]
        return np.flip(np.flip(x, which).copy(), which)

    return turn


def misaligned(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    room = np.zeros(x.nbytes + 1, np.uint8)
    moved = room[1:].view(x.dtype).reshape(x.shape)
    moved[...] = x
    return moved


def _locked(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    x = x.copy()
    x.flags.writeable = False
    return x


def _first_repeated(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Every row is the first row, by a stride of zero."""
    return np.broadcast_to(x[:1], x.shape) if x.ndim else x


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "fortran": np.asfortranarray,
    "every third": _every_third,
    "rows reversed": _reversed(lambda ndim: [0]),
    "columns reversed": _reversed(lambda ndim: [1]),
    "reversed": _reversed(lambda ndim: list(range(ndim))),
    "zero stride": _first_repeated,
    "zero strides": lambda x: np.broadcast_to(x.ravel()[:1].reshape(()), x.shape),
    "misaligned": misaligned,
    "misaligned, every third": lambda x: _every_third(x, misaligned),
    "read-only": _locked,
    "part of a larger one": lambda x: np.pad(x, 1)[(*(slice(1, -1) for _ in x.shape), ...)],
    "memory of bytes": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}


# ---- values ----

VALUES: dict[str, Callable[[np.dtype[Any]], Any]] = {
    "nan": lambda dtype: math.nan,
    "inf": lambda dtype: math.inf,
    "-inf": lambda dtype: -math.inf,
    "subnormal": lambda dtype: np.finfo(dtype).smallest_subnormal,
    "largest": lambda dtype: np.finfo(dtype).max,
    "lowest": lambda dtype: np.finfo(dtype).min,
    "-0.0": lambda dtype: -0.0,
    "above float32": lambda dtype: 1e300,
    "-1": lambda dtype: -1,
    "half": lambda dtype: 0.5,
    "a little more": lambda dtype: 1.0 + 2.0**-20,
    "1e9": lambda dtype: 1e9,
}
INTEGER_VALUES: dict[str, Callable[[np.dtype[Any]], Any]] = {
    "largest integer": lambda dtype: np.iinfo(dtype).max,
    "least integer": lambda dtype: np.iinfo(dtype).min,
    "three": lambda dtype: 3,
}


# ---- forms ----


@dataclass(frozen=True)
class Form:
    """One object to pass; the fields are names in the tables of this module."""

    dtype: str = "d"
    shape: str = "good"
    layout: str = ""
    container: str = ""
    value: str = ""
    oddity: str = ""

    def __str__(self) -> str:
        parts = (self.oddity, self.dtype, self.shape, self.layout, self.container, self.value)
        return ", ".join(filter(None, parts[:1] if self.oddity else parts))

    @property
    def huge(self) -> bool:
        """Whether this is a view of more numbers than fit into memory."""
        return self.layout == "huge"

    @property
    def wants_memory(self) -> bool:
        """Whether an out-of-memory error is right."""
        return self.huge or self.oddity == "__array__ without memory"


def forms(good: Shape) -> Iterator[Form]:
    """Every form for an argument with this good shape; pairs of choices, not all combinations."""
    some = shapes(good)
    for oddity in ODDITIES:
        yield Form(oddity=oddity)
    for dtype in DTYPES:
        for shape in some:
            yield Form(dtype, shape)
    for dtype in NUMERIC:
        kinds = VALUES if DTYPES[dtype].kind == "f" else INTEGER_VALUES
        if DTYPES[dtype].kind == "b":
            kinds = {}
        for layout in LAYOUTS:
            yield Form(dtype, layout=layout)
        for value in kinds:
            yield Form(dtype, value=value)
        for shape in huge_shapes(good):
            yield Form(dtype, shape, layout="huge")
    for dtype in ("f", "d"):
        for layout in LAYOUTS:
            for shape in some:
                yield Form(dtype, shape, layout)
            for value in VALUES:
                yield Form(dtype, layout=layout, value=value)
    for container in CONTAINERS:
        for shape in some:
            yield Form(shape=shape, container=container)
        for value in VALUES:
            yield Form(container=container, value=value)
        for dtype in NUMERIC:
            yield Form(dtype, container=container)


class Impossible(Exception):
    """No such object exists: a matrix with three dimensions, a buffer of some dtypes."""


def build(form: Form, good: np.ndarray[Any, Any]) -> Any:
    """Make the object; ``good`` is a float64 array with which the call would succeed."""
    if form.oddity:
        return ODDITIES[form.oddity]()
    try:
        with np.errstate(all="ignore"):
            return _build(form, good)
    except (ValueError, TypeError, BufferError, ArithmeticError, MemoryError,
            NotImplementedError) as error:  # fmt: skip
        raise Impossible(str(error)) from error


def _build(form: Form, good: np.ndarray[Any, Any]) -> Any:
    if form.huge:
        first = cast(good.ravel()[:1], form.dtype).reshape(())
        return np.broadcast_to(first, huge_shapes(good.shape)[form.shape])
    shape = shapes(good.shape)[form.shape]
    x = cast(np.resize(good, shape), form.dtype)
    if form.value and x.size:
        value = {**VALUES, **INTEGER_VALUES}[form.value](DTYPES[form.dtype])
        x.flat[x.size // 2] = value
    if form.layout:
        x = LAYOUTS[form.layout](x)
    return CONTAINERS[form.container](x) if form.container else x
