"""A normal distribution of vectors with independent components."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.distributions.base import LOG_2PI, generator, parameter, vector


class Gaussian:
    """Vectors of D independent normal components.

    Parameters
    ----------
    mean : array_like, shape (..., D)
    log_std : array_like, shape (..., D) or (D,)
        Logarithms of the standard deviations; of one row, they hold for the whole batch.

    Attributes
    ----------
    mean, log_std, std : ndarray, shape (..., D)

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument does not fit.

    Notes
    -----
    ``log_prob`` and ``entropy`` are summed over the components. Gradients are pairs, of the mean
    and of the log standard deviations, ``(..., D)`` each; with a ``log_std`` that holds for the
    whole batch, its gradient is the sum over the batch.

    Examples
    --------
    >>> from fastmlp.distributions import Gaussian
    >>> policy = Gaussian([[1.0, -1.0]], [0.0, 0.0])
    >>> policy.log_prob([[1.0, 0.0]]).round(4).tolist()
    [-2.3379]
    >>> mean, log_std = policy.log_prob_gradient([[1.0, 0.0]])
    >>> mean.tolist(), log_std.tolist()
    ([[0.0, 1.0]], [[-1.0, 0.0]])
    >>> policy.entropy().round(4).tolist()
    [2.8379]
    """

    def __init__(self, mean: Any, log_std: Any) -> None:
        self.mean = parameter(mean, "mean")
        given = parameter(log_std, "log_std").astype(self.mean.dtype, copy=False)
        if given.shape not in {self.mean.shape, self.mean.shape[-1:]}:
            raise ArgumentError(
                f"log_std: got shape {given.shape}; want {self.mean.shape} or "
                f"{self.mean.shape[-1:]}"
            )
        self.log_std: Array = np.broadcast_to(given, self.mean.shape)
        with np.errstate(over="ignore", under="ignore"):
            self.std: Array = np.exp(self.log_std)

    def sample(self, rng: Any = None) -> Array:
        """Draw a vector of each distribution, (..., D), from a generator or a seed.

        It is ``mean + std * noise``: its gradients are 1 and ``std * noise``, that is
        ``sample - mean`` for the log standard deviation.
        """
        drawn: Array = self.mean + self.std * self.noise(rng)
        return drawn

    def noise(self, rng: Any = None) -> Array:
        """Draw standard normal numbers in the shape of the mean."""
        drawn: Array = np.asarray(generator(rng).standard_normal(self.mean.shape))
        return drawn.astype(self.mean.dtype, copy=False)

    def mode(self) -> Array:
        """Return the mean."""
        return self.mean

    def log_prob(self, action: Any) -> Array:
        """Return the log density at each action (..., D), summed over its components: (...,)."""
        z = self._standard(action)
        found: Array = (-0.5 * z * z - self.log_std - 0.5 * LOG_2PI).sum(axis=-1)
        return found

    def log_prob_gradient(self, action: Any) -> tuple[Array, Array]:
        """Return its gradients for mean and log std: ``z / std`` and ``z**2 - 1``."""
        z = self._standard(action)
        return z / self.std, z * z - 1

    def entropy(self) -> Array:
        """Return the entropy of each distribution in nats, (...,)."""
        found: Array = (self.log_std + 0.5 * (LOG_2PI + 1)).sum(axis=-1)
        return found

    def entropy_gradient(self) -> tuple[Array, Array]:
        """Return its gradients for mean and log std: 0 and 1."""
        return np.zeros_like(self.mean), np.ones_like(self.mean)

    def _standard(self, action: Any) -> Array:
        x = vector(action, "action", self.mean.shape, self.mean.dtype)
        with np.errstate(over="ignore", under="ignore"):
            z: Array = (x - self.mean) * np.exp(-self.log_std)
        return z

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean of shape {self.mean.shape})"


Normal = Gaussian
