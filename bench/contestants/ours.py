"""fastmlp."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any, ClassVar

import numpy as np

import fastmlp as fm
from bench.cells import Cell
from bench.contestants.base import Contestant, Unsupported
from bench.problems import ACTIVATIONS, SEED, Array, Problem


class FastMLP(Contestant):
    """``Trainer.step``, ``predict`` and the ``predict`` of a frozen network, as users call them."""

    reference_masks = True
    # The type of a frozen network's weights; empty: the network itself predicts.
    frozen_weights: ClassVar[str] = "float32"

    def __init__(self, problem: Problem, threads: int) -> None:
        fm.set_num_threads(threads)
        self.problem = problem
        self.net, self.linears = _build(problem, self.precision())
        _assign(self.linears, problem)
        cell = problem.cell
        if cell.kind == "predict":
            out = np.empty((cell.batch, cell.widths[-1]), cell.dtype) if cell.out else None
            self.call = partial(self._predictor(), problem.x, *([out] if cell.out else []))
            return
        loss, targets = _losses(problem)
        kind = fm.Adam if cell.optimizer == "adam" else fm.SGD
        self.make_trainer = partial(fm.Trainer, self.net, loss=loss, optimizer=kind(lr=problem.lr))
        self.trainer = self.make_trainer()
        self.call = partial(self.trainer.step, problem.x, targets)

    def precision(self) -> str:
        """The type that matrix products read, ``compute=`` of a network."""
        return self.problem.cell.precision

    def _predictor(self) -> Any:
        if self.problem.cell.group != "frozen" or not self.frozen_weights:
            return self.net.predict
        if not hasattr(fm, "freeze"):
            raise Unsupported("this fastmlp has no fm.freeze")
        self.frozen = fm.freeze(
            self.net, weights=self.frozen_weights, rows=self.problem.calibration_rows()
        )
        return self.frozen.predict

    def reset(self) -> None:
        _assign(self.linears, self.problem)
        # The state of training is that of a new trainer; copies of it are not made before.
        self.trainer.load_state_dict({**self.make_trainer().state_dict(), "step_count": 0})

    def params(self) -> list[Array]:
        return self.problem.joined([(layer.W, layer.b) for layer in self.linears])

    def output(self) -> Array:
        return np.array(self.call())


class Float32(FastMLP):
    """The same with products in float32, to show what bfloat16 gains."""

    def precision(self) -> str:
        return "float32"


class Unfrozen(FastMLP):
    """The network itself, to show what freezing gains."""

    frozen_weights = ""


class FrozenBfloat16(FastMLP):
    frozen_weights = "bfloat16"


class FrozenInt8(FastMLP):
    frozen_weights = "int8"


def _build(problem: Problem, precision: str) -> tuple[fm.Sequential | fm.Graph, list[fm.Linear]]:
    """The network, and its linear layers in the order of the weights."""
    cell = problem.cell
    options: dict[str, Any] = {"dtype": cell.dtype, "seed": SEED}
    if precision == "bfloat16":
        options["compute"] = precision
        if "compute" not in inspect.signature(fm.Sequential).parameters:
            raise Unsupported("this fastmlp has no compute=")
    linears = [_linear(cell, i) for i in range(len(cell.layers))]
    if cell.group == "graph":
        return _graph(problem, linears, options), linears
    layers: list[fm.Layer] = []
    for linear in linears:
        if layers:
            layers.append(getattr(fm, ACTIVATIONS[cell.activation])())
            layers += [fm.Dropout(problem.dropout)] if problem.dropout else []
        layers.append(linear)
    return fm.Sequential(*layers, **options), linears


def _linear(cell: Cell, layer: int) -> fm.Linear:
    (fan_in, fan_out), (groups, fold) = cell.layers[layer], cell.blocks(layer)
    if (groups, fold) == (1, 1):
        return fm.Linear(fan_in, fan_out)
    if "groups" not in inspect.signature(fm.Linear).parameters:
        raise Unsupported("this fastmlp has no groups and folds")
    return fm.Linear(fan_in // fold, fan_out // fold, groups=groups, fold=fold)


def _graph(problem: Problem, linears: list[fm.Linear], options: dict[str, Any]) -> fm.Graph:
    cell = problem.cell
    x = h = fm.Input(cell.widths[0])
    for i, linear in enumerate(linears[:-1]):
        z = linear(h) + h if cell.residual(i) else linear(h)
        h = getattr(fm, ACTIVATIONS[cell.activation])()(z)
    if not cell.two_heads:
        return fm.Graph(x, linears[-1](h), **options)
    width, out = cell.layers[-1]
    heads = [fm.Linear(width, out - 1), fm.Linear(width, 1)]
    linears[-1:] = heads
    return fm.Graph(x, {"class": heads[0](h), "value": heads[1](h)}, **options)


def _losses(problem: Problem) -> tuple[Any, Any]:
    """Loss and targets; with two heads, dicts of them."""
    if problem.regression:
        return fm.MSELoss(), problem.y
    if not problem.cell.two_heads:
        return fm.CrossEntropyLoss(), problem.y
    losses = {"class": fm.CrossEntropyLoss(), "value": fm.MSELoss()}
    return losses, {"class": problem.y, "value": problem.values}


def _assign(linears: list[fm.Linear], problem: Problem) -> None:
    for layer, (W, b) in zip(linears, problem.pairs(), strict=True):
        layer.W[...] = W
        layer.b[...] = b
