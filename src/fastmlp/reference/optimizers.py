"""Update rules on one flat array of parameters; ``step`` changes it in place.

Formulas and defaults are PyTorch's. Running averages start at the number 0 and become arrays at
the first step. ``weight_decay`` acts on every parameter, biases too; in AdamW it shrinks them
directly, elsewhere it adds ``weight_decay * params`` to the gradient.
"""

from __future__ import annotations

import numpy as np

from .arrays import Array


class Optimizer:
    """``step(params, grads)``: one update in place. ``lr`` may be changed between steps.

    ``lr_factor`` and ``decay_factor`` are numbers, or arrays like the parameters: the factors of
    parameter groups.

    Examples
    --------
    >>> params, optimizer = np.array([1.0, 1.0]), SGD(lr=0.1)
    >>> optimizer.lr_factor = np.array([1.0, 0.5])
    >>> optimizer.step(params, np.array([2.0, 2.0]))
    >>> params
    array([0.8, 0.9])
    """

    def __init__(self, lr: float, weight_decay: float = 0.0) -> None:
        self.lr, self.weight_decay = lr, weight_decay
        self.lr_factor: Array | float = 1.0
        self.decay_factor: Array | float = 1.0

    @property
    def rate(self) -> Array | float:
        """The learning rate of each parameter."""
        return self.lr * self.lr_factor

    @property
    def decay(self) -> Array | float:
        """The weight decay of each parameter."""
        return self.weight_decay * self.decay_factor

    def step(self, params: Array, grads: Array) -> None:
        raise NotImplementedError

    def _decayed(self, params: Array, grads: Array) -> Array:
        return grads + self.decay * params


class SGD(Optimizer):
    """``v = momentum * v + g``; ``params -= lr * v``, with Nesterov ``lr * (g + momentum * v)``.

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum", in the form
    where the learning rate multiplies the velocity, not the gradient.

    Examples
    --------
    >>> params = np.array([1.0])
    >>> SGD(lr=0.1).step(params, np.array([2.0]))
    >>> params
    array([0.8])
    """

    def __init__(
        self,
        lr: float = 1e-3,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr, weight_decay)
        self.momentum, self.nesterov = momentum, nesterov
        self.velocity: Array | float = 0.0

    def step(self, params: Array, grads: Array) -> None:
        g = self._decayed(params, grads)
        self.velocity = self.momentum * self.velocity + g
        params -= self.rate * (
            g + self.momentum * self.velocity if self.nesterov else self.velocity
        )


class Adam(Optimizer):
    """Running means ``m`` of g and ``v`` of g^2, both corrected for their start at 0:
    ``params -= lr * m_hat / (sqrt(v_hat) + eps)``; with ``eps_hat``, ``eps`` is added to
    ``sqrt(v)`` before its correction.

    Source: Kingma & Ba 2015, "Adam", Algorithm 1, and the end of section 2.

    Examples
    --------
    The first step has size ``lr``, however large the gradient:

    >>> params = np.array([1.0, 1.0])
    >>> Adam(lr=0.1).step(params, np.array([0.5, -500.0]))
    >>> params.round(6)
    array([0.9, 1.1])
    """

    def __init__(
        self,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        eps_hat: bool = False,
    ) -> None:
        super().__init__(lr, weight_decay)
        self.beta1, self.beta2, self.eps, self.eps_hat = beta1, beta2, eps, eps_hat
        self.m: Array | float = 0.0
        self.v: Array | float = 0.0
        self.t = 0

    def step(self, params: Array, grads: Array) -> None:
        self._update(params, self._decayed(params, grads))

    def _update(self, params: Array, g: Array) -> None:
        self.t += 1
        self.m = self.beta1 * self.m + (1.0 - self.beta1) * g
        self.v = self.beta2 * self.v + (1.0 - self.beta2) * g * g
        m_hat = self.m / (1.0 - self.beta1**self.t)
        correction = 1.0 - self.beta2**self.t
        eps = self.eps / np.sqrt(correction) if self.eps_hat else self.eps
        params -= self.rate * m_hat / (np.sqrt(self.v / correction) + eps)


class AdamW(Adam):
    """Adam after ``params *= 1 - lr * weight_decay``: decay apart from the gradient.

    Source: Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization".

    Examples
    --------
    >>> params = np.array([1.0])
    >>> AdamW(lr=0.1, weight_decay=0.5).step(params, np.array([0.0]))
    >>> params
    array([0.95])
    """

    def __init__(
        self,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        eps_hat: bool = False,
    ) -> None:
        super().__init__(lr, beta1, beta2, eps, weight_decay, eps_hat)

    def step(self, params: Array, grads: Array) -> None:
        params *= 1.0 - self.rate * self.decay
        self._update(params, grads)


class RMSprop(Optimizer):
    """``v = alpha * v + (1 - alpha) * g^2``; ``buf = momentum * buf + g / (sqrt(v) + eps)``;
    ``params -= lr * buf``.

    Source: Tieleman & Hinton 2012, lecture 6.5 of "Neural Networks for Machine Learning".

    Examples
    --------
    >>> params = np.array([1.0])
    >>> RMSprop(lr=0.01).step(params, np.array([3.0]))
    >>> params.round(6)
    array([0.9])
    """

    def __init__(
        self,
        lr: float = 1e-2,
        alpha: float = 0.99,
        momentum: float = 0.0,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr, weight_decay)
        self.alpha, self.eps, self.momentum = alpha, eps, momentum
        self.v: Array | float = 0.0
        self.buf: Array | float = 0.0

    def step(self, params: Array, grads: Array) -> None:
        g = self._decayed(params, grads)
        self.v = self.alpha * self.v + (1.0 - self.alpha) * g * g
        self.buf = self.momentum * self.buf + g / (np.sqrt(self.v) + self.eps)
        params -= self.rate * self.buf


class Adagrad(Optimizer):
    """``sum += g^2``; ``params -= lr_t * g / (sqrt(sum) + eps)``,
    ``lr_t = lr / (1 + (t - 1) * lr_decay)``.

    Source: Duchi et al. 2011, "Adaptive Subgradient Methods".

    Examples
    --------
    >>> params = np.array([1.0])
    >>> Adagrad(lr=0.1).step(params, np.array([3.0]))
    >>> params
    array([0.9])
    """

    def __init__(
        self,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        eps: float = 1e-10,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr, weight_decay)
        self.lr_decay, self.eps = lr_decay, eps
        self.sum: Array | float = 0.0
        self.t = 0

    def step(self, params: Array, grads: Array) -> None:
        g = self._decayed(params, grads)
        lr = self.rate / (1.0 + self.t * self.lr_decay)
        self.t += 1
        self.sum = self.sum + g * g
        params -= lr * g / (np.sqrt(self.sum) + self.eps)


def clip_by_norm(grads: Array, max_norm: float) -> Array:
    """The gradient scaled by ``min(1, max_norm / (norm + 1e-6))``, norm its Euclidean length.

    As PyTorch's ``clip_grad_norm_``, but returns a new array.

    Examples
    --------
    >>> clip_by_norm(np.array([3.0, 4.0]), 1.0).round(4)
    array([0.6, 0.8])
    >>> clip_by_norm(np.array([3.0, 4.0]), 10.0)
    array([3., 4.])
    """
    norm = float(np.sqrt(np.sum(grads * grads)))
    return grads * min(1.0, max_norm / (norm + 1e-6))


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "SGD": SGD,
    "Adam": Adam,
    "AdamW": AdamW,
    "RMSprop": RMSprop,
    "Adagrad": Adagrad,
}
