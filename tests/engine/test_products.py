"""The three products of a layer: every small shape, large ones, and the order of their sums.

``y = x W + b``, ``dx = dy W^T``, ``dW = x^T dy`` with ``db``, the column sums of ``dy``.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest
from tests.chains import fma, multiply_then_add, products
from tests.harness import (
    check,
    generator,
    integers,
    linear,
    make_net,
    on_all_thread_counts,
    rounding,
    same_bits,
    using_threads,
    weights,
)

# ---- every small shape ----

MOST = 33


@lru_cache
def small_problem(dtype):
    """Integers, whose products are exact; every shape uses a part of these arrays."""
    rng = generator("products")
    x, W, dy = (integers(rng, (MOST, MOST), dtype) for _ in range(3))
    return x, W, integers(rng, MOST, dtype), dy


class Rows:
    """Rows between NaN. `keep` uses the first rows and checks that the others were only read."""

    LENGTH = 67  # length of the guards; odd, so that rows are aligned to their elements only

    def __init__(self, values):
        self._values, size = values, values.size
        self._whole = np.full(size + 2 * self.LENGTH, np.nan, values.dtype)
        self._rows = self._whole[self.LENGTH : self.LENGTH + size].reshape(values.shape)
        self._rows[...] = values

    def keep(self, count):
        gone = self._rows[count:]
        wrong = np.isfinite(gone) & (gone != self._values[count:])
        assert not wrong.any(), "wrote to an input"
        gone.fill(np.nan)
        return self._rows[:count]

    def verify(self):
        self.keep(0)
        assert np.isnan(self._whole).all(), "wrote outside an array"


def small_gradients(fan_in, fan_out, bias, dtype):
    """The flat gradients of the first rows of the small problem, for each number of rows."""
    x, _, _, dy = small_problem(dtype)
    weights_part = x[:, :fan_in, np.newaxis] * dy[:, np.newaxis, :fan_out]
    each = np.concatenate([weights_part.reshape(MOST, -1), dy[:, : fan_out if bias else 0]], axis=1)
    return np.concatenate([np.zeros_like(each[:1]), np.cumsum(each, axis=0)])


def run_small(rows, fan_in, fan_out, bias, dtype, compute=None):
    """Compare the three products of a shape with NumPy's, bit for bit; ``rows`` descends."""
    x, W, b, dy = small_problem(dtype)
    net = make_net(fan_in, [linear(-1, fan_in, fan_out, bias)], dtype, compute=compute)
    W_view, b_view, _, _ = weights(net, 0, fan_in, fan_out)
    W_view[...] = W = W[:fan_in, :fan_out]
    shift = 0
    if bias:
        b_view[...] = shift = b[:fan_out]
    full_y, full_dx = x[:, :fan_in] @ W + shift, dy[:, :fan_out] @ W.T
    gradients = small_gradients(fan_in, fan_out, bias, dtype)
    left, up = Rows(x[:, :fan_in]), Rows(dy[:, :fan_out])
    for m in rows:
        net.grads.fill(np.nan)
        y, dx = net.forward(left.keep(m), True), net.backward(up.keep(m), False)
        same = np.array_equal(y, full_y[:m]) and np.array_equal(dx, full_dx[:m])
        assert same, f"y or dx of {m} x {fan_in} x {fan_out}, bias {bias}"
        assert np.array_equal(net.grads, gradients[m]), f"dW or db of {m} x {fan_in} x {fan_out}"
    left.verify()
    up.verify()


@pytest.mark.parametrize("fan_in", range(1, MOST + 1))
def test_every_small_shape(fan_in, isa, dtype):
    with using_threads(1):
        for fan_out in range(1, MOST + 1):
            run_small(range(MOST, -1, -1), fan_in, fan_out, True, dtype)
            run_small((33, 7, 1), fan_in, fan_out, False, dtype)


def test_small_shapes_on_threads(isa, dtype, threads):
    for fan_in, fan_out in [(1, 1), (3, 17), (16, 2), (17, 4), (31, 33), (33, 15), (33, 3)]:
        run_small((33, 31, 16, 9, 5, 2, 1, 0), fan_in, fan_out, True, dtype)


@pytest.mark.parametrize("height", range(1, 9))
def test_every_tile(height, isa, dtype):
    """Each height and width of a tile, with a whole or a partial last vector."""
    rng, vector = generator(height), 32 // dtype.itemsize  # two vectors of AVX2 are one of AVX-512
    for whole in range(vector, 16 * vector + 1, vector):
        for width in (whole - 1, whole):
            shapes = [(height, height), (height, width), (width,), (height, width)]
            problem = [integers(rng, shape, dtype) for shape in shapes]
            results = three_products(*problem, dtype)
            for found, wanted in zip(results, exact_products(*problem), strict=True):
                assert np.array_equal(found, wanted), width


def test_gradients_add_up(isa, dtype, threads):
    """``accumulate=True`` adds to the existing gradients, in each form of the weight gradient."""
    for rows, fan_in, fan_out in [(5, 7, 9), (20, 33, 3), (40, 18, 20)]:
        rng, net = generator(rows), make_net(fan_in, [linear(-1, fan_in, fan_out)], dtype)
        x, dy = integers(rng, (rows, fan_in), dtype), integers(rng, (rows, fan_out), dtype)
        net.grads[...] = old = integers(rng, net.grads.size, dtype)
        net.forward(x, True)
        net.backward(dy, True)
        added = np.concatenate([(x.T @ dy).ravel(), dy.sum(axis=0)])
        assert np.array_equal(net.grads, old + added)


# ---- large shapes ----

# Wide enough to be packed; more rows than a chunk of the batch; rows one page apart; few outputs.
LARGE = [(257, 129, 515), (70, 700, 200), (100, 300, 1024), (2500, 70, 17), (1100, 260, 10),
         (33, 5000, 3), (1, 1000, 1000), (6, 513, 770)]  # fmt: skip


def random_problem(rows, fan_in, fan_out, dtype):
    rng = generator(rows, fan_in, fan_out)
    shapes = [(rows, fan_in), (fan_in, fan_out), (fan_out,), (rows, fan_out)]
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def three_products(x, W, b, dy, dtype):
    net = make_net(W.shape[0], [linear(-1, *W.shape)], dtype)
    W_view, b_view, dW, db = weights(net, 0, *W.shape)
    W_view[...], b_view[...] = W, b
    y = net.forward(x, True)
    return y, net.backward(dy, False), dW, db


@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_large_shapes(shape, isa, dtype):
    """Within the error bound of recursive summation (Higham 2002, section 3.1)."""
    rows, fan_in, fan_out = shape
    problem = random_problem(*shape, dtype)
    expected, sizes = products_and_sizes(shape, dtype)
    additions = (fan_in, fan_out, rows, rows)
    results = on_all_thread_counts(lambda: three_products(*problem, dtype), counts=(1, 2, 7))
    for i, name in enumerate(("y", "dx", "dW", "db")):
        check(results[i], expected[i], rounding(additions[i], dtype), sizes[i], name)


@lru_cache(maxsize=2)
def products_and_sizes(shape, dtype):
    """The products in float64, and the products of the operands' absolute values."""
    wide = [array.astype(np.float64) for array in random_problem(*shape, dtype)]
    return exact_products(*wide), exact_products(*map(np.abs, wide))


def exact_products(x, W, b, dy):
    return x @ W + b, dy @ W.T, x.T @ dy, dy.sum(axis=0)


# ---- the order of the sums ----


def test_fused_multiply_add(dtype):
    """The emulation against fractions, on sums that cancel and on halfway cases."""
    rng = generator("fma")
    a, b = (rng.normal(size=600).astype(dtype) for _ in range(2))
    scale = np.ldexp(1.0, rng.integers(-60, 60, size=600)).astype(dtype)
    c = np.where(np.arange(600) % 3 == 0, -a * b, scale * rng.normal(size=600).astype(dtype))
    c[1::3] = np.ldexp(np.sign(c[1::3]), 24 if dtype == np.float32 else 53)
    a[1::6], b[1::6] = 1.5, 1.0
    results = fma(a, b, c)
    for terms in zip(a.tolist(), b.tolist(), c.tolist(), results.tolist(), strict=True):
        exact = Fraction(terms[0]) * Fraction(terms[1]) + Fraction(terms[2])
        assert terms[3] == float(nearest(exact, dtype))


def nearest(exact, dtype):
    """The nearest number of a dtype to a fraction, ties to even."""
    if exact == 0:
        return 0.0
    digits = np.finfo(dtype).nmant
    exponent = abs(exact).numerator.bit_length() - abs(exact).denominator.bit_length()
    if abs(exact) < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** (exponent - digits)
    return round(exact / unit) * unit


# Chains and lane sums, odd sizes, more rows than a chunk, more depth than a packed block.
ORDERED = [(5, 7, 9), (7, 16, 3), (9, 45, 4), (20, 15, 2), (13, 33, 40), (1500, 3, 20),
           (2100, 20, 2), (70, 700, 193)]  # fmt: skip


@pytest.mark.parametrize("shape", ORDERED, ids=str)
def test_order_of_sums(shape, isa, dtype):
    """docs/numerics.md, section "Sums"."""
    problem = random_problem(*shape, dtype)
    results = on_all_thread_counts(lambda: three_products(*problem, dtype))
    expected = ordered_products(shape, dtype, multiply_then_add if isa == "portable" else fma)
    for result, wanted in zip(results, expected, strict=True):
        assert same_bits(result, wanted)


@lru_cache
def ordered_products(shape, dtype, add):
    return products(*random_problem(*shape, dtype), add)
