"""Which columns of an Arrow table a fit reads, and their numbers as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array

# Rows that are written into a matrix column by column, so that they stay in the cache.
_TILE = 4096


def chosen(schema: Any, inputs: Any, targets: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Check the names of columns; return inputs, targets and weights."""
    if targets is None:
        raise ArgumentTypeError(f"targets: got None; want one or more of {_listed(schema.names)}")
    y = _checked(schema, targets, "targets", single=True)
    weights = None
    if sample_weight is not None:
        weights = _known(schema, check.name(sample_weight, "sample_weight"), "sample_weight")
    taken = {*flat(y), weights}
    if inputs is None:
        inputs = [name for name in schema.names if name not in taken]
    x = _checked(schema, inputs, "inputs", single=False)
    return x, y, weights


def flat(names: Any) -> list[str]:
    """Return the names of columns in a name, a list of names, or a dict of them."""
    if isinstance(names, str):
        return [names]
    if isinstance(names, Mapping):
        return [name for one in names.values() for name in flat(one)]
    return list(names)


def _checked(schema: Any, names: Any, argument: str, single: bool) -> Any:
    if isinstance(names, Mapping):
        if not names:
            raise ArgumentError(f"{argument}: got an empty dict; want columns by name")
        return {
            check.name(key, argument): _checked(schema, one, f"{argument}[{key!r}]", single)
            for key, one in names.items()
        }
    if isinstance(names, str):
        found = _known(schema, names, argument)
        return found if single else [found]
    listed = check.items(names, argument, "a list of columns")
    if not listed:
        raise ArgumentError(f"{argument}: got no columns; want some of {_listed(schema.names)}")
    return [_known(schema, check.name(name, argument), argument) for name in listed]


def _known(schema: Any, name: str, argument: str) -> str:
    count = schema.names.count(name)
    if count != 1:
        what = "which is not there" if count == 0 else f"which is there {count} times"
        raise ArgumentError(
            f"{argument}: got {name!r}, {what}; want some of {_listed(schema.names)}"
        )
    _check_type(schema.field(name).type, name)
    return name


def _check_type(type: Any, name: str) -> None:
    from pyarrow import types

    inner = type.value_type if types.is_fixed_size_list(type) else type
    if not (types.is_integer(inner) or types.is_floating(inner) or types.is_boolean(inner)):
        raise ArgumentTypeError(
            f"column {name!r}: got {type}; want numbers or booleans (fastmlp.tabular reads tables "
            "with text and dates)"
        )


def _listed(names: Sequence[str]) -> str:
    most = 20
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def column(batch: Any, name: str) -> Array:
    """Return the numbers of a column, (N,), or (N, size) of lists."""
    from pyarrow import types

    one = batch.column(name)
    type = one.type
    if types.is_fixed_size_list(type):
        _refuse_gaps(one, name)
        inner = one.flatten()
        _refuse_gaps(inner, name)
        found: Array = inner.to_numpy(zero_copy_only=False)
        return found.reshape(len(one), type.list_size)
    _refuse_gaps(one, name)
    numbers: Array = one.to_numpy(zero_copy_only=False)
    return numbers


def _refuse_gaps(values: Any, name: str) -> None:
    if values.null_count:
        raise ArgumentError(
            f"column {name!r}: got {values.null_count} missing values in {len(values)} rows; want "
            "none: fill or drop them first (fastmlp.tabular reads tables with gaps)"
        )


def _matrix(batch: Any, names: Sequence[str], dtype: np.dtype[Any]) -> Array:
    columns = [column(batch, name) for name in names]
    if len(columns) == 1 and columns[0].ndim == 2:
        return columns[0]
    widths = [1 if one.ndim == 1 else one.shape[1] for one in columns]
    found = np.empty((batch.num_rows, sum(widths)), dtype)
    starts = np.cumsum([0, *widths]).tolist()
    # Numbers too large become infinite, as in every conversion of rows.
    with np.errstate(all="ignore"):
        for begin in range(0, len(found), _TILE):
            rows = slice(begin, begin + _TILE)
            for start, width, one in zip(starts, widths, columns, strict=False):
                found[rows, start : start + width] = one[rows].reshape(-1, width)
    return found


def matrices(batch: Any, names: Any, dtype: np.dtype[Any]) -> Any:
    """Return the inputs (N, columns), by name if there are several."""
    if isinstance(names, Mapping):
        return {key: _matrix(batch, one, dtype) for key, one in names.items()}
    return _matrix(batch, names, dtype)


def values(batch: Any, names: Any) -> Any:
    """Return the targets: of a name (N,), of a list (N, columns), of a dict by name."""
    if isinstance(names, Mapping):
        return {key: values(batch, one) for key, one in names.items()}
    if isinstance(names, str):
        return column(batch, names)
    columns = [column(batch, name) for name in names]
    return np.column_stack(columns)
