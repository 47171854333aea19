"""fastmlp."""

from __future__ import annotations

from functools import partial

import numpy as np

import fastmlp as fm
from bench.contestants.base import Contestant
from bench.problems import ACTIVATIONS, SEED, Array, Problem


class FastMLP(Contestant):
    """``Trainer.step`` and ``Sequential.predict``, called as users call them."""

    reference_masks = True

    def __init__(self, problem: Problem, threads: int) -> None:
        fm.set_num_threads(threads)
        self.problem = problem
        self.net = _build(problem)
        cell = problem.cell
        if cell.kind == "predict":
            out = np.empty((cell.batch, cell.widths[-1]), cell.dtype) if cell.out else None
            self.call = partial(self.net.predict, problem.x, *([out] if cell.out else []))
            return
        loss = fm.MSELoss() if problem.regression else fm.CrossEntropyLoss()
        kind = fm.Adam if cell.optimizer == "adam" else fm.SGD
        self.trainer = fm.Trainer(self.net, loss=loss, optimizer=kind(lr=problem.lr))
        state = self.trainer.state_dict()
        self.first = {key: value for key, value in state.items() if key != "slots"}
        self.call = partial(self.trainer.step, problem.x, problem.y)

    def reset(self) -> None:
        _assign(self.net, self.problem)
        slots = [np.zeros_like(slot) for slot in self.trainer.state_dict()["slots"]]
        self.trainer.load_state_dict({**self.first, "slots": slots})

    def params(self) -> list[Array]:
        return [array.copy() for layer in _linears(self.net) for array in (layer.W, layer.b)]

    def output(self) -> Array:
        return np.array(self.call())


def _build(problem: Problem) -> fm.Sequential:
    cell = problem.cell
    layers: list[fm.Layer] = []
    for fan_in, fan_out in cell.layers:
        if layers:
            layers.append(getattr(fm, ACTIVATIONS[cell.activation])())
            layers += [fm.Dropout(problem.dropout)] if problem.dropout else []
        layers.append(fm.Linear(fan_in, fan_out))
    net = fm.Sequential(*layers, dtype=cell.dtype, seed=SEED)
    _assign(net, problem)
    return net


def _linears(net: fm.Sequential) -> list[fm.Linear]:
    return [layer for layer in net if isinstance(layer, fm.Linear)]


def _assign(net: fm.Sequential, problem: Problem) -> None:
    for layer, (W, b) in zip(_linears(net), problem.first, strict=True):
        layer.W[...] = W
        layer.b[...] = b
