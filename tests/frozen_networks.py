"""Shared by the tests of frozen predictors: networks, rows for them, and comparisons."""

from __future__ import annotations

from itertools import pairwise

from tests.harness import generator, same_bits

import fastmlp as fm

# Sizes adjacent to vectors and panels; layers that read weights in place, packed and by dots.
WIDTHS = [(8, 64, 64, 4), (37, 301, 13), (100, 200, 48, 1), (300, 49, 97, 3), (1, 16, 17)]
ROWS = (0, 1, 2, 3, 4, 5, 8, 17, 64, 530)


def chain(widths, dtype="float32", compute=None):
    layers = []
    for fan_in, fan_out in pairwise(widths):
        layers += [fm.Linear(fan_in, fan_out), fm.Tanh(), fm.Dropout(0.3)]
    return fm.Sequential(*layers, dtype=dtype, seed=1, compute=compute)


def with_norms(dtype="float32", compute=None):
    net = fm.Sequential(
        fm.Linear(20, 100), fm.BatchNorm(100), fm.GELU(), fm.LayerNorm(100), fm.Maxout(2),
        fm.Linear(50, 6), fm.Softmax(), dtype=dtype, seed=2, compute=compute,
    )  # fmt: skip
    net.forward(generator("moments").normal(size=(30, 20)), training=True)
    return net


def graph(dtype="float32", compute=None):
    """A residual, a product of values, an embedding, two inputs and two outputs."""
    x, index = fm.Input(70, "x"), fm.Input(2, "index")
    row = fm.Concat()(x, fm.Embedding(5, 15, columns=2)(index))
    h = fm.SiLU()(fm.Linear(100, 100)(row) + row)
    outputs = {"class": fm.Linear(100, 7)(h), "value": fm.Linear(100, 1)(h * row)}
    return fm.Graph({"x": x, "index": index}, outputs, dtype=dtype, seed=3, compute=compute)


def rows_of(net, count):
    rng = generator("rows", count)
    if len(net.input_names) == 1:
        return rng.normal(size=(count, net.in_features))
    return {"x": rng.normal(size=(count, 70)), "index": rng.integers(0, 5, size=(count, 2))}


def arrays(outputs):
    return list(outputs.values()) if isinstance(outputs, dict) else [outputs]


def assert_same(found, expected):
    for one, other in zip(arrays(found), arrays(expected), strict=True):
        assert same_bits(one, other)


NETS = {str(widths): lambda *a, w=widths: chain(w, *a) for widths in WIDTHS}
NETS |= {"norms": with_norms, "graph": graph}
KINDS = {"float32": ("float32", None), "float64": ("float64", None)}
KINDS |= {"bfloat16": ("float32", "bfloat16")}


def calibrated(net, count=200):
    return fm.freeze(net, weights="int8", rows=rows_of(net, count))
