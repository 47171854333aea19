"""Activations ``f`` and their derivatives ``df``, element by element.

Every function takes ``z`` (array-like of any shape, converted to float64) and then its parameters,
and returns a float64 array of the same shape. The derivative ``d_<name>`` is also a function of
``z``. All of them follow these rules:

* the error is a few ulps of the added terms, in the far tails too (``gelu(-10)`` is not 0);
* ``-inf`` and ``inf`` give the limit, never ``inf * 0``; no input gives a warning; ``cos`` has no
  limit and gives NaN;
* NaN gives NaN, except in the constant derivatives of ``identity`` and ``step``;
* at a kink the derivative is the one from the left, where ``z <= 0``; that of ``clamp`` is 1.

Sources: PyTorch's definitions, except that the leaky slope is 0.1 and softplus has no threshold.
Hendrycks & Gimpel 2016 (GELU), Clevert et al. 2016 (ELU), Klambauer et al. 2017 (SELU), Misra 2019
(Mish).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, as_float

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946

_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _times(z: Array, factor: Array) -> Array:
    """``z * factor``, but 0 where the factor is 0: it decays faster than ``z`` grows."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.where(factor == 0.0, 0.0, z * factor)


def _decay(z: Array) -> Array:
    """``exp(-|z|)``, the exponential that cannot overflow."""
    with np.errstate(under="ignore"):
        return np.exp(-np.abs(z))


def _positive(z: Array) -> Array:
    """1 where ``z > 0``, else 0; NaN stays NaN."""
    return np.heaviside(z, 0.0)


def identity(z: ArrayLike) -> Array:
    """``z``, as a new array.

    >>> identity([-1.0, 2.0])
    array([-1.,  2.])
    """
    return np.array(z, dtype=np.float64)


def d_identity(z: ArrayLike) -> Array:
    """1 everywhere."""
    return np.ones_like(as_float(z))


def relu(z: ArrayLike) -> Array:
    """``max(0, z)``.

    >>> relu([-1.0, 2.0])
    array([0., 2.])
    """
    return np.maximum(as_float(z), 0.0)


def d_relu(z: ArrayLike) -> Array:
    """1 where ``z > 0``, else 0."""
    return _positive(as_float(z))


def leaky_relu(z: ArrayLike, negative_slope: float = 0.1) -> Array:
    """``z`` where ``z > 0``, else ``negative_slope * z``.

    >>> leaky_relu([-1.0, 2.0])
    array([-0.1,  2. ])
    """
    z = as_float(z)
    return np.where(z > 0.0, z, negative_slope * z)


def d_leaky_relu(z: ArrayLike, negative_slope: float = 0.1) -> Array:
    """1 where ``z > 0``, else ``negative_slope``."""
    positive = _positive(as_float(z))
    return positive + negative_slope * (1.0 - positive)


def elu(z: ArrayLike, alpha: float = 1.0) -> Array:
    """``z`` where ``z > 0``, else ``alpha * (exp(z) - 1)``.

    >>> elu([-np.inf, 2.0])
    array([-1.,  2.])
    """
    z = as_float(z)
    return np.where(z > 0.0, z, alpha * np.expm1(np.minimum(z, 0.0)))


def d_elu(z: ArrayLike, alpha: float = 1.0) -> Array:
    """1 where ``z > 0``, else ``alpha * exp(z)``."""
    z = as_float(z)
    with np.errstate(under="ignore"):
        return np.where(z > 0.0, 1.0, alpha * np.exp(np.minimum(z, 0.0)))


def selu(z: ArrayLike) -> Array:
    """``scale * elu(z, alpha)``; the two constants keep mean 0 and variance 1.

    >>> selu([0.0, 1.0]).round(4)
    array([0.    , 1.0507])
    """
    return _SELU_SCALE * elu(z, _SELU_ALPHA)


def d_selu(z: ArrayLike) -> Array:
    """``scale * d_elu(z, alpha)``."""
    return _SELU_SCALE * d_elu(z, _SELU_ALPHA)


def sigmoid(z: ArrayLike) -> Array:
    """``1 / (1 + exp(-z))``; below 0 as ``exp(z) / (1 + exp(z))``, which keeps the tail.

    >>> sigmoid([0.0, 1.0]).round(2)
    array([0.5 , 0.73])
    """
    z = as_float(z)
    decay = _decay(z)
    return np.where(z >= 0.0, 1.0, decay) / (1.0 + decay)


def d_sigmoid(z: ArrayLike) -> Array:
    """``sigmoid(z) * sigmoid(-z)``; not ``s * (1 - s)``, which cancels for large ``z``."""
    decay = _decay(as_float(z))
    return decay / (1.0 + decay) ** 2


def tanh(z: ArrayLike) -> Array:
    """The hyperbolic tangent.

    >>> tanh([0.0, np.inf])
    array([0., 1.])
    """
    return np.tanh(as_float(z))


def d_tanh(z: ArrayLike) -> Array:
    """``1 - tanh(z)^2``, written as ``4 * d_sigmoid(2 z)``, which does not cancel."""
    with np.errstate(over="ignore"):
        return 4.0 * d_sigmoid(2.0 * as_float(z))


def softplus(z: ArrayLike) -> Array:
    """``log(1 + exp(z))``, as ``max(0, z) + log(1 + exp(-|z|))``.

    >>> softplus([0.0, 1000.0]).round(4)
    array([6.931e-01, 1.000e+03])
    """
    z = as_float(z)
    return np.maximum(z, 0.0) + np.log1p(_decay(z))


def d_softplus(z: ArrayLike) -> Array:
    """``sigmoid(z)``."""
    return sigmoid(z)


def silu(z: ArrayLike) -> Array:
    """``z * sigmoid(z)``, also called swish.

    >>> silu([-np.inf, 0.0, 1.0]).round(4)
    array([0.    , 0.    , 0.7311])
    """
    z = as_float(z)
    return _times(z, sigmoid(z))


def d_silu(z: ArrayLike) -> Array:
    """``sigmoid(z) + z * sigmoid'(z)``."""
    z = as_float(z)
    return sigmoid(z) + _times(z, d_sigmoid(z))


def mish(z: ArrayLike) -> Array:
    """``z * tanh(softplus(z))``.

    >>> mish([0.0, 1.0]).round(4)
    array([0.    , 0.8651])
    """
    z = as_float(z)
    return _times(z, np.tanh(softplus(z)))


def d_mish(z: ArrayLike) -> Array:
    """``tanh(softplus(z)) + z * tanh'(softplus(z)) * sigmoid(z)``."""
    z = as_float(z)
    gate = softplus(z)
    return np.tanh(gate) + _times(z, d_tanh(gate) * sigmoid(z))


def _normal_cdf(z: Array) -> Array:
    """Phi(z) by erfc, whose relative accuracy holds where ``1 + erf`` has cancelled to 0."""
    with np.errstate(under="ignore"):
        return as_float(0.5 * _erfc(-z / math.sqrt(2.0)))


def _normal_pdf(z: Array) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def gelu(z: ArrayLike) -> Array:
    """``z * Phi(z)``, Phi the distribution function of the standard normal.

    >>> gelu([-10.0, 1.0])
    array([-7.61985302e-23,  8.41344746e-01])
    """
    z = as_float(z)
    return _times(z, _normal_cdf(z))


def d_gelu(z: ArrayLike) -> Array:
    """``Phi(z) + z * phi(z)``, phi the density of the standard normal."""
    z = as_float(z)
    return _normal_cdf(z) + _times(z, _normal_pdf(z))


def _gelu_tanh_gate(z: Array) -> Array:
    """``2 u`` with ``u = sqrt(2/pi) * (z + 0.044715 z^3)``; ``(1 + tanh u) / 2 = sigmoid(2 u)``."""
    with np.errstate(over="ignore"):
        return 2.0 * math.sqrt(2.0 / math.pi) * z * (1.0 + 0.044715 * z * z)


def gelu_tanh(z: ArrayLike) -> Array:
    """``z/2 * (1 + tanh(u))``, ``u = sqrt(2/pi) * (z + 0.044715 z^3)``: GELU approximated.

    >>> gelu_tanh([-1.0, 1.0]).round(4)
    array([-0.1588,  0.8412])
    """
    z = as_float(z)
    return _times(z, sigmoid(_gelu_tanh_gate(z)))


def d_gelu_tanh(z: ArrayLike) -> Array:
    """``sigmoid(2u) + z * sigmoid'(2u) * 2u'``."""
    z = as_float(z)
    gate = _gelu_tanh_gate(z)
    with np.errstate(over="ignore"):
        d_gate = 2.0 * math.sqrt(2.0 / math.pi) * (1.0 + 3.0 * 0.044715 * z * z)
    return sigmoid(gate) + _times(z, _times(d_gate, d_sigmoid(gate)))


def step(z: ArrayLike) -> Array:
    """1 where ``z > 0``, else 0: the perceptron's threshold.

    >>> step([-1.0, 0.0, 2.0])
    array([0., 0., 1.])
    """
    return _positive(as_float(z))


def d_step(z: ArrayLike) -> Array:
    """0 everywhere: no gradient passes through a step."""
    return np.zeros_like(as_float(z))


def clamp(z: ArrayLike, min: float = -1.0, max: float = 1.0) -> Array:
    """The nearest number from ``min`` to ``max``.

    >>> clamp([-3.0, 0.5, 2.0])
    array([-1. ,  0.5,  1. ])
    """
    return np.minimum(np.maximum(as_float(z), min), max)


def d_clamp(z: ArrayLike, min: float = -1.0, max: float = 1.0) -> Array:
    """1 where ``min <= z <= max``, else 0."""
    z = as_float(z)
    return np.where(np.isnan(z), z, (z >= min) & (z <= max))


def cos(z: ArrayLike) -> Array:
    """The cosine; NaN for infinity.

    >>> cos([0.0, 1.0]).round(4)
    array([1.    , 0.5403])
    """
    with np.errstate(invalid="ignore"):
        return np.cos(as_float(z))


def d_cos(z: ArrayLike) -> Array:
    """``-sin(z)``."""
    with np.errstate(invalid="ignore"):
        return -np.sin(as_float(z))


class ActivationRow(NamedTuple):
    """One activation: ``f(z, *params)``, ``df(z, *params)``, default parameters, formula.

    Examples
    --------
    >>> row = ACTIVATIONS["LeakyReLU"]
    >>> row.params
    {'negative_slope': 0.1}
    >>> row.f([-2.0], *row.params.values())
    array([-0.2])
    """

    f: Callable[..., Array]
    df: Callable[..., Array]
    params: Mapping[str, float]
    formula: str


ACTIVATIONS: dict[str, ActivationRow] = {
    "Identity": ActivationRow(identity, d_identity, {}, "z"),
    "ReLU": ActivationRow(relu, d_relu, {}, "max(0, z)"),
    "LeakyReLU": ActivationRow(
        leaky_relu, d_leaky_relu, {"negative_slope": 0.1}, "z > 0 ? z : negative_slope * z"
    ),
    "ELU": ActivationRow(elu, d_elu, {"alpha": 1.0}, "z > 0 ? z : alpha * (exp(z) - 1)"),
    "SELU": ActivationRow(selu, d_selu, {}, "scale * (z > 0 ? z : alpha * (exp(z) - 1))"),
    "GELU": ActivationRow(gelu, d_gelu, {}, "z * Phi(z)"),
    "GELUTanh": ActivationRow(
        gelu_tanh, d_gelu_tanh, {}, "z/2 * (1 + tanh(sqrt(2/pi) * (z + 0.044715 z^3)))"
    ),
    "SiLU": ActivationRow(silu, d_silu, {}, "z / (1 + exp(-z))"),
    "Mish": ActivationRow(mish, d_mish, {}, "z * tanh(log(1 + exp(z)))"),
    "Sigmoid": ActivationRow(sigmoid, d_sigmoid, {}, "1 / (1 + exp(-z))"),
    "Tanh": ActivationRow(tanh, d_tanh, {}, "tanh(z)"),
    "Softplus": ActivationRow(softplus, d_softplus, {}, "log(1 + exp(z))"),
    "Step": ActivationRow(step, d_step, {}, "z > 0 ? 1 : 0"),
    "Clamp": ActivationRow(
        clamp, d_clamp, {"min": -1.0, "max": 1.0}, "z < min ? min : z > max ? max : z"
    ),
    "Cos": ActivationRow(cos, d_cos, {}, "cos(z)"),
}
