"""Descriptions of a fit's data and options, by which a checkpoint recognises its fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from fastmlp.base import sparse
from fastmlp.base.config import Configurable
from fastmlp.base.validation import Array
from fastmlp.losses.named_rows import NamedRows
from fastmlp.training.data import in_parts

_LONGEST = 90  # characters of a value in a message
_MOST = 4  # differences in a message
_ABSENT = object()


def fingerprint(arrays: Sequence[Array], index: Array | None = None) -> str | None:
    """Return the number of rows and the SHA-256 of the arrays' dtypes, shapes and values.

    With ``index``, these are those of the rows at ``index``.

    Examples
    --------
    >>> import numpy as np
    >>> fingerprint([np.zeros((3, 2))]) == fingerprint([np.zeros((3, 2))])
    True
    >>> fingerprint([np.zeros(3)])[:15]
    '3 rows, SHA-256'
    """
    if not arrays:
        return None
    import hashlib  # late, because importing it takes time

    rows = len(arrays[0] if index is None else index)
    digest = hashlib.sha256()
    for array in arrays:
        if isinstance(array, NamedRows):
            for name, one in array.arrays.items():
                digest.update(f"{name} {fingerprint([one], index)}".encode())
            continue
        if isinstance(array, sparse.SparseRows):
            _update_sparse(digest, array if index is None else array[index])
            continue
        digest.update(f"{array.dtype.str} {(rows, *array.shape[1:])}".encode())
        # Targets of a user's loss may be objects, whose bytes are addresses.
        for part in () if array.dtype.hasobject else in_parts(rows, array[:1].size):
            some = array[part if index is None else index[part]]
            digest.update(np.ascontiguousarray(some).reshape(-1).view(np.uint8).data)
    return f"{rows} rows, SHA-256 {digest.hexdigest()}"


def _update_sparse(digest: Any, rows: sparse.SparseRows) -> None:
    digest.update(f"sparse {rows.dtype.str} {rows.shape}".encode())
    for array in (rows.start, rows.column, rows.value):
        digest.update(array.view(np.uint8).data)


def describe_part(part: Any) -> Any:
    """Describe a schedule, callback, loss or the like: its class and its plain arguments.

    Examples
    --------
    >>> import fastmlp as fm
    >>> describe_part(fm.StepLR(2))
    {'type': 'StepLR', 'step_size': 2, 'gamma': 0.1}
    """
    if part is None:
        return None
    kind = part if isinstance(part, FunctionType) else type(part)
    found: dict[str, Any] = {"type": kind.__qualname__}
    if isinstance(part, Configurable):
        try:
            arguments = part.arguments()
        except AttributeError:
            return found  # a user's class that does not keep its arguments
        found.update((name, _plain(value)) for name, value in arguments.items())
    return found


def differences(saved: Any, current: Any, name: str = "") -> list[str]:
    """List where two descriptions differ: name, value in the file, value in this fit."""
    found = list(_differences(saved, current, name))
    more = [f"and {len(found) - _MOST} more"] if len(found) > _MOST else []
    return found[:_MOST] + more


def _differences(saved: Any, current: Any, name: str) -> Iterator[str]:
    if isinstance(saved, dict) and isinstance(current, dict) and _same_class(saved, current):
        for key in [*current, *(key for key in saved if key not in current)]:
            place = f"{name}.{key}" if name else str(key)
            yield from _differences(saved.get(key, _ABSENT), current.get(key, _ABSENT), place)
    elif isinstance(saved, list) and isinstance(current, list) and len(saved) == len(current):
        for k, (one, other) in enumerate(zip(saved, current, strict=True)):
            yield from _differences(one, other, f"{name}[{k}]" if len(saved) > 1 else name)
    elif type(saved) is not type(current) or saved != current:
        yield f"{name}: the file has {_shown(saved)}, this fit has {_shown(current)}"


def _same_class(saved: dict[str, Any], current: dict[str, Any]) -> bool:
    return saved.get("type") == current.get("type")


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        value = value["type"]
    text = "nothing" if value is _ABSENT else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    return describe_part(value)
