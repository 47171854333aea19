"""A fit under way as one file: a model file with the optimizer, the history and callbacks beside.

The metadata key ``"fastmlp.fit"`` holds JSON with all numbers, floats as text that is exact; arrays
are the tensors ``"fit/..."``. ``load`` of such a file gives the network alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.errors import ArgumentError
from fastmlp.io import model, safetensors
from fastmlp.io.safetensors import Malformed
from fastmlp.network import Network

KEY = "fastmlp.fit"
PREFIX = "fit/"


def save(path: str | os.PathLike[str], net: Network, state: Mapping[str, Any]) -> None:
    """Write a network with ``state``, nested dicts and lists of numbers, texts and arrays."""
    arrays: dict[str, NDArray[Any]] = {}
    text = json.dumps(_packed(state, PREFIX.rstrip("/"), arrays), allow_nan=False)
    fields = {**model.own_fields(net), KEY: text}
    safetensors.write(path, {**model.tensors_of(net), **arrays}, fields)


def restore(path: str | os.PathLike[str], net: Network) -> dict[str, Any]:
    """Return the state that ``save`` was given; ``net`` takes on the saved parameters.

    Raises
    ------
    ModelFileError
        If the file is no checkpoint; nothing changes then.
    ArgumentError
        If it is of another network.
    """
    with safetensors.naming(path), safetensors.open_tensors(path) as (file, header):
        if KEY not in header.metadata:
            raise Malformed("it holds a network without the state of a fit")
        saved = model.read(file, header)
        packed = safetensors.parse_json(header.metadata[KEY], "its fit")
        arrays = {}
        for name, entry in header.tensors.items():
            if name.startswith(PREFIX):
                arrays[name] = np.empty(entry.shape, entry.dtype.newbyteorder("="))
                safetensors.read_into(file, header, name, arrays[name])
        try:
            state = _unpacked(packed, arrays)
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise Malformed(f"the state of its fit is invalid ({error})") from None
    if not isinstance(state, dict):
        raise ArgumentError(f"path: {os.fspath(path)} holds no state of a fit")
    if saved.seed != net.seed and {**saved.describe(), "seed": 0} == {**net.describe(), "seed": 0}:
        raise ArgumentError(
            f"path: {os.fspath(path)} is of a network with seed={saved.seed}; give it this seed, "
            "which dropout and the order of rows depend on"
        )
    if saved.describe() != net.describe():
        raise ArgumentError(f"path: {os.fspath(path)} is a checkpoint of another network")
    net.params[...], net.state[...] = saved.params, saved.state
    return state


def _packed(value: Any, place: str, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _packed(one, f"{place}/{key}", arrays) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_packed(one, f"{place}/{k}", arrays) for k, one in enumerate(value)]
    if isinstance(value, np.ndarray):
        arrays[place] = value
        return {"array": place}
    if isinstance(value, (float, np.floating)):
        return {"float": float(value).hex()}
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    raise TypeError(f"{place}: got {type(value).__name__}; want numbers, text or arrays")


def _unpacked(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"array"}:
            return arrays[value["array"]]
        if value.keys() == {"float"}:
            return float.fromhex(value["float"])
        return {key: _unpacked(one, arrays) for key, one in value.items()}
    if isinstance(value, list):
        return [_unpacked(one, arrays) for one in value]
    return value
