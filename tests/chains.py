"""The sums of docs/numerics.md on arrays, with fused multiply-adds made of ordinary operations."""

from __future__ import annotations

import numpy as np


def two_sum(a, b):
    """``a + b`` and its rounding error, exactly (Knuth)."""
    s = a + b
    shifted = s - a
    return s, (a - (s - shifted)) + (b - shifted)


def two_product(a, b):
    """``a * b`` and its rounding error, exactly (Veltkamp, Dekker)."""
    product = a * b
    factor = a.dtype.type(2 ** (12 if a.dtype == np.float32 else 27) + 1)
    (a_high, a_low), (b_high, b_low) = (split(v, factor) for v in (a, b))
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, error


def split(a, factor):
    scaled = factor * a
    high = scaled - (scaled - a)
    return high, a - high


def sum_to_odd(a, b):
    """``a + b`` rounded to odd: of the two numbers adjacent to an inexact sum, the odd one."""
    s, error = two_sum(a, b)
    bits = s.view(np.int32 if s.dtype == np.float32 else np.int64)
    towards = np.where(error > 0, np.inf, -np.inf).astype(s.dtype)
    return np.where((error != 0) & (bits % 2 == 0), np.nextafter(s, towards), s)


def fma(a, b, c):
    """``a * b + c`` rounded once (Boldo & Melquiond, IEEE Trans. Computers 57, 2008)."""
    a, b, c = np.broadcast_arrays(a, b, c)
    product, low = two_product(a, b)
    carried, rest = two_sum(c, low)
    high, middle = two_sum(product, carried)
    return high + sum_to_odd(rest, middle)


def multiply_then_add(a, b, c):
    """The multiply-add of an instruction set without a fused one."""
    return a * b + c


def chain(start, a, b, add):
    """``start + sum_k a[..., k] * b[k]``: one chain in ascending order."""
    total = start
    for k in range(a.shape[-1]):
        total = add(a[..., k : k + 1], b[k], total)
    return total


def lane_sum(a, b, add):
    """The same over 16 or 8 lanes, added by halves."""
    lanes = 16 if a.dtype == np.float32 else 8
    total = np.zeros((lanes, a.shape[0], b.shape[1]), a.dtype)
    for k in range(a.shape[1]):
        total[k % lanes] = add(a[:, k : k + 1], b[k], total[k % lanes])
    while len(total) > 1:
        half = len(total) // 2
        total = total[:half] + total[half:]
    return total[0]


def in_chunks(a, b, add):
    """A chain for each 1024 rows of ``b``; totals added in order."""
    total = None
    for i in range(0, len(b), 1024):
        start = np.zeros((a.shape[0], b.shape[1]), a.dtype)
        part = chain(start, a[:, i : i + 1024], b[i : i + 1024], add)
        total = part if total is None else total + part
    return total


def products(x, W, b, dy, add):
    """``x W + b``, ``dy W^T``, ``x^T dy`` and the column sums of ``dy``, in a layer's order."""
    rows, (fan_in, fan_out) = len(x), W.shape
    if fan_out <= 4 and fan_in >= 16:
        y = lane_sum(x, W, add) + b
    else:
        y = chain(np.broadcast_to(b, (rows, fan_out)), x, W, add)
    dx = chain(np.zeros_like(x), dy, W.T, add)
    ones = np.ones((1, rows), x.dtype)
    return y, dx, in_chunks(x.T, dy, add), in_chunks(ones, dy, multiply_then_add)[0]
