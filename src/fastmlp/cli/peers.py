"""The libraries that `fastmlp bench` compares. A new library is one function and one row.

A function gets initial weights, rows and labels, and gives its library as many threads as fastmlp
uses.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

import fastmlp as fm
from fastmlp.base.validation import Array

LR = 1e-2
Weights = list[tuple[Array, Array]]


class Sides(NamedTuple):
    """The calls of one library, and its parameters."""

    # By kind: "train" makes a step, "predict" gives the scores.
    calls: dict[str, Callable[[], Any]]
    # W (fan_in, fan_out) and b of each layer, after the steps so far.
    params: Callable[[], list[Any]]


class Peer(NamedTuple):
    """A library: its name in the table, the function that sets it up, and its packages."""

    name: str
    make: Callable[[Weights, Array, Array], Sides]
    packages: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """The packages that are not installed."""
        return [name for name in self.packages if importlib.util.find_spec(name) is None]


def _ours(weights: Weights, x: Array, y: Array) -> Sides:
    layers: list[fm.Layer] = []
    for W, _ in weights:
        layers += [fm.ReLU()] if layers else []
        layers.append(fm.Linear(*W.shape))
    net = fm.Sequential(*layers, seed=0)
    net.params = np.concatenate([array.ravel() for pair in weights for array in pair])
    trainer = fm.Trainer(net, loss=fm.CrossEntropyLoss(), optimizer=fm.SGD(lr=LR))
    linears = [layer for layer in net if isinstance(layer, fm.Linear)]
    return Sides(
        {"train": lambda: trainer.step(x, y), "predict": lambda: net.predict(x)},
        lambda: [array for layer in linears for array in (layer.W, layer.b)],
    )


def by_hand(weights: Weights, x: Array, y: Array) -> Sides:
    """NumPy, in the precision of its arguments; in float64 it is the reference for the others."""
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

    return Sides(
        {"train": step, "predict": lambda: forward()[-1]},
        lambda: [array for pair in weights for array in pair],
    )


def _scikit(weights: Weights, x: Array, y: Array) -> Sides:
    from sklearn.neural_network import MLPClassifier

    hidden = [W.shape[1] for W, _ in weights[:-1]]
    estimator = MLPClassifier(
        hidden, solver="sgd", learning_rate_init=LR, alpha=0.0, momentum=0.0, batch_size=len(x)
    )
    estimator.partial_fit(x, y, classes=np.arange(weights[-1][0].shape[1]))
    estimator.coefs_ = [W.copy() for W, _ in weights]
    estimator.intercepts_ = [b.copy() for _, b in weights]
    # Its optimizer still refers to the old weights; the next step makes a new optimizer.
    del estimator._optimizer

    def params() -> list[Array]:
        pairs = zip(estimator.coefs_, estimator.intercepts_, strict=True)
        return [array for pair in pairs for array in pair]

    return Sides({"train": lambda: estimator.partial_fit(x, y)}, params)


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

    return Sides(
        {"train": step, "predict": torch.inference_mode()(lambda: net(rows))},
        # PyTorch keeps W transposed; for a vector, .T changes nothing.
        lambda: [array.detach().numpy().T for array in net.parameters()],
    )


def _jax(weights: Weights, x: Array, y: Array) -> Sides:
    # JAX reads the number of threads once, when the first array is made.
    os.environ["PJRT_NPROC"] = os.environ["NPROC"] = str(fm.get_num_threads())
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_platforms", "cpu")
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
    # Predictions need a copy: a step donates its weights.
    fixed = jax.tree.map(jnp.copy, state)

    def step() -> Any:
        nonlocal state
        state, value = compiled_update(state, rows, labels)
        return value.block_until_ready()

    return Sides(
        {"train": step, "predict": lambda: compiled_scores(fixed, rows).block_until_ready()},
        lambda: jax.tree.leaves(state),
    )


def _onnxruntime(weights: Weights, x: Array, y: Array) -> Sides:
    # Imported by name, so that mypy gives the same result whether it is installed or not.
    ort = import_module("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = fm.get_num_threads()
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(
        _onnx_graph(weights, len(x)), options, providers=["CPUExecutionProvider"]
    )
    scores = np.empty((len(x), len(weights[-1][1])), "f4")
    # Bound once, so that a call copies nothing.
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_output("scores", "cpu", 0, np.float32, scores.shape, scores.ctypes.data)

    def predict() -> Array:
        session.run_with_iobinding(binding)
        return scores

    return Sides({"predict": predict}, list)


def _onnx_graph(weights: Weights, batch: int) -> Any:
    """Gemm, Relu, Gemm, ... as bytes."""
    onnx = import_module("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes, constants, source = [], [], "x"
    for i, (W, b) in enumerate(weights):
        constants += [onnx.numpy_helper.from_array(a, f"{n}{i}") for n, a in (("W", W), ("b", b))]
        last = i + 1 == len(weights)
        target = "scores" if last else f"z{i}"
        nodes.append(helper.make_node("Gemm", [source, f"W{i}", f"b{i}"], [target]))
        source = f"h{i}"
        nodes += [] if last else [helper.make_node("Relu", [target], [source])]
    shapes = {"x": weights[0][0].shape[0], "scores": weights[-1][0].shape[1]}
    x, y = (helper.make_tensor_value_info(n, kind, [batch, w]) for n, w in shapes.items())
    graph = helper.make_graph(nodes, "mlp", [x], [y], constants)
    opset = helper.make_opsetid("", 13)
    # Old versions, which every current runtime reads.
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


OURS = "fastmlp"
PEERS = (
    Peer(OURS, _ours),
    Peer("numpy", by_hand),
    Peer("sklearn", _scikit, ("sklearn",)),
    Peer("torch", _torch, ("torch",)),
    Peer("jax", _jax, ("jax",)),
    Peer("onnxruntime", _onnxruntime, ("onnx", "onnxruntime")),
)
