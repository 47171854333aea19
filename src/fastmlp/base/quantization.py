"""Whole numbers of 8 bits for the matrix products of a frozen network; see docs/numerics.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from fastmlp import _core
from fastmlp.base.errors import ArgumentError
from fastmlp.base.node import Node
from fastmlp.base.validation import Array

_QUANTIZED = "quantized_linear"
_MOST_INPUTS = 2**16  # sums of more terms could exceed 32 bits
_BLOCK = 1024
# Smaller scales would be denormal, or have infinite reciprocals.
_LEAST = 2.0**-120


class Quantized(NamedTuple):
    """The product of a node: ``x`` is about ``(u - zero) * step``, ``W`` is ``q * scale``."""

    q: Array  # int8, (fan_in, fan_out), from -127 to 127
    scale: Array  # float32, (fan_out,)
    step: float  # a float32
    zero: int  # from 0 to 255


def quantized_weights(W: Array) -> tuple[Array, Array]:
    """Return whole numbers and the scale of each column, whose largest number becomes 127."""
    if not np.isfinite(W).all():
        raise ArgumentError("weights: got infinite or NaN weights for 'int8'; want finite ones")
    most = np.abs(W).max(axis=0, initial=0.0).astype(np.float64)
    scale = np.where(most > 127 * _LEAST, most / 127, 1.0).astype(np.float32)
    q = np.rint(W / scale.astype(np.float64)).clip(-127, 127)
    return q.astype(np.int8), scale


def quantized_range(low: float, high: float) -> tuple[float, int]:
    """Return step and zero for inputs in a range; 0 is always exact."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = float(np.float32(high / 255 - low / 255))
    if step < _LEAST:
        return 1.0, 0
    return step, int(np.clip(np.rint(-low / step), 0, 255))


def _is_product(node: Node) -> bool:
    """Whether 8 bits replace the product of a node, which has neither groups nor a fold."""
    return node.op == "linear" and not node.sizes


def ranges(
    net: _core.Net, nodes: Sequence[Node], rows: Sequence[Array]
) -> dict[int, tuple[float, float]]:
    """Return the least and the largest input of each matrix product, by node.

    ``net`` keeps the values of all its nodes; ``rows`` are those of each input.
    """
    found: dict[int, tuple[float, float]] = {}
    for first in range(0, len(rows[0]), _BLOCK):
        block = [np.ascontiguousarray(one[first : first + _BLOCK]) for one in rows]
        net.forward(block, False)
        for index, node in enumerate(nodes):
            if not _is_product(node):
                continue
            source = node.sources[0]
            value = block[-1 - source] if source < 0 else net.value(source)
            low, high = found.get(index, (0.0, 0.0))
            # Unlike min and max, these keep a NaN.
            ends = np.minimum(low, value.min()), np.maximum(high, value.max())
            found[index] = float(ends[0]), float(ends[1])
    if not found and any(map(_is_product, nodes)):
        raise ArgumentError("rows: got none; want rows for the scales of 'int8'")
    if not np.isfinite(list(found.values())).all():
        raise ArgumentError("rows: got infinite or NaN numbers in a layer; want finite ones")
    return found


def quantize(
    net: _core.Net, nodes: Sequence[Node], found: Mapping[int, tuple[float, float]]
) -> dict[int, Quantized]:
    """Quantize the products of a network whose inputs have these ranges, by node."""
    result = {}
    for index, (low, high) in found.items():
        node = nodes[index]
        if node.fan_in > _MOST_INPUTS:
            raise ArgumentError(
                f"weights: got 'int8' for a layer of {node.fan_in} inputs; want at most "
                f"{_MOST_INPUTS}"
            )
        start = net.places[index]["W"]
        W = net.params[start : start + node.fan_in * node.fan_out]
        q, scale = quantized_weights(W.reshape(node.fan_in, node.fan_out))
        result[index] = Quantized(q, scale, *quantized_range(low, high))
    return result


def is_valid(one: Quantized) -> bool:
    """Return whether numbers from elsewhere are in their ranges."""
    scales = np.isfinite(one.scale).all() and (one.scale > 0).all()
    step = _LEAST <= one.step < np.inf and 0 <= one.zero <= 255
    return bool(scales and step and (one.q > -128).all() and len(one.q) <= _MOST_INPUTS)


def products(net: _core.Net, nodes: Sequence[Node]) -> dict[int, int]:
    """Return where the weights of each matrix product start, by node."""
    return {i: net.places[i]["W"] for i, node in enumerate(nodes) if _is_product(node)}


def quantized_nodes(nodes: Sequence[Node], by_node: Mapping[int, Quantized]) -> list[Node]:
    """Return the nodes of the frozen network."""
    made = list(nodes)
    for index, one in by_node.items():
        made[index] = made[index]._replace(op=_QUANTIZED, params=(one.step, float(one.zero)))
    return made


def assign(target: _core.Net, source: _core.Net, by_node: Mapping[int, Quantized]) -> None:
    """Copy all parameters; of the quantized products, whole numbers and scales."""
    ends = _ends(source)
    for index, places in enumerate(target.places):
        for name, start in places.items():
            if index in by_node and name in ("W", "scale"):
                values: Any = by_node[index].q if name == "W" else by_node[index].scale
                target.params[start : start + values.size] = values.ravel()
                continue
            first = source.places[index][name]
            target.params[start : start + ends[first] - first] = source.params[first : ends[first]]


def quantized_in(net: _core.Net, nodes: Sequence[Node]) -> dict[int, Quantized]:
    """Return what ``assign`` and ``quantized_nodes`` put into a frozen network."""
    found = {}
    for index, node in enumerate(nodes):
        if node.op == _QUANTIZED:
            w, s = net.places[index]["W"], net.places[index]["scale"]
            q = net.params[w : w + node.fan_in * node.fan_out].astype(np.int8)
            shaped, scale = q.reshape(node.fan_in, node.fan_out), net.params[s : s + node.fan_out]
            found[index] = Quantized(shaped, scale.copy(), node.params[0], int(node.params[1]))
    return found


def restore(target: _core.Net, params: Array, by_node: Mapping[int, Quantized]) -> None:
    """Undo ``assign``: fill a network from the parameters of a frozen one.

    The scales of a product lie behind its weights. Its weights become the nearest floats.
    """
    shift, ends = 0, _ends(target)
    for index, places in enumerate(target.places):
        for name, start in places.items():
            if index in by_node and name == "W":
                one = by_node[index]
                target.params[start : ends[start]] = (one.q * one.scale).ravel()
                shift += one.scale.size
                continue
            target.params[start : ends[start]] = params[start + shift : ends[start] + shift]


def _ends(net: _core.Net) -> dict[int, int]:
    """Return where each array of parameters ends, by where it starts."""
    starts = sorted(start for places in net.places for start in places.values())
    return dict(pairwise([*starts, len(net.params)]))
