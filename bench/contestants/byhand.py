"""NumPy by hand, as a careful programmer writes it: every array is allocated once."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.contestants.base import Contestant, Unsupported
from bench.problems import Array, Problem


class ByHand(Contestant):
    """Products into preallocated arrays, elementwise work in place."""

    def __init__(self, problem: Problem, threads: int) -> None:
        cell = problem.cell
        if problem.dropout and cell.activation != "relu":
            raise Unsupported("dropout is written for ReLU only")
        self.problem, self.x, self.n = problem, problem.x, cell.batch
        self.flat, self.views = _one_array(problem)
        self.grads, self.grad_views = _one_array(problem)
        self.y = [np.empty((cell.batch, out), cell.dtype) for _, out in cell.layers]
        self.activation = _activation(cell.activation, self.y[:-1])
        if cell.kind == "predict":
            self.call = self.forward
            return
        self.dy = [np.empty_like(y) for y in self.y]
        self.rows = np.arange(cell.batch)
        self.keep = 1.0 - problem.dropout
        self.rng = np.random.default_rng(0)
        self.masks = [np.ones_like(y) for y in self.y[:-1]]
        self.update = _optimizer(cell.optimizer, self.flat, self.grads, problem.lr)
        self.call = self.step

    def forward(self) -> Array:
        h = self.x
        for i, (W, b) in enumerate(self.views):
            np.matmul(h, W, out=self.y[i])
            self.y[i] += b
            if self.problem.cell.residual(i):
                self.y[i] += h
            h = self.y[i]
            if i + 1 < len(self.views):
                h = self.activation.forward(i, h)
                h = self.drop(i, h) if self.problem.dropout else h
        return h

    def drop(self, i: int, h: Array) -> Array:
        mask = self.masks[i]
        self.rng.random(out=mask, dtype=mask.dtype)
        np.less(mask, self.keep, out=mask, casting="unsafe")
        mask *= mask.dtype.type(1.0 / self.keep)
        return np.multiply(h, mask, out=self.activation.outputs[i])

    def step(self) -> float:
        self.forward()
        value = self.loss()
        for i in reversed(range(len(self.views))):
            h = self.activation.outputs[i - 1] if i else self.x
            dW, db = self.grad_views[i]
            np.matmul(h.T, self.dy[i], out=dW)
            self.dy[i].sum(axis=0, out=db)
            if i:
                np.matmul(self.dy[i], self.views[i][0].T, out=self.dy[i - 1])
                if self.problem.cell.residual(i):
                    self.dy[i - 1] += self.dy[i]
                if self.problem.dropout:
                    self.dy[i - 1] *= self.masks[i - 1]
                self.activation.backward(i - 1, self.dy[i - 1])
        self.update.step()
        return value

    def loss(self) -> float:
        """The loss; writes its gradient into the last ``dy`` and overwrites the scores."""
        scores, dy, n = self.y[-1], self.dy[-1], self.n
        if self.problem.regression:
            return _squared_error(scores, self.problem.y, dy) / n
        value = 0.0
        if self.problem.cell.two_heads:
            value = _squared_error(scores[:, -1:], self.problem.values, dy[:, -1:]) / n
            scores, dy = scores[:, :-1], dy[:, :-1]
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=dy)
        total = dy.sum(axis=1, keepdims=True)
        value += float((np.log(total[:, 0]) - scores[self.rows, self.problem.y]).mean())
        dy /= total
        dy[self.rows, self.problem.y] -= 1.0
        dy *= 1.0 / n
        return value

    def reset(self) -> None:
        self.flat[...] = _one_array(self.problem)[0]
        self.update.reset()

    def params(self) -> list[Array]:
        return [array.copy() for pair in self.views for array in pair]

    def output(self) -> Array:
        return self.forward().copy()


def _squared_error(scores: Array, targets: Array, dy: Array) -> float:
    """The sum of squares, and the gradient of their mean."""
    np.subtract(scores, targets, out=dy)
    value = float(np.vdot(dy, dy))
    dy *= 2.0 / len(dy)
    return value


class _Sgd:
    def __init__(self, flat: Array, grads: Array, lr: float) -> None:
        self.flat, self.grads, self.lr = flat, grads, flat.dtype.type(lr)

    def step(self) -> None:
        self.grads *= self.lr
        self.flat -= self.grads

    def reset(self) -> None:
        pass


class _Adam:
    def __init__(self, flat: Array, grads: Array, lr: float) -> None:
        self.flat, self.grads, self.lr = flat, grads, lr
        self.m, self.v, self.work = (np.zeros_like(flat) for _ in range(3))
        self.t = 0

    def step(self) -> None:
        m, v, g, work = self.m, self.v, self.grads, self.work
        self.t += 1
        m *= 0.9
        m += np.multiply(g, 0.1, out=work)
        np.multiply(g, g, out=g)
        g *= 0.001
        v *= 0.999
        v += g
        np.multiply(v, 1.0 / (1.0 - 0.999**self.t), out=work)
        np.sqrt(work, out=work)
        work += 1e-8
        np.divide(m, work, out=work)
        work *= self.lr / (1.0 - 0.9**self.t)
        self.flat -= work

    def reset(self) -> None:
        self.t = 0
        self.m[...] = 0
        self.v[...] = 0


class _Relu:
    """In place, because the derivative needs only the output."""

    def __init__(self, y: list[Array]) -> None:
        self.outputs = y

    def forward(self, i: int, z: Array) -> Array:
        return np.maximum(z, 0, out=z)

    def backward(self, i: int, dy: Array) -> None:
        dy *= self.outputs[i] > 0


class _Silu:
    """``z s`` with ``s = 1 / (1 + exp(-z))``; derivative ``s + y (1 - s)``."""

    def __init__(self, y: list[Array]) -> None:
        self.outputs, self.gates = ([np.empty_like(a) for a in y] for _ in range(2))

    def forward(self, i: int, z: Array) -> Array:
        gate = np.negative(z, out=self.gates[i])
        np.exp(gate, out=gate)
        gate += 1
        np.reciprocal(gate, out=gate)
        return np.multiply(z, gate, out=self.outputs[i])

    def backward(self, i: int, dy: Array) -> None:
        gate, y = self.gates[i], self.outputs[i]
        y -= y * gate
        y += gate
        dy *= y


class _Gelu:
    """``z P(z)`` with the normal distribution function P; derivative ``P + z p(z)``."""

    def __init__(self, y: list[Array]) -> None:
        try:
            from scipy.special import erf
        except ImportError as error:
            raise Unsupported("NumPy has no erf, and SciPy is not installed") from error
        self.erf, self.inputs = erf, y
        self.outputs, self.gates = ([np.empty_like(a) for a in y] for _ in range(2))

    def forward(self, i: int, z: Array) -> Array:
        gate = np.multiply(z, np.sqrt(0.5).astype(z.dtype), out=self.gates[i])
        self.erf(gate, out=gate)
        gate += 1
        gate *= 0.5
        return np.multiply(z, gate, out=self.outputs[i])

    def backward(self, i: int, dy: Array) -> None:
        z, work = self.inputs[i], self.outputs[i]
        np.multiply(z, z, out=work)
        work *= -0.5
        np.exp(work, out=work)
        work *= z
        work *= work.dtype.type(1.0 / np.sqrt(2.0 * np.pi))
        work += self.gates[i]
        dy *= work


def _activation(name: str, y: list[Array]) -> Any:
    return {"relu": _Relu, "gelu": _Gelu, "silu": _Silu}[name](y)


def _optimizer(name: str, flat: Array, grads: Array, lr: float) -> Any:
    return {"sgd": _Sgd, "adam": _Adam}[name](flat, grads, lr)


def _one_array(problem: Problem) -> tuple[Array, list[tuple[Array, Array]]]:
    """One flat array for all weights, and views of it, so that an update is one loop."""
    flat = np.concatenate([array.ravel() for array in problem.flat_weights()])
    views, at = [], 0
    for W, b in problem.first:
        middle, end = at + W.size, at + W.size + b.size
        views.append((flat[at:middle].reshape(W.shape), flat[middle:end]))
        at = end
    return flat, views
