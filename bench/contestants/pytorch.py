"""PyTorch, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from bench.cells import Cell
from bench.contestants.base import Contestant
from bench.problems import Array, Problem

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


class Eager(Contestant):
    """The body of a plain training loop with a fused optimizer; predictions in inference mode.

    In bfloat16, training runs under ``autocast``; predictions have their weights in bfloat16,
    because ``autocast`` would convert them in every call.
    """

    def __init__(self, problem: Problem, threads: int) -> None:
        torch.set_num_threads(threads)
        self.problem = problem
        self.net = _build(problem)
        self.x, self.y = torch.from_numpy(problem.x), torch.from_numpy(problem.y)
        half = problem.cell.precision == "bfloat16"
        if problem.cell.kind == "predict":
            self.net.eval()
            # Set for the whole process, because to enter the mode in each call would cost time.
            torch.set_grad_enabled(False)
            net = self.net.bfloat16() if half else self.net
            self.forward = self.prepared((lambda x: net(x.bfloat16())) if half else net)
            self.call = partial(self.forward, self.x)
            return
        torch.set_grad_enabled(True)
        objective = _objective(problem, self.net)

        def in_bfloat16(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return objective(x, y)

        self.loss = self.prepared(in_bfloat16 if half else objective)
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
        pairs = [(weight.detach().numpy(), bias.detach().numpy())
                 for weight, bias in _parameters(self.net)]  # fmt: skip
        return self.problem.joined(pairs)

    def output(self) -> Array:
        return self.call().to(getattr(torch, self.problem.cell.dtype)).numpy().copy()


class Compiled(Eager):
    """Network and loss through ``torch.compile``; for predictions the weights are frozen."""

    def prepared(self, function: Callable[..., Any]) -> Callable[..., Any]:
        # Otherwise the limit on recompilations would silently switch to eager mode.
        torch._dynamo.reset()
        torch._inductor.config.freezing = self.problem.cell.kind == "predict"
        return torch.compile(function, dynamic=False, fullgraph=True)


class GraphNet(nn.Module):
    """A network with residual connections; with two heads it returns a pair."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.cell = problem.cell
        shapes = [W.shape for W, _ in problem.pairs()]
        self.linears = nn.ModuleList([nn.Linear(*shape) for shape in shapes])
        self.activation = ACTIVATIONS[self.cell.activation]()

    def forward(self, x: torch.Tensor) -> Any:
        hidden = len(self.cell.layers) - 1
        for i, linear in enumerate(self.linears[:hidden]):
            z = linear(x)
            x = self.activation(z + x if self.cell.residual(i) else z)
        found = [linear(x) for linear in self.linears[hidden:]]
        return tuple(found) if self.cell.two_heads else found[0]


class Grouped(nn.Module):
    """Products of groups of columns side by side; ``weight`` is one block below the other."""

    def __init__(self, fan_in: int, fan_out: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.empty(fan_in, fan_out // groups))
        self.bias = nn.Parameter(torch.empty(fan_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        by_group = x.view(len(x), self.groups, -1).transpose(0, 1)
        blocks = self.weight.view(self.groups, -1, self.weight.shape[1])
        return torch.bmm(by_group, blocks).transpose(0, 1).reshape(len(x), -1) + self.bias


class Folded(nn.Linear):
    """Each row is read as so many rows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.view(-1, self.in_features)).view(len(x), -1)


def _objective(problem: Problem, net: nn.Module) -> Callable[..., torch.Tensor]:
    """The loss of a batch."""
    functional = nn.functional
    if not problem.cell.two_heads:
        criterion = functional.mse_loss if problem.regression else functional.cross_entropy
        return lambda x, y: criterion(net(x), y)
    values = torch.from_numpy(problem.values)

    def of_both(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        scores, value = net(x)
        return functional.cross_entropy(scores, y) + functional.mse_loss(value, values)

    return of_both


def _build(problem: Problem) -> nn.Module:
    if problem.cell.group == "graph":
        return _assign(GraphNet(problem), problem)
    layers: list[nn.Module] = []
    dtype = getattr(torch, problem.cell.dtype)
    for i in range(len(problem.cell.layers)):
        if layers:
            layers.append(ACTIVATIONS[problem.cell.activation]())
            layers += [nn.Dropout(problem.dropout)] if problem.dropout else []
        layers.append(_linear(problem.cell, i, dtype))
    return _assign(nn.Sequential(*layers), problem)


def _linear(cell: Cell, layer: int, dtype: torch.dtype) -> nn.Module:
    (fan_in, fan_out), (groups, fold) = cell.layers[layer], cell.blocks(layer)
    if groups > 1:
        return Grouped(fan_in, fan_out, groups)
    kind = Folded if fold > 1 else nn.Linear
    return kind(fan_in // fold, fan_out // fold, dtype=dtype)


def _parameters(net: nn.Module) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Views of W and b of each layer, in our layout."""
    found = []
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            found.append((layer.weight.T, layer.bias))
        elif isinstance(layer, Grouped):
            found.append((layer.weight, layer.bias))
    return found


def _assign(net: nn.Module, problem: Problem) -> nn.Module:
    with torch.no_grad():
        for (weight, bias), (W, b) in zip(_parameters(net), problem.pairs(), strict=True):
            weight.copy_(torch.from_numpy(W))
            bias.copy_(torch.from_numpy(b))
    return net
