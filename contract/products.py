"""Every element of a layer's three products is the chain of docs/numerics.md, bit for bit.

The full run builds tests/c/test_products.c. Its reference is a scalar chain of ``fma``, and all its
arrays lie between pages that must not be touched. The quick part compares the installed extension
with tests/chains.py, with its arguments between such pages.
"""

from __future__ import annotations

import re
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
from tests import chains
from tests.harness import generator, linear, make_net, same_bits, using_threads, weights

from contract import native
from contract.figures import Figure, Scale, at_least, exactly, fact
from contract.guards import Guards
from fastmlp import _core

TITLE = "Products"
MOST, RANDOM_SHAPES, SEED = 33, 10_000, 2024
THREADS = (1, 2, 3, 7)


def run(scale: Scale) -> list[Figure]:
    return _by_program(scale) if scale.full else _by_extension()


def _by_program(scale: Scale) -> list[Figure]:
    folder = native.build(scale.scratch, "test_products")
    scale.say("built test_products")
    small, small_notes = _counts(folder / "test_products", MOST, 1, 0, 0)
    scale.say(f"small shapes: {small}")
    large, large_notes = _counts(folder / "test_products", 0, 1, RANDOM_SHAPES, SEED)
    return [
        fact("instruction sets", small_notes["isas"]),
        exactly("shapes with sides 0 to 33", small["shapes"], (MOST + 1) ** 3),
        fact("runs of them", small["runs"], "types x instruction sets x threads x ends"),
        exactly("differences or faults in them", small["failed"], 0, small_notes["first"]),
        at_least("larger shapes, drawn", large["drawn"], RANDOM_SHAPES),
        fact("runs of those", large["runs"]),
        exactly("differences or faults in those", large["failed"], 0, large_notes["first"]),
    ]


def _counts(program: Path, *arguments: int) -> tuple[dict[str, int], dict[str, str]]:
    """The counts of test_products; a crash is one more failure."""
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    found = {name: int(n) for n, name in re.findall(r"(\d+) (\w+)", done.stdout)}
    isas = re.findall(r"^on (.*)$", done.stdout, re.MULTILINE)
    counts = {name: found.get(name, 0) for name in ("shapes", "drawn", "runs", "failed")}
    if done.returncode not in (0, 1):
        counts["failed"] += 1
    return counts, {"isas": "".join(isas), "first": done.stderr[:300]}


def _by_extension() -> list[Figure]:
    rng, wrong, shapes = generator("products between guards"), [], 0
    before = _core.config()["isa"]
    try:
        for shape in rng.integers(1, MOST + 1, size=(40, 3)).tolist():
            shapes += 1
            for dtype in (np.dtype("float32"), np.dtype("float64")):
                wrong += _differences(rng, shape, dtype)
    finally:
        _core.use_isa(before)
    return [
        fact("shapes", shapes, "a sample"),
        exactly("differences", len(wrong), 0, "; ".join(wrong[:3])),
    ]


def _differences(rng, shape, dtype) -> list[str]:
    rows, fan_in, fan_out = shape
    sides = [(rows, fan_in), (fan_in, fan_out), (fan_out,), (rows, fan_out)]
    problem = [rng.normal(size=side).astype(dtype) for side in sides]
    expected = {
        True: chains.products(*problem, chains.multiply_then_add),
        False: chains.products(*problem, chains.fma),
    }
    wrong = []
    for isa, threads, at_end in product(_core.config()["isas"], THREADS, (False, True)):
        _core.use_isa(isa)
        with using_threads(threads), Guards() as guards:
            x, dy, y = (guards.place(problem[i], at_end) for i in (0, 3, 3))
            found = _products(x, problem[1], problem[2], dy, y)
        wanted = expected[isa == "portable"]
        names = ("predicted y", "y", "dx", "dW", "db")
        for name, ours, theirs in zip(names, found, (wanted[0], *wanted), strict=True):
            if not same_bits(ours, theirs):
                wrong.append(f"{name} of {shape}, {dtype}, {isa}, {threads} threads")
    return wrong


def _products(x, W, b, dy, predicted):
    net = make_net(W.shape[0], [linear(-1, *W.shape)], x.dtype)
    W_view, b_view, dW, db = weights(net, 0, *W.shape)
    W_view[...], b_view[...] = W, b
    return net.predict(x, predicted), net.forward(x, True), net.backward(dy, False), dW, db
