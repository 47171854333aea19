"""Descriptions of networks that the core itself refuses.

Layers check their arguments first; a model file or another language may not. Each kind of node
comes from a right description, in which one number is made wrong.
"""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import _core
from fastmlp.base.node import Node

WIDTH, HUGE = 6, 2**62


def node(op, sources=(-1,), fan_in=WIDTH, fan_out=WIDTH, **others):
    return Node(op, sources, fan_in, fan_out, **{"params": (0.1, 0.1), "bias": True, **others})


RIGHT = {
    entry.op: entry
    for entry in [
        node("linear", fan_out=3),
        node("activation"),
        node("softmax"),
        node("dropout"),
        node("maxout", fan_out=3),
        node("add", (-1, -1)),
        node("multiply", (-1, -1)),
        node("maximum", (-1, -1)),
        node("concat", (-1, -1), fan_in=2 * WIDTH, fan_out=2 * WIDTH),
        node("sum", fan_out=1),
        node("matmul", (-1, -1), fan_in=2 * WIDTH, fan_out=4, sizes=(2, 3, 2)),
        node("parameter", ()),
        node("layer_norm"),
        node("batch_norm"),
        node("custom", sizes=(0,)),
        node("scale"),
        node("embedding", fan_out=2 * WIDTH, sizes=(5,)),
        node("gather_columns", fan_out=4, indices=np.array([5, 0, 0, 3])),
        node("parametric_activation"),
    ]
}


def make(nodes, widths=(WIDTH,), outputs=None):
    """The core's network of nodes; another node reads the inputs that they do not read."""
    outputs = [len(nodes) - 1] if outputs is None else outputs
    return _core.Net(list(widths), list(nodes), list(outputs), "float32", 0)


def described(op):
    """A right description with a node of this kind that reads its input."""
    right = RIGHT[op]
    # Operands of the matrix product: 2 x 3 times 3 x 2, both as wide as the input.
    others = [] if right.sources else [node("softmax")]
    return [right, *others], [0, 1] if others else [0]


@pytest.mark.parametrize("op", RIGHT)
def test_right_descriptions_are_taken(op):
    nodes, outputs = described(op)
    assert make(nodes, outputs=outputs).n_out == RIGHT[op].fan_out


def wrong_fields():
    """(kind of node, field, wrong value)"""
    for op, right in RIGHT.items():
        sources = right.sources
        yield op, "sources", (*sources, -1)
        yield op, "sources", (-1,) * 9
        if sources:
            yield op, "sources", ()
            yield op, "sources", (*sources[1:], 0)
            yield op, "sources", (*sources[1:], 5)
            yield op, "sources", (*sources[1:], -2)
            yield op, "fan_in", right.fan_in + 1
        for field in ("fan_in", "fan_out"):
            yield op, field, 0
            yield op, field, -1
        if op not in ("linear", "parameter", "custom"):
            yield op, "fan_out", right.fan_out + (1 if op != "maxout" else 2)
    for kind in (-1, 10_000):
        yield from ((op, "kind", kind) for op in ("activation", "parametric_activation"))
    for indices in ([5, 0, 0], [5, 0, 0, 3, 1], [0, 1, 2, 6], [-1, 0, 1, 2], [0, 1, HUGE, 2]):
        yield "gather_columns", "indices", np.array(indices)
    yield "gather_columns", "indices", None
    yield from (("dropout", "params", (p,)) for p in (-0.1, 1.1, float("nan")))
    yield from (
        (op, "params", (eps, 0.1)) for op in ("layer_norm", "batch_norm") for eps in (0.0, -1.0)
    )
    yield from (("batch_norm", "params", (0.1, momentum)) for momentum in (-0.1, float("nan")))
    for shape in ((0, 3, 2), (2, -3, 2), (3, 3, 2), (2, 3, 3), (2, 2, 2), (HUGE, 3, HUGE)):
        yield "matmul", "sizes", shape
    yield "custom", "sizes", (-1,)


@pytest.mark.parametrize(("op", "field", "value"), list(wrong_fields()), ids=str)
def test_wrong_numbers_are_refused(op, field, value):
    nodes, outputs = described(op)
    nodes[0] = nodes[0]._replace(**{field: value})
    with pytest.raises(fm.ArgumentError, match="the core refused"):
        make(nodes, outputs=outputs)


@pytest.mark.parametrize(
    ("widths", "nodes", "outputs"),
    [
        ([WIDTH], [], [0]),
        ([0], [node("softmax", fan_in=0, fan_out=0)], [0]),
        ([-1], [node("softmax")], [0]),
        ([WIDTH], [node("softmax")], [1]),
        ([WIDTH], [node("softmax")], [-1]),
        ([WIDTH], [node("softmax"), node("sum", fan_out=1)], [0, 0]),
        ([WIDTH], [node("softmax"), node("sum", fan_out=1)], [1]),
        ([WIDTH, WIDTH], [node("softmax")], [0]),
        ([HUGE, HUGE], [node("custom", (-1, -2), fan_in=4, sizes=(0,))], [0]),
    ],
    ids=["no node", "no column", "fewer", "no such output", "an input as output", "output twice",
         "a value nobody reads", "an input nobody reads", "widths that add up to too much"],
)  # fmt: skip
def test_wrong_networks_are_refused(widths, nodes, outputs):
    with pytest.raises(fm.ArgumentError, match="the core refused"):
        make(nodes, widths, outputs)


@pytest.mark.parametrize(
    "fan_outs", [(HUGE,), (2**58, 2**58), (2**60,), (2**61 // WIDTH,)], ids=str
)
def test_parameters_beyond_all_memory_are_refused(fan_outs):
    """A product or sum of sizes overflows, or no memory is large enough."""
    nodes = [node("linear", fan_out=width) for width in fan_outs]
    with pytest.raises(fm.OutOfMemoryError):
        make(nodes, outputs=range(len(nodes)))
