"""fastmlp: one call of ``fit``."""

from __future__ import annotations

import fastmlp as fm
from bench.datasets import LR, Data
from bench.problems import Array


class FastMLP:
    """``fm.fit`` with Adam."""

    compile_seconds = 0.0

    def __init__(self, data: Data, threads: int) -> None:
        fm.set_num_threads(threads)
        self.data = data

    def fit(self, seed: int) -> None:
        data = self.data
        layers: list[fm.Layer] = []
        for W, _ in data.first_weights():
            layers += [fm.ReLU()] if layers else []
            layers.append(fm.Linear(*W.shape))
        self.net = fm.Sequential(*layers, seed=seed)
        linears = [layer for layer in self.net if isinstance(layer, fm.Linear)]
        for layer, (W, b) in zip(linears, data.first_weights(), strict=True):
            layer.W[...], layer.b[...] = W, b
        loss = fm.MSELoss() if data.regression else fm.CrossEntropyLoss()
        fm.fit(self.net, data.x, data.y, loss=loss, optimizer=fm.Adam(lr=LR),
               epochs=data.task.epochs, batch_size=data.task.batch, progress=False)  # fmt: skip

    def predict(self, x: Array) -> Array:
        return self.net.predict(x)
