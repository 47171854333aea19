"""Files of frozen predictors: model files with one more metadata key, ``"fastmlp.frozen"``.

The key holds JSON, ``{"weights": "float32"}``. Files of "float32", "float64" and "bfloat16" hold
the tensors of a model file. In those of "int8", each array ``W`` of a matrix product is int8, with
two more float32 tensors: ``W.scale``, one number for each column, and ``W.input``, step and zero of
the layer's input (docs/numerics.md).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from io import BufferedReader
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.base.quantization import Quantized, is_valid
from fastmlp.io import model, safetensors
from fastmlp.io.model import FROZEN_KEY
from fastmlp.io.safetensors import Header, Malformed
from fastmlp.networks.base import Network
from fastmlp.networks.frozen import FrozenPredictor

WEIGHTS = ("float32", "float64", "bfloat16", "int8")
SCALE, INPUT = ".scale", ".input"


def save_frozen(
    frozen: FrozenPredictor,
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a frozen predictor to a file, atomically; arguments and errors are those of `save`."""
    net = frozen.thawed()
    tensors = model.tensors_of(net)
    for name, one in _by_name(net, frozen.quantized()).items():
        tensors[name] = one.q
        tensors[name + SCALE] = one.scale
        tensors[name + INPUT] = np.array([one.step, one.zero], np.float32)
    own = {**model.own_fields(net), FROZEN_KEY: json.dumps({"weights": frozen.weights})}
    safetensors.write(path, tensors, {**own, **model.checked_metadata(metadata)})


def load_frozen(path: str | os.PathLike[str]) -> FrozenPredictor:
    """Read a predictor that `save_frozen` wrote; errors are those of `load`."""
    with safetensors.naming(path), safetensors.open_tensors(path) as (file, header):
        weights = _weights_of(header)
        if weights != "int8":
            return FrozenPredictor.of(model.read(file, header), weights, {})
        return _read_int8(file, header)


def _read_int8(file: BufferedReader, header: Header) -> FrozenPredictor:
    expected = model.described_tensors(header)
    eight_bits = [name for name in expected if _is_int8(header, name)]
    for name in eight_bits:
        shape = expected[name][1]
        expected[name] = (np.dtype(np.int8), shape)
        expected[name + SCALE] = (np.dtype(np.float32), shape[-1:])
        expected[name + INPUT] = (np.dtype(np.float32), (2,))
    model.check_tensors(expected, header)
    net = model.build(header)
    names, parameters = _names(net), model.tensors_of(net)
    shapes = {name: array.shape for name, array in parameters.items()}
    if set(names.values()) != set(eight_bits) or any(
        shape != expected[name][1] for name, shape in shapes.items()
    ):
        raise Malformed("the weights of its matrix products are not those in 8 bits")
    arrays = {name: np.empty(shape, dtype) for name, (dtype, shape) in expected.items()}
    for name, array in arrays.items():
        safetensors.read_into(file, header, name, array)
        if name in parameters and name not in eight_bits:
            parameters[name][...] = array
    by_node = {index: _quantized(name, arrays) for index, name in names.items()}
    return FrozenPredictor.of(net, "int8", by_node)


def _is_int8(header: Header, name: str) -> bool:
    return name in header.tensors and header.tensors[name].dtype == np.int8


def _weights_of(header: Header) -> str:
    if FROZEN_KEY not in header.metadata:
        raise Malformed("it holds no frozen predictor; fm.load reads networks")
    own = safetensors.parse_json(header.metadata[FROZEN_KEY], "its frozen predictor")
    if not isinstance(own, dict) or own.keys() != {"weights"} or own["weights"] not in WEIGHTS:
        raise Malformed(f"its frozen predictor is invalid ({own!r:.80})")
    description = model.network_description(header)
    if (own["weights"] == "float64") != (description.get("dtype") == "float64"):
        raise Malformed(f"its weights are {own['weights']}, but not its network")
    return str(own["weights"])


def _names(net: Network) -> dict[int, str]:
    """Return the names of the weights of matrix products in a file, by the core's nodes."""
    engine = net.own_engine()
    starts = {
        one.start: f"{index}.{one.name}"
        for index, layer in enumerate(net.layers)
        for one in layer.arrays_in(engine.core, str(index))
    }
    return {index: starts[start] for index, start in engine.products().items()}


def _by_name(net: Network, by_node: Mapping[int, Quantized]) -> dict[str, Quantized]:
    names = _names(net) if by_node else {}
    return {names[index]: one for index, one in by_node.items()}


def _quantized(name: str, arrays: Mapping[str, NDArray[Any]]) -> Quantized:
    step, zero = map(float, arrays[name + INPUT])
    one = Quantized(arrays[name], arrays[name + SCALE], step, int(zero) if 0 <= zero < 256 else -1)
    if zero != one.zero or not is_valid(one):
        raise Malformed(f"the numbers of {name!r} are invalid")
    return one
