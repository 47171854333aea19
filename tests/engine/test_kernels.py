"""Every kernel of layers against the NumPy reference.

On every instruction set, in both precisions, with every number of threads, for special shapes and
values. harness.py defines the rule of comparison.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
import pytest
from tests.harness import (
    ACTIVATIONS,
    SHAPES,
    activation,
    check,
    column,
    generator,
    integers,
    linear,
    make_net,
    on_all_thread_counts,
    parameter_choices,
    plain,
    rounding,
    same_bits,
    weights,
)

from fastmlp import reference as ref

# ---- activations ----


@lru_cache
def pool(dtype):
    """Pre-activations in random order: ordinary, of every magnitude, and special ones."""
    rng, info = generator("pool", dtype.name), np.finfo(dtype)
    top = 1e37 if dtype == np.float32 else 1e307
    magnitudes = np.geomspace(info.smallest_subnormal, top, 700)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, info.tiny, -info.tiny, 1.0, -1.0]
    values = [rng.normal(scale=4.0, size=1500), magnitudes, -magnitudes, special * 10]
    return rng.permutation(np.concatenate(values).astype(dtype))


@lru_cache
def expected_on_pool(name, params, dtype):
    """The reference's f and f' on the pool."""
    row, z = ref.ACTIVATIONS[name], pool(dtype).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return row.f(z, *params), row.df(z, *params)


def places(rows, cols, dtype):
    """Indices into the pool for the elements of an array with this shape."""
    return ((np.arange(rows * cols) + 131 * cols) % pool(dtype).size).reshape(rows, cols)


def forward_and_backward(net, x, dy, guarded):
    """The output and dL/dx by hand; predict into an array must agree with forward."""
    x, dy = guarded.input(x), guarded.input(dy)

    def passes():
        y = net.forward(x, True)
        out = net.predict(x, guarded.output(y.shape, y.dtype))
        assert same_bits(out, y)
        return y, net.backward(dy, False), net.grads.copy()

    return on_all_thread_counts(passes)[:2]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name, isa, dtype, guarded):
    row = ACTIVATIONS[name][1]
    tolerance = column(row, dtype)
    for params, (rows, cols) in itertools.product(parameter_choices(row), SHAPES):
        at, what = places(rows, cols, dtype), f"{name}{params} {rows}x{cols}"
        z, (f, slope) = pool(dtype)[at], expected_on_pool(name, params, dtype)
        net = make_net(cols, [activation(-1, cols, name, params)], dtype)
        dy = generator(name, rows, cols).normal(size=z.shape).astype(dtype)
        y, local = forward_and_backward(net, z, np.ones_like(z), guarded)
        dz = forward_and_backward(net, z, dy, guarded)[1]
        # The reference evaluates f at arguments that are themselves rounded to float64.
        own = 4 * np.finfo(np.float64).eps * np.abs(wide_product(z, slope[at])) / (tolerance or 1.0)
        check(y, f[at], tolerance, np.abs(f[at]) + own, what)
        # Local gradients are computed from terms of at least 1, such as 1 - y in y * (1 - y).
        largest = np.nanmax(np.abs(slope), initial=1.0)
        check(local, slope[at], tolerance, largest, f"slope of {what}")
        assert same_bits(dz, multiplied(dy, local)), what


def wide_product(z, slope):
    """``z * f'(z)``, or 0 if it is NaN."""
    with np.errstate(invalid="ignore", over="ignore"):
        product = z.astype(np.float64) * slope
    return np.where(np.isfinite(product), product, 0.0)


def multiplied(a, b):
    with np.errstate(all="ignore"):
        return a * b


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_fused_with_products(name, isa, dtype, guarded):
    """In one pass with the Linear before it and, in backward, with the one after it."""
    params = parameter_choices(ACTIVATIONS[name][1])[-1]
    for rows, fan_in, width, fan_out in [(0, 3, 5, 2), (1, 1, 1, 1), (9, 4, 17, 3), (70, 19, 3, 5),
                                         (33, 7, 40, 33)]:  # fmt: skip
        rng, what = generator(name, rows, width), f"{name} {rows}x{fan_in}x{width}x{fan_out}"
        nodes = [linear(-1, fan_in, width), activation(0, width, name, params)]
        last = make_net(fan_in, nodes, dtype)
        middle = make_net(fan_in, [*nodes, linear(1, width, fan_out)], dtype)
        alone = make_net(width, [activation(-1, width, name, params)], dtype)
        x, up = integers(rng, (rows, fan_in), dtype), integers(rng, (rows, fan_out), dtype)
        last.params[...] = integers(rng, last.params.size, dtype) / 8
        middle.params[...] = integers(rng, middle.params.size, dtype) / 8
        middle.params[: last.params.size] = last.params
        W, b, dW, db = weights(middle, 0, fan_in, width)
        after = weights(middle, 2, width, fan_out)[0]
        # Products of small integers are exact, so the activations get the same values.
        y, dz = forward_and_backward(alone, x @ W + b, up @ after.T, guarded)
        fused, dx = forward_and_backward(last, x, up @ after.T, guarded)
        assert same_bits(fused, y), what
        bound, wide, sizes = rounding(max(width, rows), dtype), dz.astype(float), np.abs(dz)
        check(dx, wide @ W.T.astype(float), bound, sizes @ np.abs(W.T), f"dx of {what}")
        forward_and_backward(middle, x, up, guarded)
        check(dW, x.T.astype(float) @ wide, bound, np.abs(x.T) @ sizes, f"dW of {what}")
        check(db, wide.sum(axis=0), bound, sizes.sum(axis=0), f"db of {what}")


@pytest.mark.parametrize("count", [1, 2, 5, 16, 23])
def test_a_cosine_does_not_depend_on_other_lanes(count, isa, dtype):
    """Huge numbers are reduced one by one, in vectors that hold others."""
    huge = np.geomspace(1e4, 1e37, 331).astype(dtype)
    z = generator("cos", count).permutation(np.concatenate([huge, -huge, huge / 1e9, pool(dtype)]))
    z = z[: z.size // count * count]
    several = make_net(count, [activation(-1, count, "Cos")], dtype)
    alone = make_net(1, [activation(-1, 1, "Cos")], dtype)
    y, one = several.forward(z.reshape(-1, count), True), alone.forward(z.reshape(-1, 1), True)
    assert same_bits(y.ravel(), one.ravel())
    for row in range(0, len(y), 40):
        assert same_bits(several.predict(z.reshape(-1, count)[row : row + 1], None)[0], y[row])
    check(y.ravel(), ref.ACTIVATIONS["Cos"].f(z), column(ACTIVATIONS["Cos"][1], dtype), None, "cos")


# ---- softmax and dropout ----


def test_softmax(isa, dtype, guarded):
    for rows, cols in SHAPES:
        rng = generator("softmax", rows, cols)
        z = rng.normal(scale=3.0, size=(rows, cols)).astype(dtype)
        z[::3] *= 30.0
        z[:, ::5] -= 200.0
        dy = rng.normal(size=z.shape).astype(dtype)
        net, reference = make_net(cols, [plain("softmax", -1, cols)], dtype), ref.Softmax()
        y, dz = forward_and_backward(net, z, dy, guarded)
        expected, slope = reference.forward(z), reference.backward(dy)
        # A distance d from the maximum is rounded by d eps / 2, and exp(d) by as much relatively.
        wide = z.astype(float)
        distance = (wide.max(axis=1, keepdims=True) - wide) if rows else wide
        tolerance = rounding(cols, dtype)
        size = expected * (1.0 + distance)
        check(y, expected, tolerance, size, f"softmax {rows}x{cols}")
        inner = np.abs(dy) + 2 * (np.abs(dy) * size).sum(axis=1, keepdims=True)
        check(dz, slope, tolerance, size * inner, f"slope of softmax {rows}x{cols}", 1.0 + inner)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.999, 1.0])
def test_dropout(p, isa, dtype, guarded):
    seed, step = 2**63 + 11, 2**31 + 5
    scale = dtype.type(1.0 / (1.0 - p) if p < 1.0 else 0.0)
    for rows, cols in SHAPES:
        nodes = [activation(-1, cols, "Identity"), plain("dropout", 0, cols, p)]
        net = make_net(cols, nodes, dtype, seed)
        x = generator("dropout", rows, cols).normal(size=(rows, cols)).astype(dtype)
        given = guarded.input(x)

        def passes(net=net, given=given):
            net.step_count = step
            return net.forward(given, True), net.backward(given, False)

        y, dx = on_all_thread_counts(passes)
        kept = ref.dropout_mask(x.size, p, seed, 4 * 1 + 2, step).reshape(x.shape)
        assert same_bits(y, np.where(kept, x * scale, x * dtype.type(0)))
        assert same_bits(dx, y)
        assert net.step_count == step + 1
        assert same_bits(net.predict(given, guarded.output(x.shape, dtype)), x)


# ---- NaN and infinities through a network ----


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_nan_in_one_row_does_not_affect_other_rows(odd, isa, dtype, threads):
    for rows, fan_in, width, fan_out in [(20, 5, 17, 3), (70, 33, 3, 40), (9, 16, 4, 1)]:
        nodes = [linear(-1, fan_in, width), activation(0, width, "GELU"),
                 linear(1, width, fan_out), plain("softmax", 2, fan_out)]  # fmt: skip
        net, rng = make_net(fan_in, nodes, dtype), generator(rows)
        net.params[...] = rng.normal(size=net.params.size)
        x, dy = (rng.normal(size=(rows, n)).astype(dtype) for n in (fan_in, fan_out))
        clean = net.forward(x, True), net.backward(dy, False)
        spoilt = x.copy()
        spoilt[rows // 2, 1] = odd
        results = net.forward(spoilt, True), net.backward(dy, False)
        assert np.isnan(results[0][rows // 2]).any() or np.isinf(odd)
        for before, after in zip(clean, results, strict=True):
            assert same_bits(np.delete(after, rows // 2, 0), np.delete(before, rows // 2, 0))
