"""JAX: the whole step in one ``jit``, with donated buffers and arrays on the device."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.contestants.base import Contestant
from bench.problems import Array, Problem

ACTIVATIONS: dict[str, Any] = {
    "relu": jax.nn.relu,
    "gelu": lambda z: jax.nn.gelu(z, approximate=False),
    "silu": jax.nn.silu,
}


class Jax(Contestant):
    """JAX, which runs calls asynchronously.

    Steps are issued without waiting and awaited at the end of a timed block. Each prediction is
    awaited at once, because a caller needs its value.
    """

    def __init__(self, problem: Problem, threads: int) -> None:
        jax.config.update("jax_enable_x64", problem.cell.dtype == "float64")
        self.problem = problem
        self.x, self.y = jnp.asarray(problem.x), jnp.asarray(problem.y)
        if problem.cell.kind == "predict":
            weights = self._device_weights()
            forward = jax.jit(lambda weights, x: scores(weights, x, problem, None))
            self.call = lambda: forward(weights, self.x).block_until_ready()
            return
        self.state = self._first_state()
        # Called through jit, whose C++ path is faster than the Python path of a compiled object.
        self.compiled = jax.jit(_step_function(problem), donate_argnums=0)
        self.call = self.step

    def step(self) -> Any:
        self.state, value = self.compiled(self.state, self.x, self.y)
        return value

    def reset(self) -> None:
        self.state = self._first_state()

    def sync(self) -> None:
        if self.problem.cell.kind == "train":
            jax.block_until_ready(self.state)

    def params(self) -> list[Array]:
        return [np.array(array) for pair in self.state[0] for array in pair]

    def output(self) -> Array:
        return np.array(self.call())

    def _device_weights(self) -> Any:
        return [(jnp.array(W), jnp.array(b)) for W, b in self.problem.first]

    def _first_state(self) -> Any:
        weights = self._device_weights()
        moments = ()
        if self.problem.cell.optimizer == "adam":
            moments = tuple(jax.tree.map(jnp.zeros_like, weights) for _ in range(2))
        state = weights, moments, jnp.zeros((), jnp.int32), jax.random.key(0)
        return jax.block_until_ready(state)


def scores(weights: Any, x: Any, problem: Problem, key: Any) -> Any:
    """Scores of the network; dropout is active if a key is given."""
    f = ACTIVATIONS[problem.cell.activation]
    *hidden, last = weights
    for i, (W, b) in enumerate(hidden):
        x = f(x @ W + b)
        if problem.dropout and key is not None:
            keep = 1.0 - problem.dropout
            mask = jax.random.bernoulli(jax.random.fold_in(key, i), keep, x.shape)
            x = jnp.where(mask, x / keep, 0)
    return x @ last[0] + last[1]


def loss(weights: Any, x: Any, y: Any, problem: Problem, key: Any) -> Any:
    """Mean squared error or softmax cross-entropy."""
    z = scores(weights, x, problem, key)
    if problem.regression:
        return jnp.mean((z - y) ** 2)
    chosen = jnp.take_along_axis(z, y[:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(z, axis=1) - chosen)


def _step_function(problem: Problem) -> Any:
    lr = problem.lr

    def step(state: Any, x: Any, y: Any) -> Any:
        weights, moments, t, key = state
        step_key = None
        if problem.dropout:
            key, step_key = jax.random.split(key)
        value, grads = jax.value_and_grad(loss)(weights, x, y, problem, step_key)
        t = t + 1
        if moments:
            weights, moments = adam(weights, moments, grads, t, lr)
        else:
            weights = jax.tree.map(lambda w, g: w - lr * g, weights, grads)
        return (weights, moments, t, key), value

    return step


def adam(weights: Any, moments: Any, grads: Any, t: Any, lr: float) -> tuple[Any, Any]:
    """Adam's update (Kingma and Ba, 2015) with PyTorch's defaults."""
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments[0], grads)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, moments[1], grads)

    def moved(w: Any, m: Any, v: Any) -> Any:
        power = t.astype(w.dtype)
        m, v = m / (1 - 0.9**power), v / (1 - 0.999**power)
        return w - lr * m / (jnp.sqrt(v) + 1e-8)

    return jax.tree.map(moved, weights, m, v), (m, v)
