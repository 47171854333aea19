"""Matrix products in 8 bits: exact sums, every shape, the same bits on every instruction set.

docs/numerics.md, section "int8".
"""

from __future__ import annotations

import numpy as np
import pytest
from tests.chains import fma, multiply_then_add
from tests.harness import ACTIVATIONS, generator, on_all_thread_counts, same_bits, using_threads

import fastmlp as fm
from fastmlp import _core
from fastmlp import reference as ref
from fastmlp.base.node import Node

STEP = float(np.float32(0.037))


def product_node(fan_in, fan_out, zero, bias=True):
    return Node("quantized_linear", (-1,), fan_in, fan_out, params=(STEP, float(zero)), bias=bias)


def frozen_net(fan_in, nodes, values):
    net = _core.Net([fan_in], nodes, [len(nodes) - 1], "float32", 0, frozen=True)
    for name, value in values.items():
        start = net.places[0][name]
        net.params[start : start + value.size] = value.ravel()
    net.freeze()
    return net


def problem(rows, fan_in, fan_out, zero):
    """Inputs whose whole numbers take all values, also beyond both ends."""
    rng = generator(rows, fan_in, fan_out, zero)
    x = (rng.uniform(-20, 275, size=(rows, fan_in)) - zero) * STEP
    values = {
        "W": rng.integers(-127, 128, size=(fan_in, fan_out)).astype(np.float32),
        "scale": rng.uniform(1e-3, 1e-2, size=fan_out).astype(np.float32),
        "b": rng.normal(size=fan_out).astype(np.float32),
    }
    return x.astype(np.float32), values


def expected_bits(x, values, zero, isa):
    """Exact sums, then one fused multiply-add of float32."""
    whole = (ref.quantized_input(x, STEP, zero) - zero) @ values["W"].astype(np.float64)
    factor = np.broadcast_to(np.float32(STEP) * values["scale"], whole.shape)
    b = values.get("b", np.zeros(whole.shape[1], np.float32))
    step = multiply_then_add if isa == "portable" else fma
    return step(whole.astype(np.float32), factor, np.broadcast_to(b, whole.shape))


SMALL = [(m, k, n) for m in (0, 1, 2, 5, 8, 9) for k in (1, 3, 4, 5, 17) for n in (1, 4, 17)]
LARGE = [(67, 65, 49), (3, 300, 200), (130, 1025, 97), (9, 5000, 33), (1, 513, 770), (4, 64, 97)]


@pytest.mark.parametrize("shape", [*SMALL, *LARGE], ids=str)
@pytest.mark.parametrize("zero", [0, 128, 255])
def test_every_shape_has_exact_sums(shape, zero, isa):
    _, fan_in, fan_out = shape
    x, values = problem(*shape, zero)
    for bias in (True, False):
        if not bias:
            values.pop("b")
        net = frozen_net(fan_in, [product_node(fan_in, fan_out, zero, bias)], values)
        counts = (1, 2, 3, 7) if shape in LARGE else (1, 3)
        (found,) = on_all_thread_counts(lambda net=net: [net.predict(x, None)], counts=counts)
        assert same_bits(found, expected_bits(x, values, zero, isa))


@pytest.mark.parametrize("height", range(1, 10))
def test_every_tile(height, isa):
    for width in (1, 15, 16, 17, 31, 47, 48, 49, 63, 96, 97, 128, 143, 145):
        x, values = problem(height, 9, width, 77)
        net = frozen_net(9, [product_node(9, width, 77)], values)
        assert same_bits(net.predict(x, None), expected_bits(x, values, 77, isa))


def test_the_largest_sums_do_not_overflow(isa):
    fan_in = 2**16
    for q in (127, -127):
        values = {"W": np.full((fan_in, 2), q, np.float32), "scale": np.ones(2, np.float32)}
        for zero in (0, 255):
            net = frozen_net(fan_in, [product_node(fan_in, 2, zero, False)], values)
            x = np.full((1, fan_in), (255 - 2 * zero) * STEP, np.float32)
            assert same_bits(net.predict(x, None), expected_bits(x, values, zero, isa))


def test_special_numbers(isa):
    """Infinite inputs are clipped; a NaN makes its own row NaN."""
    x, values = problem(20, 40, 20, 100)
    expected = expected_bits(x, values, 100, isa)
    x[3, 7], x[8, 39], x[12, 0] = np.inf, -np.inf, np.nan
    x[0, 0], x[1, 1] = np.finfo(np.float32).max, np.float32(1e-45)
    net = frozen_net(40, [product_node(40, 20, 100)], values)
    found = net.predict(x, None)
    clipped = x.copy()
    clipped[3, 7], clipped[8, 39], clipped[0, 0], clipped[12, 0] = 1e3, -1e3, 1e3, 0
    expected = expected_bits(clipped, values, 100, isa)
    expected[12] = np.nan
    assert same_bits(found, expected)


def test_activation_and_residual_follow_the_product(isa):
    x, values = problem(21, 50, 50, 10)
    kind = ACTIVATIONS["SiLU"][0]
    nodes = [
        product_node(50, 50, 10),
        Node("add", (0, -1), 50, 50),
        Node("activation", (1,), 50, 50, kind),
    ]
    net = frozen_net(50, nodes, values)
    z = expected_bits(x, values, 10, isa) + x
    expected = fm.SiLU().forward(z)
    for count in (1, 3):
        with using_threads(count):
            assert same_bits(net.predict(x, None), expected)


def test_the_package_quantizes_as_the_reference():
    from fastmlp.base import quantization

    rng = generator("quantize")
    W = rng.normal(size=(40, 30)).astype(np.float32)
    W[:, 3] = 0
    W[:, 4] = 1e-40
    q, scale = quantization.quantized_weights(W)
    wanted_q, wanted_scale = ref.quantized_weights(W)
    assert np.array_equal(q, wanted_q)
    assert np.array_equal(scale, wanted_scale)
    for low, high in [(-3.2, 5.5), (0.0, 1.0), (-2.0, 0.0), (0.5, 2.0), (-2.0, -0.5), (0.0, 0.0),
                      (-1e-38, 1e-38), (-3e38, 3e38)]:  # fmt: skip
        assert quantization.quantized_range(low, high) == ref.input_scale(low, high)


def test_a_network_in_8_bits_computes_what_the_reference_does(isa):
    """Layer by layer, with the ranges of the layers' inputs over the rows for calibration."""
    net = fm.Sequential(fm.Linear(30, 70), fm.ReLU(), fm.Linear(70, 5), seed=5)
    rng = generator("network")
    rows, x = rng.normal(size=(300, 30)), rng.normal(size=(33, 30)).astype(np.float32)
    frozen = fm.freeze(net, weights="int8", rows=rows)
    h, inputs = x.astype(np.float64), [rows.astype(np.float32)]
    inputs.append(np.maximum(net[0].forward(inputs[0]), 0))
    for layer, given in zip((net[0], net[2]), inputs, strict=True):
        q, scale = ref.quantized_weights(layer.W)
        step, zero = ref.input_scale(float(given.min()), float(given.max()))
        h = ref.QuantizedLinear(q, scale, step, zero, layer.b).forward(h)
        h = np.maximum(h, 0) if layer is net[0] else h
    assert np.abs(frozen.predict(x) - h).max() < 1e-5


def test_only_frozen_float32_networks_have_such_products():
    node = product_node(3, 2, 0)
    for dtype, frozen in (("float32", False), ("float64", True)):
        with pytest.raises(fm.ArgumentError, match="core refused"):
            _core.Net([3], [node], [0], dtype, 0, frozen=frozen)
    for params in ((0.0, 0.0), (-1.0, 0.0), (np.nan, 0.0), (np.inf, 0.0), (1.0, 256.0)):
        with pytest.raises(fm.ArgumentError, match="core refused"):
            _core.Net([3], [node._replace(params=params)], [0], "float32", 0, frozen=True)
    wide = node._replace(fan_in=2**16 + 1)
    with pytest.raises(fm.ArgumentError, match="core refused"):
        _core.Net([2**16 + 1], [wide], [0], "float32", 0, frozen=True)
