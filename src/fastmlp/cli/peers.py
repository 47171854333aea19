"""The libraries that `fastmlp bench` sets side by side. A new one is one function and one row.

A function gets first weights, rows and labels, and raises ImportError where its library is absent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import fastmlp as fm
from fastmlp.validation import Array

LR = 1e-3
Weights = list[tuple[Array, Array]]


class Sides(NamedTuple):
    """What one library does: a training step, which gives the loss, and a prediction."""

    step: Callable[[], Any]
    predict: Callable[[], Any] | None


def _ours(weights: Weights, x: Array, y: Array) -> Sides:
    layers: list[fm.Layer] = []
    for W, _ in weights:
        layers += [fm.ReLU()] if layers else []
        layers.append(fm.Linear(*W.shape))
    net = fm.Sequential(*layers, seed=0)
    net.params = np.concatenate([array.ravel() for pair in weights for array in pair])
    trainer = fm.Trainer(net, loss=fm.CrossEntropyLoss(), optimizer=fm.SGD(lr=LR))
    return Sides(lambda: trainer.step(x, y), lambda: net.predict(x))


def _numpy(weights: Weights, x: Array, y: Array) -> Sides:
    weights = [(W.copy(), b.copy()) for W, b in weights]
    rows = np.arange(len(x))

    def forward() -> list[Array]:
        outputs = [x]
        for W, b in weights:
            z = outputs[-1] @ W
            z += b
            outputs.append(np.maximum(z, 0, out=z) if W is not weights[-1][0] else z)
        return outputs

    def step() -> float:
        *inputs, z = forward()
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(axis=1, keepdims=True)
        value = float(-np.log(p[rows, y]).mean())
        p[rows, y] -= 1
        dy = p / np.float32(len(x))
        for (W, b), h in zip(reversed(weights), reversed(inputs), strict=True):
            dx = (dy @ W.T) * (h > 0) if h is not x else h
            W -= np.float32(LR) * (h.T @ dy)
            b -= np.float32(LR) * dy.sum(axis=0)
            dy = dx
        return value

    return Sides(step, lambda: forward()[-1])


def _scikit(weights: Weights, x: Array, y: Array) -> Sides:
    from sklearn.neural_network import MLPClassifier

    hidden = [W.shape[1] for W, _ in weights[:-1]]
    estimator = MLPClassifier(
        hidden, solver="sgd", learning_rate_init=LR, alpha=0.0, momentum=0.0, batch_size=len(x)
    )
    estimator.partial_fit(x, y, classes=np.arange(weights[-1][0].shape[1]))
    estimator.coefs_ = [W.copy() for W, _ in weights]
    estimator.intercepts_ = [b.copy() for _, b in weights]
    # Its optimizer holds the weights it began with; the next step makes another one.
    del estimator._optimizer
    return Sides(lambda: estimator.partial_fit(x, y).loss_, None)


def _torch(weights: Weights, x: Array, y: Array) -> Sides:
    import torch

    torch.set_num_threads(fm.get_num_threads())
    layers: list[Any] = []
    for W, b in weights:
        layers += [torch.nn.ReLU()] if layers else []
        layers.append(torch.nn.Linear(*W.shape))
        layers[-1].load_state_dict({"weight": torch.tensor(W.T), "bias": torch.tensor(b)})
    net = torch.nn.Sequential(*layers)
    optimizer = torch.optim.SGD(net.parameters(), lr=LR, fused=True)
    rows, labels = torch.from_numpy(x), torch.from_numpy(y)

    def step() -> Any:
        optimizer.zero_grad(set_to_none=True)
        value = torch.nn.functional.cross_entropy(net(rows), labels)
        value.backward()
        optimizer.step()
        return value.detach()

    return Sides(step, torch.inference_mode()(lambda: net(rows)))


def _jax(weights: Weights, x: Array, y: Array) -> Sides:
    import jax
    import jax.numpy as jnp

    state = [(jnp.array(W), jnp.array(b)) for W, b in weights]
    rows, labels = jnp.asarray(x), jnp.asarray(y)

    def scores(weights: Any, x: Any) -> Any:
        for W, b in weights[:-1]:
            x = jax.nn.relu(x @ W + b)
        return x @ weights[-1][0] + weights[-1][1]

    def loss(weights: Any, x: Any, y: Any) -> Any:
        z = scores(weights, x)
        return jnp.mean(jax.nn.logsumexp(z, axis=1) - z[jnp.arange(len(y)), y])

    def update(weights: Any, x: Any, y: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(weights, x, y)
        return jax.tree.map(lambda w, g: w - LR * g, weights, grads), value

    compiled_update, compiled_scores = jax.jit(update, donate_argnums=0), jax.jit(scores)
    # Predictions keep weights of their own: those of the steps are given away.
    fixed = jax.tree.map(jnp.copy, state)

    def step() -> Any:
        nonlocal state
        state, value = compiled_update(state, rows, labels)
        return value.block_until_ready()

    return Sides(step, lambda: compiled_scores(fixed, rows).block_until_ready())


# fastmlp first: the others are compared with it.
MAKERS: dict[str, Callable[[Weights, Array, Array], Sides]] = {
    "fastmlp": _ours,
    "numpy": _numpy,
    "scikit-learn": _scikit,
    "torch": _torch,
    "jax": _jax,
}
