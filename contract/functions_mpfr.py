"""The functions of tests/c/test_math.c in MPFR, to 200 bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    import gmpy2
except ImportError:
    gmpy2 = None

AVAILABLE = gmpy2 is not None
BITS = 200


def _number(text: str) -> Any:
    """A number in the form of C's %a."""
    return gmpy2.mpfr(text.replace("0x", ""), BITS, 16) if "0x" in text else gmpy2.mpfr(text)


def _logistic(x: Any) -> Any:
    return 1 / (1 + gmpy2.exp(-x))


def _sigmoid_slope(x: Any) -> Any:
    return _logistic(x) * _logistic(-x)


def _gate_slope(x: Any, v: Any, dv: Any) -> Any:
    """The derivative of x s(v), where s is the logistic function and dv = dv/dx."""
    return _logistic(v) * (1 + x * dv * _logistic(-v))


def _normal_cdf(x: Any) -> Any:
    return gmpy2.erfc(-x / gmpy2.sqrt(gmpy2.mpfr(2))) / 2


def _density(x: Any) -> Any:
    return gmpy2.exp(-x * x / 2) / gmpy2.sqrt(2 * gmpy2.const_pi())


def _gelu_tanh_argument(x: Any) -> tuple[Any, Any]:
    """The argument v of x s(v), and its derivative."""
    a, b = gmpy2.sqrt(8 / gmpy2.const_pi()), gmpy2.mpfr("0.044715")
    return a * (x + b * x**3), a * (1 + 3 * b * x**2)


def _mish_gate(x: Any) -> Any:
    return gmpy2.tanh(gmpy2.log1p(gmpy2.exp(x)))


def _mish_slope(x: Any) -> Any:
    gate = _mish_gate(x)
    return gate + x * (1 - gate**2) * _logistic(x)


def _selu(x: Any, below: Callable[[Any], Any], above: Any) -> Any:
    scale = gmpy2.mpfr("1.0507009873554804934193349852946")
    alpha = gmpy2.mpfr("1.6732632423543772848170429916717")
    return scale * (above if x > 0 else alpha * below(x))


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "exp": lambda x: gmpy2.exp(x),
    "expm1": lambda x: gmpy2.expm1(x),
    "log": lambda x: gmpy2.log(x),
    "log1p": lambda x: gmpy2.log1p(x),
    "tanh": lambda x: gmpy2.tanh(x),
    "sigmoid": _logistic,
    "softplus": lambda x: gmpy2.log1p(gmpy2.exp(x)) if x < 0 else x + gmpy2.log1p(gmpy2.exp(-x)),
    "log1p_exp": lambda x: gmpy2.log1p(gmpy2.exp(-abs(x))),
    "erf": lambda x: gmpy2.erf(x),
    "sin": lambda x: gmpy2.sin(x),
    "cos": lambda x: gmpy2.cos(x),
    "pow_1_5": lambda x: abs(x) ** gmpy2.mpfr(1.5),
    "pow_3": lambda x: abs(x) ** 3,
    "relu": lambda x: x if x > 0 else gmpy2.mpfr(0),
    "elu": lambda x: x if x > 0 else gmpy2.expm1(x),
    "elu_slope": lambda x: gmpy2.mpfr(1) if x > 0 else gmpy2.exp(x),
    "selu": lambda x: _selu(x, gmpy2.expm1, x),
    "selu_slope": lambda x: _selu(x, gmpy2.exp, 1),
    "gelu": lambda x: x * _normal_cdf(x),
    "gelu_slope": lambda x: _normal_cdf(x) + x * _density(x),
    "gelu_tanh": lambda x: x * _logistic(_gelu_tanh_argument(x)[0]),
    "gelu_tanh_slope": lambda x: _gate_slope(x, *_gelu_tanh_argument(x)),
    "silu": lambda x: x * _logistic(x),
    "silu_slope": lambda x: _gate_slope(x, x, 1),
    "mish": lambda x: x * _mish_gate(x),
    "mish_slope": _mish_slope,
    "sigmoid_slope": _sigmoid_slope,
    "tanh_slope": lambda x: 4 * _sigmoid_slope(2 * x),
    "softplus_slope": _logistic,
}


def error(name: str, bits: int, x: str, y: str) -> float:
    """The distance of y from the function's value at x, in ULP of float32 or float64."""
    digits, lowest, highest = (24, -126, 128) if bits == 32 else (53, -1022, 1024)
    with gmpy2.context(gmpy2.get_context(), precision=BITS):
        at, got = _number(x), _number(y)
        if not gmpy2.is_finite(at):
            return 0.0  # the program itself compares special values with the C library
        exact, end = FUNCTIONS[name](at), gmpy2.exp2(highest)
        if gmpy2.is_nan(exact) or gmpy2.is_nan(got):
            return 0.0 if gmpy2.is_nan(exact) and gmpy2.is_nan(got) else float("inf")
        exact, got = min(max(exact, -end), end), min(max(got, -end), end)
        exponent = lowest if exact == 0 else max(gmpy2.get_exp(exact) - 1, lowest)
        return float(abs(exact - got) * gmpy2.exp2(digits - 1 - exponent))
