"""PyTorch: the usual loop over random batches."""

from __future__ import annotations

import torch
from torch import nn

from bench.datasets import LR, Data
from bench.problems import Array


class Loop:
    """Eager mode with the fused Adam; batches are gathered by index from tensors made once."""

    compile_seconds = 0.0

    def __init__(self, data: Data, threads: int) -> None:
        torch.set_num_threads(threads)
        self.data = data
        self.x, self.y = torch.from_numpy(data.x), torch.from_numpy(data.y)

    def fit(self, seed: int) -> None:
        torch.manual_seed(seed)
        task, x, y = self.data.task, self.x, self.y
        self.net = net = _network(self.data)
        optimizer = torch.optim.Adam(net.parameters(), lr=LR, fused=True)
        loss = nn.functional.mse_loss if self.data.regression else nn.functional.cross_entropy
        for _ in range(task.epochs):
            for rows in torch.randperm(len(x)).split(task.batch):
                optimizer.zero_grad(set_to_none=True)
                loss(net(x[rows]), y[rows]).backward()
                optimizer.step()

    def predict(self, x: Array) -> Array:
        with torch.inference_mode():
            return self.net(torch.from_numpy(x)).numpy()


def _network(data: Data) -> nn.Sequential:
    layers: list[nn.Module] = []
    for W, b in data.first_weights():
        layers += [nn.ReLU()] if layers else []
        linear = nn.Linear(*W.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T))
            linear.bias.copy_(torch.from_numpy(b))
        layers.append(linear)
    return nn.Sequential(*layers)
