"""JAX: the whole fit compiled into one call, with a scan over epochs and batches."""

from __future__ import annotations

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.contestants.jaxjit import adam
from bench.datasets import LR, Data
from bench.problems import Array


class Scan:
    """Rows in the order of NumPy's permutations; the last batch of an epoch is smaller."""

    def __init__(self, data: Data, threads: int) -> None:
        self.data = data
        self.x, self.y = jnp.asarray(data.x), jnp.asarray(data.y)
        start = time.perf_counter()
        arguments = self._first_state(), self.x, self.y, self._orders(0)
        self.compiled = jax.jit(_whole_fit(data), donate_argnums=0).lower(*arguments).compile()
        self.compile_seconds = time.perf_counter() - start

    def fit(self, seed: int) -> None:
        state = self.compiled(self._first_state(), self.x, self.y, self._orders(seed))
        self.weights = jax.block_until_ready(state)[0]

    def predict(self, x: Array) -> Array:
        return np.array(_scores(self.weights, jnp.asarray(x)))

    def _orders(self, seed: int) -> Any:
        rng = np.random.default_rng(seed)
        rows = np.arange(len(self.data.x), dtype=np.int32)
        return jnp.asarray(np.stack([rng.permutation(rows) for _ in range(self.data.task.epochs)]))

    def _first_state(self) -> Any:
        weights = [(jnp.array(W), jnp.array(b)) for W, b in self.data.first_weights()]
        moments = tuple(jax.tree.map(jnp.zeros_like, weights) for _ in range(2))
        return weights, moments, jnp.zeros((), jnp.int32)


def _scores(weights: Any, x: Any) -> Any:
    *hidden, (W, b) = weights
    for V, c in hidden:
        x = jax.nn.relu(x @ V + c)
    return x @ W + b


def _whole_fit(data: Data) -> Any:
    batch = data.task.batch
    full = len(data.x) // batch * batch

    def loss(weights: Any, x: Any, y: Any) -> Any:
        z = _scores(weights, x)
        if data.regression:
            return jnp.mean((z - y) ** 2)
        chosen = jnp.take_along_axis(z, y[:, None], axis=1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(z, axis=1) - chosen)

    def step(state: Any, x: Any, y: Any) -> Any:
        weights, moments, t = state
        grads = jax.grad(loss)(weights, x, y)
        weights, moments = adam(weights, moments, grads, t + 1, LR)
        return weights, moments, t + 1

    def fit(state: Any, x: Any, y: Any, orders: Any) -> Any:
        def on_rows(state: Any, rows: Any) -> Any:
            return step(state, x[rows], y[rows]), None

        def epoch(state: Any, order: Any) -> Any:
            state, _ = jax.lax.scan(on_rows, state, order[:full].reshape(-1, batch))
            if full < len(data.x):
                state, _ = on_rows(state, order[full:])
            return state, None

        return jax.lax.scan(epoch, state, orders)[0]

    return fit
