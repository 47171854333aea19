"""A distribution over classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.distributions.base import generator, parameter


class Categorical:
    """Classes 0 to K - 1 with probabilities ``softmax(logits)``.

    Parameters
    ----------
    logits : array_like, shape (..., K)
        A logit of ``-inf`` gives its class probability 0; one at least must be finite.

    Attributes
    ----------
    logits, log_probs, probs : ndarray, shape (..., K)
        Probabilities and their logarithms, exact for large logits too.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument does not fit.

    Examples
    --------
    >>> from fastmlp.distributions import Categorical
    >>> policy = Categorical([[0.0, 0.0, 0.0]])
    >>> policy.entropy().round(4).tolist(), policy.mode().tolist()
    ([1.0986], [0])
    """

    def __init__(self, logits: Any) -> None:
        self.logits = parameter(logits, "logits")
        with np.errstate(invalid="ignore", under="ignore", divide="ignore"):
            shifted = self.logits - self.logits.max(axis=-1, keepdims=True)
            total = np.exp(shifted).sum(axis=-1, keepdims=True)
            self.log_probs: Array = shifted - np.log(total)
            self.probs: Array = np.exp(self.log_probs)

    def sample(self, rng: Any = None) -> Array:
        """Draw a class of each distribution, (...,) int64, from a generator or a seed."""
        draws = generator(rng).random(self.logits.shape[:-1])
        reached = np.cumsum(self.probs, axis=-1, dtype=np.float64)
        # Rounding must neither pass the last class nor draw one of probability 0.
        place = draws * reached[..., -1]
        drawn: Array = (reached <= place[..., np.newaxis]).sum(axis=-1)
        return drawn

    def mode(self) -> Array:
        """Return the likeliest class of each distribution, (...,) int64; the first of equals."""
        likeliest: Array = self.logits.argmax(axis=-1)
        return likeliest

    def log_prob(self, action: Any) -> Array:
        """Return the log probability of each action (...,), in the shape of the actions."""
        return np.take_along_axis(self.log_probs, self._index(action), axis=-1)[..., 0]

    def log_prob_gradient(self, action: Any) -> Array:
        """Return its gradient with respect to the logits: ``one_hot(action) - probs``."""
        gradient = -self.probs
        index = self._index(action)
        np.put_along_axis(gradient, index, np.take_along_axis(gradient, index, -1) + 1, axis=-1)
        return gradient

    def entropy(self) -> Array:
        """Return the entropy of each distribution in nats, (...,)."""
        found: Array = -self._information().sum(axis=-1)
        return found

    def entropy_gradient(self) -> Array:
        """Return its gradient with respect to the logits: ``-p (log p + entropy)``."""
        information = self._information()
        entropy = -information.sum(axis=-1, keepdims=True)
        gradient: Array = -(information + self.probs * entropy)
        return gradient

    def _information(self) -> Array:
        """``p log p``, 0 where p is 0."""
        with np.errstate(invalid="ignore"):
            found: Array = np.where(self.probs > 0, self.probs * self.log_probs, self.probs)
        return found

    def _index(self, action: Any) -> Array:
        shape, classes = self.logits.shape[:-1], self.logits.shape[-1]
        array = validation.numeric(action, "action")
        if array.shape != shape:
            raise ArgumentError(f"action: got shape {array.shape}; want {shape}")
        return validation.labels(array.ravel(), "action", array.size, classes).reshape(*shape, 1)

    def __repr__(self) -> str:
        return f"Categorical(logits of shape {self.logits.shape})"
