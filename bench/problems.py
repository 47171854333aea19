"""The data of a cell: inputs, first weights, and the right result in float64."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from bench.cells import ADAM_LR, SGD_LR, Cell
from fastmlp import reference

Array = np.ndarray[Any, np.dtype[Any]]

CHECK_STEPS = 3
SEED = 7
# Largest relative error of an update or an output, in the Euclidean norm of each array. An update
# is a small difference of weights, so float32 keeps only two or three of its digits.
TOLERANCE = {
    ("train", "float32"): 1e-2,
    ("predict", "float32"): 1e-5,
    ("train", "float64"): 1e-7,
    ("predict", "float64"): 1e-12,
    # A factor in bfloat16 has 8 bits, and some libraries round each layer's output as well.
    ("train", "bfloat16"): 1e-1,
    ("predict", "bfloat16"): 2e-2,
    ("predict", "int8"): 1e-1,
}
CALIBRATION_ROWS = 256
ACTIVATIONS = {"relu": "ReLU", "gelu": "GELU", "silu": "SiLU"}


class Problem:
    """Data and weights of a cell, the same in every process.

    Attributes
    ----------
    x : (batch, widths[0]) in the cell's dtype
    y : (batch,) int64 labels, or (batch, 1) numbers for one output
    values : (batch, 1) numbers for the second head, if there is one
    first : list of (W (rows, columns), b (biases,)), the first weights; users copy them
    """

    def __init__(self, cell: Cell, dropout: float | None = None) -> None:
        self.cell = cell
        self.dropout = cell.dropout if dropout is None else dropout
        self.regression = cell.widths[-1] == 1
        self.lr = ADAM_LR if cell.optimizer == "adam" else SGD_LR
        rng = np.random.default_rng(zlib.crc32(cell.name.encode()))
        self.x = rng.standard_normal((cell.batch, cell.widths[0])).astype(cell.dtype)
        if self.regression:
            self.y = rng.standard_normal((cell.batch, 1)).astype(cell.dtype)
        else:
            self.y = rng.integers(cell.widths[-1] - cell.two_heads, size=cell.batch)
        self.values = rng.standard_normal((cell.batch, int(cell.two_heads))).astype(cell.dtype)
        self.first = [
            _first_weights(rng, *shape, cell.blocks(i)[0], cell.dtype)
            for i, shape in enumerate(cell.weights)
        ]

    def calibration_rows(self) -> Array:
        """Other rows of the kind of ``x``, to choose the scales of integers."""
        rng = np.random.default_rng(SEED)
        rows = rng.standard_normal((CALIBRATION_ROWS, self.cell.widths[0]))
        return rows.astype(self.cell.dtype)

    def pairs(self) -> list[tuple[Array, Array]]:
        """``first`` with the last layer's columns divided into its heads, if there are two."""
        if not self.cell.two_heads:
            return self.first
        *hidden, (W, b) = self.first
        return [*hidden, (W[:, :-1], b[:-1]), (W[:, -1:], b[-1:])]

    def joined(self, pairs: list[tuple[Array, Array]]) -> list[Array]:
        """W and b of each layer from those of `pairs`, with the heads joined again."""
        if self.cell.two_heads:
            *pairs, first, second = pairs
            pairs.append((np.hstack([first[0], second[0]]), np.hstack([first[1], second[1]])))
        return [np.array(array) for pair in pairs for array in pair]

    def flat_weights(self) -> list[Array]:
        """W and b of each layer, in order; must not be changed."""
        return [array for pair in self.first for array in pair]

    def expected(self) -> list[Array]:
        """Parameters in float64 after ``CHECK_STEPS`` steps, or the output of a prediction."""
        net = self._reference_net()
        if self.cell.kind == "predict":
            return [net.forward(self.x)]
        optimizer = reference.Adam if self.cell.optimizer == "adam" else reference.SGD
        loss = reference.MSELoss() if self.regression else reference.CrossEntropyLoss()
        if self.cell.two_heads:
            loss = _TwoHeads(self.values)
        trainer = reference.Trainer(net, loss, optimizer(lr=self.lr))
        for _ in range(CHECK_STEPS):
            trainer.step(self.x, self.y)
        return net.params

    def _reference_net(self) -> reference.Sequential:
        layers: list[reference.Layer] = []
        for i, (W, b) in enumerate(self.first):
            kind = _Residual if self.cell.residual(i) else reference.Linear
            layers.append(kind(W, b, None, *self.cell.blocks(i)))
            if len(layers) == self._last_node():
                break
            layers.append(reference.Activation(ACTIVATIONS[self.cell.activation]))
            if self.dropout:
                layers.append(reference.Dropout(self.dropout, SEED, node=len(layers)))
        return reference.Sequential(*layers)

    def _last_node(self) -> int:
        between = 3 if self.dropout else 2
        return between * (len(self.first) - 1) + 1


class _Residual(reference.Linear):
    """``y = x W + b + x``."""

    def forward(self, x: Any, training: bool = False) -> Array:
        return super().forward(x, training) + self.x

    def backward(self, dy: Any) -> Array:
        return super().backward(dy) + dy


class _TwoHeads(reference.Loss):
    """Cross-entropy of all scores but the last, plus the mean squared error of the last one."""

    elementwise = False

    def __init__(self, values: Array) -> None:
        super().__init__()
        self.targets = values

    def rows(self, scores: Array, target: Any) -> tuple[Array, Array]:
        entropy, dscores = reference.CrossEntropyLoss().rows(scores[:, :-1], target)
        error, dvalue = reference.MSELoss().rows(scores[:, -1:], self.targets)
        return entropy + error, np.hstack([dscores, dvalue])


def _first_weights(
    rng: np.random.Generator, rows: int, columns: int, biases: int, groups: int, dtype: str
) -> tuple[Array, Array]:
    W = rng.standard_normal((rows, columns)) * np.sqrt(2.0 * groups / rows)
    return W.astype(dtype), (0.1 * rng.standard_normal(biases)).astype(dtype)


def error_of(found: list[Array], expected: list[Array], start: list[Array] | None) -> float:
    """Largest relative error over the arrays; with ``start``, of the change since then."""
    if [a.shape for a in found] != [a.shape for a in expected]:
        return float("inf")
    worst = 0.0
    origins = start if start is not None else [np.zeros(1)] * len(found)
    for value, wanted, origin in zip(found, expected, origins, strict=True):
        error = np.linalg.norm(value.astype(np.float64) - wanted)
        size = np.linalg.norm(wanted - origin)
        worst = max(worst, float(error / max(size, 1e-12)))
        if not np.isfinite(error):
            return float("inf")
    return worst
