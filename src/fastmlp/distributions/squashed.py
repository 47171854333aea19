"""A normal distribution of vectors, squashed into a box by tanh."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.distributions.base import generator, vector
from fastmlp.distributions.gaussian import Gaussian

_LOG_2 = float(np.log(2.0))


class Squashed(NamedTuple):
    """A sample with its log density, and the normal numbers that it was made of."""

    action: Array
    log_prob: Array
    noise: Array


class SquashedGaussian:
    """``low + (high - low) (1 + tanh(u)) / 2`` with ``u`` normal: SAC's policy.

    Parameters
    ----------
    mean : array_like, shape (..., D)
        Of u.
    log_std : array_like, shape (..., D) or (D,)
    low, high : float or array_like of shape (D,), default -1 and 1
        The box.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument does not fit.

    Notes
    -----
    The density has the correction ``log(1 - tanh(u)**2)``, computed as
    ``2 (log 2 - u - softplus(-2 u))``, which is right where ``1 - tanh(u)**2`` is 0 in rounding.
    The density of an action at the very end of the box cannot be known from the action: ``rsample``
    returns the density with the sample. Its entropy has no closed form; its estimate from a sample
    is ``-log_prob``. Source: Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and Applications",
    appendix C.

    Examples
    --------
    >>> from fastmlp.distributions import SquashedGaussian
    >>> policy = SquashedGaussian([[0.0]], [[0.0]])
    >>> policy.mode().tolist(), policy.log_prob([[0.0]]).round(4).tolist()
    ([[0.0]], [-0.9189])
    >>> drawn = policy.rsample(0)
    >>> bool(abs(policy.log_prob(drawn.action) - drawn.log_prob)[0] < 1e-5)
    True
    """

    def __init__(self, mean: Any, log_std: Any, low: Any = -1.0, high: Any = 1.0) -> None:
        self.normal = Gaussian(mean, log_std)
        dtype, width = self.normal.mean.dtype, self.normal.mean.shape[-1:]
        ends = []
        for name, value in (("low", low), ("high", high)):
            array = validation.numeric(value, name)
            if array.shape not in {(), width}:
                raise ArgumentError(f"{name}: got shape {array.shape}; want a number or {width}")
            ends.append(array.astype(dtype))
        self.low, self.high = ends
        if not (np.isfinite(self.high - self.low).all() and (self.high > self.low).all()):
            raise ArgumentError(f"high: got {self.high}; want finite numbers above low={self.low}")
        self._half = (self.high - self.low) / 2

    def sample(self, rng: Any = None) -> Array:
        """Draw an action of each distribution, (..., D), from a generator or a seed."""
        return self._action(self._pre(self.normal.noise(rng)))

    def rsample(self, rng: Any = None) -> Squashed:
        """Draw actions with their log densities (...,) and the normal numbers behind them."""
        noise = self.normal.noise(generator(rng))
        return Squashed(self._action(self._pre(noise)), self._log_prob(noise), noise)

    def rsample_gradient(self, noise: Any, of_action: Any, of_log_prob: Any) -> tuple[Array, Array]:
        """Return the gradients for mean and log std of a loss of the sample made of ``noise``.

        Parameters
        ----------
        noise : array_like, shape (..., D)
            As ``rsample`` returned it.
        of_action : array_like, shape (..., D)
            Gradient of the loss with respect to the actions.
        of_log_prob : array_like, shape (...,)
            Gradient of the loss with respect to the log densities of the actions.

        Examples
        --------
        >>> from fastmlp.distributions import SquashedGaussian
        >>> policy = SquashedGaussian([[0.0]], [[0.0]])
        >>> mean, log_std = policy.rsample_gradient([[0.5]], [[1.0]], [0.0])
        >>> mean.round(4).tolist(), log_std.round(4).tolist()
        ([[0.7864]], [[0.3932]])
        """
        shape, dtype = self.normal.mean.shape, self.normal.mean.dtype
        z = vector(noise, "noise", shape, dtype)
        up = vector(of_action, "of_action", shape, dtype)
        weight = vector(of_log_prob, "of_log_prob", shape[:-1], dtype)[..., np.newaxis]
        u = self._pre(z)
        # d log p / du is that of the correction alone: z does not change with mean and std.
        of_u = up * self._half * _tanh_slope(u) + 2 * weight * np.tanh(u)
        return of_u, of_u * self.normal.std * z - weight

    def mode(self) -> Array:
        """Return the squashed mean, the action that is taken without noise."""
        return self._action(self.normal.mean)

    def log_prob(self, action: Any) -> Array:
        """Return the log density at each action (..., D), summed over its components: (...,).

        Actions at or beyond an end of the box count as the nearest number inside.
        """
        u = self._inverse(action)
        found: Array = self.normal.log_prob(u) - self._correction(u)
        return found

    def log_prob_gradient(self, action: Any) -> tuple[Array, Array]:
        """Return its gradients for mean and log std, at actions that stay as they are."""
        return self.normal.log_prob_gradient(self._inverse(action))

    def _pre(self, noise: Array) -> Array:
        u: Array = self.normal.mean + self.normal.std * noise
        return u

    def _action(self, u: Array) -> Array:
        action: Array = self.low + self._half * (1 + np.tanh(u))
        return np.clip(action, self.low, self.high)

    def _log_prob(self, noise: Array) -> Array:
        own = (-0.5 * noise * noise - self.normal.log_std - 0.5 * np.log(2 * np.pi)).sum(axis=-1)
        found: Array = own.astype(noise.dtype) - self._correction(self._pre(noise))
        return found

    def _correction(self, u: Array) -> Array:
        """Return the log determinant of the squashing, summed over the components."""
        with np.errstate(under="ignore"):
            slope = 2 * (_LOG_2 - u - np.logaddexp(0, -2 * u))
        found: Array = (slope + np.log(self._half)).sum(axis=-1).astype(u.dtype)
        return found

    def _inverse(self, action: Any) -> Array:
        x = vector(action, "action", self.normal.mean.shape, self.normal.mean.dtype)
        end = 1 - np.finfo(x.dtype).eps
        inside: Array = np.clip((x - self.low) / self._half - 1, -end, end)
        return np.arctanh(inside)

    def __repr__(self) -> str:
        return f"SquashedGaussian(mean of shape {self.normal.mean.shape})"


def _tanh_slope(u: Array) -> Array:
    """``1 - tanh(u)**2`` without cancellation: ``4 e / (1 + e)**2`` with ``e = exp(-2 abs(u))``."""
    with np.errstate(under="ignore"):
        e = np.exp(-2 * np.abs(u))
    slope: Array = 4 * e / (1 + e) ** 2
    return slope
