"""Penalties on a layer's weights (not on its biases), added to the reported loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array, as_float


class Penalty:
    """``value(W)``, a number, and ``gradient(W)``, an array of W's shape."""

    def value(self, W: ArrayLike) -> float:
        raise NotImplementedError

    def gradient(self, W: ArrayLike) -> Array:
        raise NotImplementedError


class Lp(Penalty):
    """``lam * sum(|W|^p)``; gradient ``lam * p * |W|^(p-1) * sign(W)``, 0 where W is 0.

    Parameters
    ----------
    p : exponent, > 0
    lam : strength, >= 0

    Examples
    --------
    >>> penalty = Lp(3, 0.5)
    >>> penalty.value([[1.0, -2.0]])
    4.5
    >>> penalty.gradient([[1.0, -2.0]])
    array([[ 1.5, -6. ]])
    """

    def __init__(self, p: float, lam: float) -> None:
        self.p, self.lam = p, lam

    def value(self, W: ArrayLike) -> float:
        return self.lam * float(np.sum(np.abs(as_float(W)) ** self.p))

    def gradient(self, W: ArrayLike) -> Array:
        W = as_float(W)
        # For p < 1 the slope at 0 is infinite from both sides; 0 lets a zero weight stay.
        size = np.where(W == 0.0, 1.0, np.abs(W))
        return self.lam * self.p * size ** (self.p - 1.0) * np.sign(W)


class L2(Penalty):
    """``lam * sum(W^2)``; gradient ``2 lam W``. No factor 1/2.

    Examples
    --------
    >>> L2(0.5).value([[1.0, -2.0]])
    2.5
    >>> L2(0.5).gradient([[1.0, -2.0]])
    array([[ 1., -2.]])
    """

    def __init__(self, lam: float) -> None:
        self.lam = lam

    def value(self, W: ArrayLike) -> float:
        return self.lam * float(np.sum(as_float(W) ** 2))

    def gradient(self, W: ArrayLike) -> Array:
        return 2.0 * self.lam * as_float(W)


class L1(Penalty):
    """``lam * sum(|W|)``; gradient ``lam * sign(W)``, 0 where W is 0.

    Examples
    --------
    >>> L1(0.5).value([[1.0, -2.0]])
    1.5
    >>> L1(0.5).gradient([[1.0, 0.0]])
    array([[0.5, 0. ]])
    """

    def __init__(self, lam: float) -> None:
        self.lam = lam

    def value(self, W: ArrayLike) -> float:
        return self.lam * float(np.sum(np.abs(as_float(W))))

    def gradient(self, W: ArrayLike) -> Array:
        return self.lam * np.sign(as_float(W))


PENALTIES: dict[str, type[Penalty]] = {"L2": L2, "L1": L1, "Lp": Lp}
