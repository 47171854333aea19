"""JAX: the whole step in one ``jit``, with donated buffers and arrays on the device."""

from __future__ import annotations

import time
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


def _wide(x: Any, W: Any) -> Any:
    """A product of bfloat16 factors that is returned in float32."""
    factors = x.astype(jnp.bfloat16), W.astype(jnp.bfloat16)
    return jax.lax.dot(*factors, preferred_element_type=jnp.float32)


def _narrow(x: Any, W: Any) -> Any:
    """A product of bfloat16 factors that is rounded to bfloat16, as autocast does it."""
    return (x.astype(jnp.bfloat16) @ W.astype(jnp.bfloat16)).astype(jnp.float32)


# XLA has different kernels for them, and either may be the faster one.
PRODUCTS = {"bfloat16": (_wide, _narrow)}
TRIAL_CALLS = 3


class Jax(Contestant):
    """JAX, which runs calls asynchronously.

    Steps are issued without waiting and awaited at the end of a timed block. Each prediction is
    awaited at once, because a caller needs its value. Of several forms of a product, the one that
    is fastest in this cell runs.
    """

    def __init__(self, problem: Problem, threads: int) -> None:
        jax.config.update("jax_enable_x64", problem.cell.dtype == "float64")
        self.problem = problem
        self.batch = tuple(jnp.asarray(a) for a in (problem.x, problem.y, problem.values))
        products = PRODUCTS.get(problem.cell.precision, (jnp.matmul,))
        if len(products) > 1:
            products = [min(products, key=self._trial_seconds)]
        self._prepare(products[0])

    def _prepare(self, product: Any) -> None:
        problem = self.problem
        if problem.cell.kind == "predict":
            weights, x = self._device_weights(), self.batch[0]
            if problem.cell.precision == "bfloat16":
                weights = [(W.astype(jnp.bfloat16), b) for W, b in weights]
            forward = jax.jit(lambda weights, x: scores(weights, x, problem, None, product))
            self.call = lambda: forward(weights, x).block_until_ready()
            return
        self.state = self._first_state()
        # Called through jit, whose C++ path is faster than the Python path of a compiled object.
        self.compiled = jax.jit(_step_function(problem, product), donate_argnums=0)
        self.call = self.step

    def _trial_seconds(self, product: Any) -> float:
        """The shortest of some calls."""
        self._prepare(product)
        times = []
        for _ in range(1 + TRIAL_CALLS):
            start = time.perf_counter()
            self.call()
            self.sync()
            times.append(time.perf_counter() - start)
        return min(times[1:])

    def step(self) -> Any:
        self.state, value = self.compiled(self.state, self.batch)
        return value

    def reset(self) -> None:
        self.state = self._first_state()

    def sync(self) -> None:
        if self.problem.cell.kind == "train":
            jax.block_until_ready(self.state)

    def params(self) -> list[Array]:
        return self.problem.joined(self.state[0])

    def output(self) -> Array:
        return np.array(self.call())

    def _device_weights(self) -> Any:
        return [(jnp.array(W), jnp.array(b)) for W, b in self.problem.pairs()]

    def _first_state(self) -> Any:
        weights = self._device_weights()
        moments = ()
        if self.problem.cell.optimizer == "adam":
            moments = tuple(jax.tree.map(jnp.zeros_like, weights) for _ in range(2))
        state = weights, moments, jnp.zeros((), jnp.int32), jax.random.key(0)
        return jax.block_until_ready(state)


def scores(weights: Any, x: Any, problem: Problem, key: Any, product: Any = jnp.matmul) -> Any:
    """Scores of the network, or of its two heads; dropout is active if a key is given."""
    f = ACTIVATIONS[problem.cell.activation]
    heads = 2 if problem.cell.two_heads else 1
    for i, (W, b) in enumerate(weights[:-heads]):
        z = product(x, W) + b
        x = f(z + x if problem.cell.residual(i) else z)
        if problem.dropout and key is not None:
            keep = 1.0 - problem.dropout
            mask = jax.random.bernoulli(jax.random.fold_in(key, i), keep, x.shape)
            x = jnp.where(mask, x / keep, 0)
    found = [product(x, W) + b for W, b in weights[-heads:]]
    return found if heads > 1 else found[0]


def loss(weights: Any, batch: Any, problem: Problem, key: Any, product: Any) -> Any:
    """Mean squared error or softmax cross-entropy; their sum for two heads."""
    x, y, values = batch
    z = scores(weights, x, problem, key, product)
    if problem.regression:
        return jnp.mean((z - y) ** 2)
    error = 0.0
    if problem.cell.two_heads:
        z, value = z
        error = jnp.mean((value - values) ** 2)
    chosen = jnp.take_along_axis(z, y[:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(z, axis=1) - chosen) + error


def _step_function(problem: Problem, product: Any) -> Any:
    lr = problem.lr

    def step(state: Any, batch: Any) -> Any:
        weights, moments, t, key = state
        step_key = None
        if problem.dropout:
            key, step_key = jax.random.split(key)
        value, grads = jax.value_and_grad(loss)(weights, batch, problem, step_key, product)
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
