"""Checkpoints and trainers: model files that also hold an optimizer, a history and more.

The metadata key ``"fastmlp.fit"`` or ``"fastmlp.trainer"`` holds JSON. Values that JSON cannot
hold are objects of one key:

============================  ============================================================
``{"float": "0x1.8p+0"}``     a float, exactly
``{"floats": "fit/0"}``       a list of floats: a tensor of one dimension
``{"array": "fit/1"}``        an array: a tensor
``{"tuple": [...]}``          a tuple
``{"dict": [[key, value]]}``  a dict with keys that are not text, or one like the above
============================  ============================================================

``load`` returns the network of such a file, without the rest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.base.errors import ArgumentTypeError
from fastmlp.io import model, safetensors
from fastmlp.io.model import FIT_KEY, FIT_PREFIX, TRAINER_KEY
from fastmlp.io.safetensors import DTYPE_NAMES, MAX_DIMENSIONS, Header, Malformed
from fastmlp.networks.base import Network

TAGS = ("float", "floats", "array", "tuple", "dict")
# Python refuses decimal integers of more than 4300 digits.
MOST_BITS = 8192
WANTED = (
    "None, numbers, text, float32 and float64 arrays, and lists, tuples and dicts of those, "
    "nested less deeply"
)


def save(
    path: str | os.PathLike[str], net: Network, state: Mapping[str, Any], key: str = FIT_KEY
) -> None:
    """Write a network with ``state``: nested dicts, lists and tuples of numbers, text and arrays.

    ``key`` is the metadata key of the state: FIT_KEY or TRAINER_KEY.

    Raises
    ------
    ArgumentTypeError
        If the state holds anything else; then nothing is written.
    """
    packing = _Packing()
    try:
        text = json.dumps(packing.packed(state, "state"), allow_nan=False)
    except RecursionError:
        raise ArgumentTypeError(
            f"state: got a container that contains itself; want {WANTED}"
        ) from None
    fields = {**model.own_fields(net), key: text}
    safetensors.write(path, {**model.tensors_of(net), **packing.arrays}, fields)


def read(path: str | os.PathLike[str], key: str = FIT_KEY) -> tuple[Network, Any]:
    """Return the network and the state that ``save`` wrote with this key.

    Raises
    ------
    ModelFileError
        If the file is damaged or not a checkpoint.
    OSError
        If it is missing or unreadable.
    """
    with safetensors.naming(path), safetensors.open_tensors(path) as (file, header):
        if key not in header.metadata:
            raise Malformed(_lacking(key, header))
        net = model.read(file, header)
        packed = safetensors.parse_json(header.metadata[key], "its state")
        arrays = {}
        for name, entry in header.tensors.items():
            if name.startswith(FIT_PREFIX):
                arrays[name] = np.empty(entry.shape, entry.dtype.newbyteorder("="))
                safetensors.read_into(file, header, name, arrays[name])
        try:
            state = _unpacked(packed, arrays)
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise Malformed(f"its state is invalid ({error!r:.200})") from None
        if arrays:
            raise Malformed(f"its state leaves out {sorted(arrays)[0]!r:.60}")
    return net, state


def _lacking(key: str, header: Header) -> str:
    """Say what a file holds that has no state of this kind."""
    if TRAINER_KEY in header.metadata:
        return "it holds a trainer, which fm.Trainer.load reads"
    if FIT_KEY in header.metadata:
        return "it is a checkpoint of a fit, which fm.Checkpoint resumes"
    wanted = "the state of a fit" if key == FIT_KEY else "a trainer"
    return f"it holds a network without {wanted}"


class _Packing:
    """Converts a state to JSON values and a dict of arrays."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}

    def packed(self, value: Any, place: str) -> Any:
        if value is None or isinstance(value, (bool, np.bool_, str)):
            return bool(value) if isinstance(value, np.bool_) else value
        if isinstance(value, Mapping):
            return self._packed_dict(value, place)
        if type(value) in (list, tuple):
            return self._packed_list(value, place)
        if type(value) is np.ndarray and value.dtype in DTYPE_NAMES and value.ndim < MAX_DIMENSIONS:
            return {"array": self._add(value)}
        if isinstance(value, (float, np.float16, np.float32)):
            return {"float": float(value).hex()}
        if isinstance(value, (int, np.integer)) and int(value).bit_length() <= MOST_BITS:
            return int(value)
        what = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else repr(value)
        raise ArgumentTypeError(f"{place}: got {what:.80}; want {WANTED}")

    def _packed_dict(self, value: Mapping[Any, Any], place: str) -> Any:
        pairs = [
            [self.packed(key, place), self.packed(one, f"{place}[{key!r:.40}]")]
            for key, one in value.items()
        ]
        plain = all(isinstance(key, str) for key in value)
        return {"dict": pairs} if not plain or _is_tagged(value) else dict(pairs)

    def _packed_list(self, value: Any, place: str) -> Any:
        if type(value) is list and value and all(type(one) is float for one in value):
            return {"floats": self._add(np.array(value))}
        found = [self.packed(one, f"{place}[{k}]") for k, one in enumerate(value)]
        return {"tuple": found} if type(value) is tuple else found

    def _add(self, array: NDArray[Any]) -> str:
        name = f"{FIT_PREFIX}{len(self.arrays)}"
        self.arrays[name] = array
        return name


def _is_tagged(value: Mapping[Any, Any]) -> bool:
    return len(value) == 1 and next(iter(value)) in TAGS


def _unpacked(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """Undo the packing; remove each array from ``arrays`` when it is used."""
    if isinstance(value, float):
        raise ValueError("a number that is neither an integer nor exact")
    if isinstance(value, list):
        return [_unpacked(one, arrays) for one in value]
    if not isinstance(value, dict):
        return value
    if not _is_tagged(value):
        return {key: _unpacked(one, arrays) for key, one in value.items()}
    ((tag, held),) = value.items()
    if tag == "float":
        return float.fromhex(held)
    if tag == "array":
        return arrays.pop(held)
    if tag == "floats":
        return _listed(arrays.pop(held))
    if not isinstance(held, list):
        raise TypeError(f"a {tag} that is no list")
    if tag == "tuple":
        return tuple(_unpacked(one, arrays) for one in held)
    pairs = [(_unpacked(key, arrays), _unpacked(one, arrays)) for key, one in held]
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key appears twice")
    return dict(pairs)


def _listed(array: NDArray[Any]) -> list[float]:
    if array.ndim != 1 or array.dtype != np.float64:
        raise ValueError(f"a list of floats that is {array.dtype} {array.shape}")
    found: list[float] = array.tolist()
    return found
