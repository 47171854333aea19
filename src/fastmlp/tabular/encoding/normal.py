"""The quantile function of the standard normal distribution."""

from __future__ import annotations

import numpy as np

from fastmlp.base.validation import Array

# Numerators and denominators of Wichura's rational approximations (AS 241, Applied Statistics 37,
# 1988), the highest power first: of the centre, of the tails, and of their far ends. The relative
# error is about 1e-16.
_CENTRE = (
    (2509.0809287301227, 33430.575583588128, 67265.770927008701, 45921.953931549871,
     13731.693765509461, 1971.5909503065514, 133.14166789178438, 3.3871328727963666),
    (5226.4952788528546, 28729.085735721943, 39307.895800092711, 21213.794301586596,
     5394.1960214247511, 687.18700749205791, 42.313330701600911, 1.0),
)  # fmt: skip
_TAIL = (
    (7.7454501427834141e-4, 0.022723844989269185, 0.2417807251774506, 1.2704582524523684,
     3.6478483247632046, 5.769497221460691, 4.6303378461565453, 1.4234371107496836),
    (1.0507500716444168e-9, 5.4759380849953449e-4, 0.015198666563616457, 0.14810397642748007,
     0.6897673349851, 1.6763848301838038, 2.0531916266377588, 1.0),
)  # fmt: skip
_FAR_TAIL = (
    (2.0103343992922881e-7, 2.7115555687434876e-5, 1.2426609473880784e-3, 0.026532189526576123,
     0.29656057182850489, 1.7848265399172913, 5.4637849111641144, 6.6579046435011038),
    (2.0442631033899398e-15, 1.4215117583164459e-7, 1.8463183175100547e-5, 7.868691311456133e-4,
     0.014875361290850615, 0.13692988092273581, 0.59983220655588794, 1.0),
)  # fmt: skip


def normal_quantile(p: Array) -> Array:
    """Return z with P(Z <= z) = p for probabilities in (0, 1), float64.

    Examples
    --------
    >>> normal_quantile(np.array([0.5, 0.975])).round(4).tolist()
    [0.0, 1.96]
    """
    p = np.asarray(p, np.float64)
    q = p - 0.5
    central = np.abs(q) <= 0.425
    z = q * _ratio(_CENTRE, 0.180625 - q * q)
    tails = np.sqrt(-np.log(np.minimum(p, 1.0 - p)[~central]))
    near = _ratio(_TAIL, tails - 1.6)
    values = np.where(tails <= 5.0, near, _ratio(_FAR_TAIL, tails - 5.0))
    z[~central] = np.copysign(values, q[~central])
    return z


def _ratio(powers: tuple[tuple[float, ...], tuple[float, ...]], r: Array) -> Array:
    found: Array = np.polyval(powers[0], r) / np.polyval(powers[1], r)
    return found
