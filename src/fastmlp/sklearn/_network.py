"""Turn the estimators' parameters into a network, initial weights, an optimizer and schedules."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.layers import ACTIVATIONS, Dropout, Layer, Linear
from fastmlp.layers.activations import Activation
from fastmlp.networks.sequential import Sequential
from fastmlp.optim.base import Optimizer
from fastmlp.optim.first_order import SGD, Adam
from fastmlp.optim.lbfgs import LBFGS

# scikit-learn's names, then fastmlp's additions in the same style.
ACTIVATION_NAMES: Mapping[str, str] = {
    "identity": "Identity",
    "logistic": "Sigmoid",
    "tanh": "Tanh",
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "elu": "ELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "softplus": "Softplus",
}


def hidden_sizes(value: Any) -> list[int]:
    """Return the widths of the hidden layers, given as one number or several."""
    sizes = list(value) if hasattr(value, "__iter__") else [value]
    if any(isinstance(s, bool) or not isinstance(s, Integral) or s <= 0 for s in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [int(size) for size in sizes]


def make_network(
    widths: Sequence[int], activation: str | Activation, dropout: float, dtype: Any, random: Any,
    compute: str | None = None,
) -> Sequential:  # fmt: skip
    """Make a network with scikit-learn's initial weights, drawn from ``random`` in its order.

    Uniform within ``sqrt(6 / (fan_in + fan_out))``, weights and biases (Glorot and Bengio, 2010);
    with 2 instead of 6 for the logistic activation.
    """
    factor, values = 2.0 if activation == "logistic" else 6.0, []
    for fan_in, fan_out in pairwise(widths):
        bound = math.sqrt(factor / (fan_in + fan_out))
        values.append(random.uniform(-bound, bound, (fan_in, fan_out)))
        values.append(random.uniform(-bound, bound, fan_out))
    seed = int(random.randint(2**31 - 1)) if dropout > 0 else 0
    net = Sequential(_layers(widths, activation, dropout), dtype=dtype, seed=seed, compute=compute)
    net.params = np.concatenate([value.ravel() for value in values])
    return net


def remake_network(
    old: Any, widths: Sequence[int], activation: str | Activation, dropout: float, dtype: Any,
    compute: str | None = None,
) -> Sequential:  # fmt: skip
    """Make a network with the weights of another one and the present parameters."""
    layers = _layers(widths, activation, dropout)
    net = Sequential(layers, dtype=dtype, seed=old.seed, compute=compute)
    net.params, net.step_count = old.params, old.step_count
    return net


def _layers(widths: Sequence[int], activation: str | Activation, dropout: float) -> list[Layer]:
    layers: list[Layer] = []
    for fan_in, fan_out in pairwise(widths):
        layers.append(Linear(fan_in, fan_out, init="zeros"))
        layers.append(_activation(activation))
        layers += [Dropout(dropout)] if dropout > 0 else []
    del layers[-1 if dropout == 0 else -2 :]
    return layers


class Views(list[Array]):
    """A list of the network's arrays; assigning to an item writes into the array."""

    def __setitem__(self, index: Any, value: Any) -> None:
        chosen = self[index] if isinstance(index, slice) else [self[index]]
        values = value if isinstance(index, slice) else [value]
        for view, one in zip(chosen, values, strict=True):
            if np.shape(one) != view.shape:
                raise ValueError(f"got shape {np.shape(one)}; want {view.shape}")
            view[...] = one


def _activation(activation: str | Activation) -> Layer:
    if isinstance(activation, Activation):
        return copy.deepcopy(activation)
    return ACTIVATIONS[ACTIVATION_NAMES[activation]]()


def make_optimizer(estimator: Any) -> Optimizer:
    """Return the optimizer of the solver."""
    e = estimator
    clip = {"clip_norm": e.clip_norm}
    if e.solver == "adam":
        betas = (e.beta_1, e.beta_2)
        return Adam(lr=e.learning_rate_init, betas=betas, eps=e.epsilon, eps_hat=True, **clip)
    if e.solver == "sgd":
        nesterov = bool(e.nesterovs_momentum) and e.momentum > 0
        return SGD(lr=e.learning_rate_init, momentum=e.momentum, nesterov=nesterov, **clip)
    return LBFGS(
        max_iter=e.max_iter, tolerance_grad=e.tol, tolerance_change=2.220446049250313e-09,
        max_eval=e.max_fun)  # fmt: skip


class Rate:
    """The learning rate of each epoch: scikit-learn's schedules for ``sgd``."""

    def __init__(self, estimator: Any, rate: float | None = None) -> None:
        e = estimator
        self.kind = e.learning_rate if e.solver == "sgd" else "constant"
        self.first, self.power = e.learning_rate_init, e.power_t
        self.now = self.first if rate is None else rate

    def heed(self, rate: float) -> None:
        """Continue from the present rate, which a callback may have set."""
        if rate != self.now:
            self.first = self.first * (rate / self.now) if self.now > 0.0 else rate
            self.now = rate

    def end_epoch(self, seen: int) -> None:
        """Set the rate for the number of rows seen so far."""
        if self.kind == "invscaling":
            self.now = self.first / (seen + 1) ** self.power

    def goes_on(self) -> bool:
        """If a smaller rate may help after a plateau, set it and return True."""
        if self.kind != "adaptive" or self.now <= 1e-6:
            return False
        self.now /= 5.0
        return True

    def message(self, goes_on: bool) -> str:
        """Return the decision of ``goes_on`` as text."""
        if goes_on:
            return f"Setting learning rate to {self.now:f}"
        return f"{'Learning rate too small. ' * (self.kind == 'adaptive')}Stopping."
