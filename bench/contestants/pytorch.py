"""PyTorch, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from bench.contestants.base import Contestant
from bench.problems import Array, Problem

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


class Eager(Contestant):
    """The body of a plain training loop with a fused optimizer; predictions in inference mode."""

    def __init__(self, problem: Problem, threads: int) -> None:
        torch.set_num_threads(threads)
        self.problem = problem
        self.net = _build(problem)
        self.x, self.y = torch.from_numpy(problem.x), torch.from_numpy(problem.y)
        if problem.cell.kind == "predict":
            self.net.eval()
            # Set for the whole process, because to enter the mode in each call would cost time.
            torch.set_grad_enabled(False)
            self.forward = self.prepared(self.net)
            self.call = partial(self.forward, self.x)
            return
        torch.set_grad_enabled(True)
        criterion = nn.functional.mse_loss if problem.regression else nn.functional.cross_entropy
        net = self.net
        self.loss = self.prepared(lambda x, y: criterion(net(x), y))
        self.optimizer = self._optimizer()
        self.call = self.step

    def prepared(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function in the form in which it is called many times."""
        return function

    def _optimizer(self) -> torch.optim.Optimizer:
        adam = self.problem.cell.optimizer == "adam"
        kind: Any = torch.optim.Adam if adam else torch.optim.SGD
        return kind(self.net.parameters(), lr=self.problem.lr, fused=True)

    def step(self) -> torch.Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        value = self.loss(self.x, self.y)
        value.backward()
        self.optimizer.step()
        return value

    def reset(self) -> None:
        _assign(self.net, self.problem)
        self.optimizer = self._optimizer()

    def params(self) -> list[Array]:
        arrays = []
        for layer in _linears(self.net):
            arrays += [layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy()]
        return arrays

    def output(self) -> Array:
        return self.call().numpy().copy()


class Compiled(Eager):
    """Network and loss through ``torch.compile``; for predictions the weights are frozen."""

    def prepared(self, function: Callable[..., Any]) -> Callable[..., Any]:
        # Otherwise the limit on recompilations would silently switch to eager mode.
        torch._dynamo.reset()
        torch._inductor.config.freezing = self.problem.cell.kind == "predict"
        return torch.compile(function, dynamic=False, fullgraph=True)


def _build(problem: Problem) -> nn.Sequential:
    layers: list[nn.Module] = []
    dtype = getattr(torch, problem.cell.dtype)
    for fan_in, fan_out in problem.cell.layers:
        if layers:
            layers.append(ACTIVATIONS[problem.cell.activation]())
            layers += [nn.Dropout(problem.dropout)] if problem.dropout else []
        layers.append(nn.Linear(fan_in, fan_out, dtype=dtype))
    net = nn.Sequential(*layers)
    _assign(net, problem)
    return net


def _linears(net: nn.Sequential) -> list[nn.Linear]:
    return [layer for layer in net if isinstance(layer, nn.Linear)]


def _assign(net: nn.Sequential, problem: Problem) -> None:
    with torch.no_grad():
        for layer, (W, b) in zip(_linears(net), problem.first, strict=True):
            layer.weight.copy_(torch.from_numpy(W.T))
            layer.bias.copy_(torch.from_numpy(b))
