"""Compute the polynomial coefficients of csrc/kernels/math_*.inc.

Each fit minimises the largest weighted error (Lawson's iteration, in high precision). The
coefficients are then rounded one at a time, from the constant upwards, and the rest are fitted
again, so that later coefficients make up for the rounding of earlier ones. Needs mpmath; names of
fits as arguments select some of them.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp
from mpmath import mpf

mp.mp.prec = 300
Function = Callable[[mpf], mpf]


@dataclass(frozen=True)
class Fit:
    """A polynomial of this degree for `function` on [low, high]; the error is times `weight`."""

    function: Function
    weight: Function
    low: mpf
    high: mpf
    degree: int
    bits: int
    two_part_constant: bool = False


def polynomial(coefficients: list[mpf], x: mpf) -> mpf:
    return mp.polyval(coefficients[::-1], x)


def least_squares(
    points: list[mpf], goal: list[mpf], weight: list[mpf], first: int, last: int
) -> list[mpf]:
    """Coefficients of x**first .. x**last; the precision is high enough for normal equations."""
    count = last - first + 1
    power = [
        mp.fsum(w * w * x**k for x, w in zip(points, weight, strict=True))
        for k in range(2 * first, 2 * last + 1)
    ]
    matrix = mp.matrix(count)
    for i in range(count):
        for j in range(count):
            matrix[i, j] = power[i + j]
    right = [
        mp.fsum(w * w * g * x**k for x, g, w in zip(points, goal, weight, strict=True))
        for k in range(first, last + 1)
    ]
    return list(mp.lu_solve(matrix, mp.matrix(right)))


def minimax_weights(
    points: list[mpf], goal: list[mpf], weight: list[mpf], degree: int
) -> list[mpf]:
    """Lawson's iteration: weights whose least squares fit is the minimax fit."""
    lawson = [mpf(1)] * len(points)
    for _ in range(12):
        total = [w * mp.sqrt(v) for w, v in zip(weight, lawson, strict=True)]
        coefficients = least_squares(points, goal, total, 0, degree)
        error = [
            abs(w * (g - polynomial(coefficients, x)))
            for x, g, w in zip(points, goal, weight, strict=True)
        ]
        scale = max(error)
        lawson = [v * (e / scale + mpf("1e-3")) for v, e in zip(lawson, error, strict=True)]
    return [w * mp.sqrt(v) for w, v in zip(weight, lawson, strict=True)]


def rounded(x: mpf, bits: int) -> mpf:
    with mp.workprec(bits):
        return +x


def solve(fit: Fit) -> tuple[list[mpf], mpf]:
    """Rounded coefficients, lowest first, and the largest weighted error with them."""
    samples = 12 * (fit.degree + 2)
    points = [
        (fit.low + fit.high) / 2 - (fit.high - fit.low) / 2 * mp.cos(mp.pi * (i + 0.5) / samples)
        for i in range(samples)
    ]
    goal = [fit.function(x) for x in points]
    weight = [fit.weight(x) for x in points]
    total = minimax_weights(points, goal, weight, fit.degree)
    coefficients: list[mpf] = []
    while len(coefficients) <= fit.degree:
        rest = [g - polynomial(coefficients, x) for x, g in zip(points, goal, strict=True)]
        free = least_squares(points, rest, total, len(coefficients), fit.degree)
        two_parts = fit.two_part_constant and not coefficients
        coefficients.append(rounded(free[0], fit.bits * (2 if two_parts else 1)))
    error = max(
        abs(w * (g - polynomial(coefficients, x)))
        for x, g, w in zip(points, goal, weight, strict=True)
    )
    return coefficients, error


def one(_: mpf) -> mpf:
    return mpf(1)


def exp_tail(r: mpf) -> mpf:
    return (mp.expm1(r) - r) / r**2


def log_cubic(f: mpf) -> mpf:
    return (mp.log1p(f) - f + f * f / 2) / f**3


def log_atanh(z: mpf) -> mpf:
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) - 2 * s) / s**3


def erf_small(z: mpf) -> mpf:
    x = mp.sqrt(z)
    return mp.erf(x) / x - 1


def sine_tail(z: mpf) -> mpf:
    """(sin(r) - r) / r^3 in z = r^2."""
    r = mp.sqrt(z)
    return (mp.sin(r) - r) / r**3


def cosine_tail(z: mpf) -> mpf:
    """(cos(r) - 1 + r^2 / 2) / r^4 in z = r^2."""
    return (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2


def mills(shift: mpf) -> Function:
    """R(t) / w in w - 1/2, w = shift / (t + shift), where R(t) = exp(t^2 / 2) P(normal > t)."""

    def ratio(v: mpf) -> mpf:
        w = v + 0.5
        t = shift / w - shift
        return mp.exp(t * t / 2) * mp.erfc(t / mp.sqrt(2)) / 2 / w

    return ratio


HALF_LN2 = mp.log(2) / 2 * mpf("1.0001")
LOG_LOW, LOG_HIGH = mp.sqrt(mpf(1) / 2) - 1, mp.sqrt(2) - 1
MOST_Z = (mp.pi / 4 * mpf("1.01")) ** 2  # of reduced arguments
SHIFT_32, SHIFT_64 = mpf(4), mpf(5)


def mills_fit(shift: mpf, largest: float, degree: int, bits: int) -> Fit:
    ratio, lowest = mills(shift), shift / (largest + shift) - mpf(1) / 2
    return Fit(ratio, lambda v: 1 / ratio(v), lowest, mpf(1) / 2, degree, bits, True)


def log_atanh_weight(z: mpf) -> mpf:
    return z / (2 + z)


def gelu_slope(x: mpf) -> mpf:
    return mp.ncdf(x) + x * mp.npdf(x)


def gate_slope(x: mpf, v: mpf, dv: mpf) -> mpf:
    """The derivative of x s(v), s the logistic function and dv = dv/dx."""
    return (1 + x * dv / (1 + mp.exp(v))) / (1 + mp.exp(-v))


def silu_slope(x: mpf) -> mpf:
    return gate_slope(x, x, mpf(1))


def gelu_tanh_slope(x: mpf) -> mpf:
    a, b = 2 * mp.sqrt(2 / mp.pi), mpf("0.044715")
    return gate_slope(x, a * (x + b * x**3), a * (1 + 3 * b * x**2))


def mish_slope(x: mpf) -> mpf:
    e = mp.exp(x)
    d = e * e + 2 * e + 2
    return e * (2 + e + 4 * x * (1 + e) / d) / d


# Local gradients, a number near their zero, and the widths and degrees of the fits around it.
SLOPES = {"gelu": (gelu_slope, -0.75), "gelu_tanh": (gelu_tanh_slope, -0.75),
          "silu": (silu_slope, -1.28), "mish": (mish_slope, -1.19)}  # fmt: skip
NEAR_ZERO = {("gelu", 24): (mpf(1) / 4, 6)}
NEAR_OTHER_ZEROS = {24: (mpf(1) / 32, 3), 53: (mpf(1) / 4, 12)}


@functools.cache
def zero_of(name: str) -> mpf:
    function, near = SLOPES[name]
    return mp.findroot(function, near)


def near_zero_fit(name: str, bits: int) -> Fit:
    """f'(zero + d) / d."""
    width, degree = NEAR_ZERO.get((name, bits), NEAR_OTHER_ZEROS[bits])

    def quotient(d: mpf) -> mpf:
        return SLOPES[name][0](zero_of(name) + d) / d

    return Fit(quotient, lambda d: 1 / quotient(d), -width, width, degree, bits, True)


FITS = {
    "exp_tail_f32": Fit(exp_tail, abs, -HALF_LN2, HALF_LN2, 5, 24),
    "exp_tail_f64": Fit(exp_tail, abs, -HALF_LN2, HALF_LN2, 9, 53),
    "log_cubic_f32": Fit(log_cubic, lambda f: f * f, LOG_LOW, LOG_HIGH, 8, 24),
    "log_atanh_f64": Fit(
        log_atanh, log_atanh_weight, mpf(0), (LOG_HIGH / (2 + LOG_HIGH)) ** 2, 6, 53
    ),
    "erf_small_f32": Fit(erf_small, one, mpf(0), mpf(1), 6, 24),
    "erf_small_f64": Fit(erf_small, one, mpf(0), mpf(1), 12, 53),
    "sine_tail_f32": Fit(sine_tail, abs, MOST_Z / 10**6, MOST_Z, 3, 24),
    "sine_tail_f64": Fit(sine_tail, abs, MOST_Z / 10**6, MOST_Z, 5, 53),
    "cosine_tail_f32": Fit(cosine_tail, lambda z: z * z, MOST_Z / 10**6, MOST_Z, 2, 24),
    "cosine_tail_f64": Fit(cosine_tail, lambda z: z * z, MOST_Z / 10**6, MOST_Z, 5, 53),
    "mills_f32": mills_fit(SHIFT_32, 14.5, 10, 24),
    "mills_f64": mills_fit(SHIFT_64, 39.0, 22, 53),
} | {
    f"{name}_zero_f{width}": near_zero_fit(name, digits)
    for width, digits in [(32, 24), (64, 53)]
    for name in SLOPES
}


def main(names: list[str]) -> None:
    for name in names or FITS:
        coefficients, error = solve(FITS[name])
        print(f"{name}: largest weighted error 2^{float(mp.log(error, 2)):.1f}")
        suffix = "f" if FITS[name].bits == 24 else ""
        if FITS[name].two_part_constant:
            high = rounded(coefficients[0], FITS[name].bits)
            coefficients[:1] = [high, coefficients[0] - high]
        if "_zero_" in name:
            zero = zero_of(name.split("_zero_")[0])
            high = rounded(zero, FITS[name].bits)
            coefficients[:0] = [high, rounded(zero - high, FITS[name].bits)]
        for c in coefficients:
            print(f"    {float(c).hex()}{suffix},")


if __name__ == "__main__":
    main(sys.argv[1:])
