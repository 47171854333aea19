"""The table of cells, which are the things to measure. A new cell is one row."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

SGD_LR = 1e-2
# So small that no block of repeated steps drives a gradient into denormal numbers.
ADAM_LR = 1e-5
ALL = 0


@dataclass(frozen=True)
class Cell:
    """One thing to measure: a training step or a prediction.

    ``threads`` is the number of threads of every library. With ``ALL``, fastmlp may use all
    threads; each peer runs with one thread and with all, and its better time counts. A last width
    of 1 means mean squared error, any other width softmax cross-entropy with that many classes.

    The group decides what runs. In "bfloat16", matrix products read bfloat16; in "frozen", the
    network never changes again, so weights may be packed once. In "graph", hidden layers with as
    many inputs as outputs add their input before the activation (a residual connection), and with
    ``two_heads`` the last column of the scores is another output, with mean squared error. In
    "blocks", all layers but the last have ``groups`` products side by side, or read each row as
    ``fold`` rows with the same weights.
    """

    kind: Literal["train", "predict"]
    batch: int
    widths: tuple[int, ...]
    group: Literal["core", "more", "bfloat16", "frozen", "graph", "blocks", "family"] = "more"
    activation: Literal["relu", "gelu", "silu"] = "relu"
    optimizer: Literal["sgd", "adam"] = "sgd"
    dropout: float = 0.0
    dtype: Literal["float32", "float64"] = "float32"
    threads: int = ALL
    out: bool = False
    two_heads: bool = False
    groups: int = 1
    fold: int = 1

    @property
    def precision(self) -> str:
        """The type of the factors of matrix products."""
        return "bfloat16" if self.group == "bfloat16" else self.dtype

    def residual(self, layer: int) -> bool:
        """Whether the layer's input is added to its product."""
        fan_in, fan_out = self.layers[layer]
        hidden = layer + 1 < len(self.layers)
        return self.group == "graph" and hidden and fan_in == fan_out

    @property
    def name(self) -> str:
        """A unique name, such as ``train 128, 784-256-128-10, adam``."""
        words = [f"{self.kind} {self.batch}", shape_text(self.widths)]
        words += [] if self.activation == "relu" else [self.activation]
        words += [] if self.optimizer == "sgd" else [self.optimizer]
        words += [f"dropout {self.dropout}"] if self.dropout else []
        words += [] if self.dtype == "float32" else [self.dtype]
        words += [f"{self.threads} thread{'s' * (self.threads > 1)}"] if self.threads else []
        words += ["out="] if self.out else []
        words += [self.group] if self.group in ("bfloat16", "frozen") else []
        words += ["residual"] if any(map(self.residual, range(len(self.layers)))) else []
        words += ["two heads"] if self.two_heads else []
        words += [f"{self.groups} groups"] if self.groups > 1 else []
        words += [f"fold {self.fold}"] if self.fold > 1 else []
        return ", ".join(words)

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(fan_in, fan_out) of each linear layer."""
        return list(pairwise(self.widths))

    def blocks(self, layer: int) -> tuple[int, int]:
        """Groups and fold of a linear layer."""
        return (self.groups, self.fold) if layer + 1 < len(self.layers) else (1, 1)

    @property
    def weights(self) -> list[tuple[int, int, int]]:
        """Rows, columns and biases of each linear layer; each group's rows are its own."""
        shapes = []
        for i, (fan_in, fan_out) in enumerate(self.layers):
            groups, fold = self.blocks(i)
            shapes.append((fan_in // fold, fan_out // fold // groups, fan_out // fold))
        return shapes

    @property
    def flops(self) -> int:
        """Operations of the matrix products, 2 N in out for each product.

        Training has three products for each layer, but none for the gradient of the network's
        input.
        """
        forward = [
            2 * self.batch * rows * columns * self.blocks(i)[1]
            for i, (rows, columns, _) in enumerate(self.weights)
        ]
        if self.kind == "predict":
            return sum(forward)
        return 3 * sum(forward) - forward[0]

    @property
    def minimum_bytes(self) -> int:
        """Smallest memory of a training step: weights, gradients, optimizer state, activations."""
        parameters = sum(rows * columns + biases for rows, columns, biases in self.weights)
        copies = 4 if self.optimizer == "adam" else 2
        size = 4 if self.dtype == "float32" else 8
        return size * (copies * parameters + self.batch * sum(self.widths[1:]))


def shape_text(widths: tuple[int, ...]) -> str:
    """``784-256-10``, or ``2048x4`` for four equal widths."""
    if len(widths) > 2 and len(set(widths)) == 1:
        return f"{widths[0]}x{len(widths)}"
    return "-".join(map(str, widths))


SMALL = (8, 64, 64, 4)
LETTER = (17, 256, 256, 6)
MNIST = (784, 256, 128, 10)
WIDE_MNIST = (784, 512, 512, 10)
ODD = (37, 301, 13)
SQUARE = (1024,) * 4
LARGE = (2048,) * 4

CORE_TRAINING = [
    Cell("train", 1, SMALL, "core"),
    Cell("train", 64, SMALL, "core"),
    Cell("train", 256, LETTER, "core"),
    Cell("train", 128, (100, 256, 256, 256, 10), "core"),
    Cell("train", 32, (784, 128, 10), "core"),
    Cell("train", 128, MNIST, "core"),
    Cell("train", 512, WIDE_MNIST, "core"),
    Cell("train", 256, SQUARE, "core"),
    Cell("train", 1024, LARGE, "core"),
    Cell("train", 64, (1000, 100, 10), "core"),
]

CORE_PREDICTION = [
    Cell("predict", 1, SMALL, "core"),
    Cell("predict", 64, SMALL, "core"),
    Cell("predict", 256, LETTER, "core"),
    Cell("predict", 128, MNIST, "core"),
    Cell("predict", 512, WIDE_MNIST, "core"),
    Cell("predict", 1024, LARGE, "core"),
]

MORE_TRAINING = [
    Cell("train", 2, SMALL),
    Cell("train", 45, ODD),
    Cell("train", 46, ODD),
    Cell("train", 77, ODD),
    Cell("train", 128, (100, 256, 256, 1)),
    Cell("train", 64, (32,) * 21),
    Cell("train", 256, LETTER, activation="gelu"),
    Cell("train", 256, LETTER, activation="silu"),
    Cell("train", 128, MNIST, dropout=0.5),
    Cell("train", 1, SMALL, optimizer="adam"),
    Cell("train", 128, MNIST, optimizer="adam"),
    Cell("train", 256, SQUARE, optimizer="adam"),
    Cell("train", 128, MNIST, dtype="float64"),
    Cell("train", 256, SQUARE, dtype="float64"),
    Cell("train", 64, SMALL, threads=1),
    Cell("train", 256, LETTER, threads=1),
    Cell("train", 128, MNIST, threads=1),
    Cell("train", 256, SQUARE, threads=1),
]

MORE_PREDICTION = [
    Cell("predict", 1, SMALL, out=True),
    Cell("predict", 1, MNIST, out=True),
    Cell("predict", 2, SMALL),
    Cell("predict", 45, ODD),
    Cell("predict", 46, ODD),
    Cell("predict", 77, ODD),
    Cell("predict", 128, (100, 256, 256, 1)),
    Cell("predict", 64, (32,) * 21),
    Cell("predict", 256, LETTER, activation="gelu"),
    Cell("predict", 256, LETTER, activation="silu"),
    Cell("predict", 128, MNIST, dtype="float64"),
    Cell("predict", 128, MNIST, threads=1),
    Cell("predict", 512, WIDE_MNIST, threads=1),
]

BFLOAT16 = [
    Cell("train", 1024, LARGE, "bfloat16"),
    Cell("train", 256, SQUARE, "bfloat16"),
    Cell("train", 128, MNIST, "bfloat16"),
    Cell("predict", 1024, LARGE, "bfloat16"),
    Cell("predict", 256, SQUARE, "bfloat16"),
    Cell("predict", 128, MNIST, "bfloat16"),
    Cell("predict", 1, LARGE, "bfloat16"),
]

# Every float32 network of the predictions above, and 1024x4.
_PREDICTED = {
    (cell.widths, cell.activation)
    for cell in CORE_PREDICTION + MORE_PREDICTION
    if cell.dtype == "float32"
} | {(SQUARE, "relu")}
FROZEN = [
    Cell("predict", batch, widths, "frozen", activation)
    for widths, activation in sorted(_PREDICTED)
    for batch in (1, 64)
]

GRAPHS = [
    Cell("train", 64, (64, 64, 64, 64, 10), "graph"),
    Cell("train", 128, (100, 256, 256, 256, 10), "graph"),
    Cell("train", 128, (100, 256, 256, 11), "graph", two_heads=True),
    Cell("predict", 128, (100, 256, 256, 256, 10), "graph"),
]

# 32 groups of 64 x 64, embeddings of 20 columns, and members of one network with shared weights.
BLOCKS = [
    Cell("train", 256, (*(2048,) * 4, 10), "blocks", groups=32),
    Cell("train", 256, (*(2048,) * 4, 10), "blocks", groups=32, threads=1),
    Cell("train", 256, (960, 320, 10), "blocks", groups=20),
    Cell("train", 256, (320, 80, 10), "blocks", groups=20),
    Cell("train", 256, (*(16384,) * 3, 10), "blocks", fold=32),
    Cell("train", 256, (*(16384,) * 3, 10), "blocks", fold=32, threads=1),
]

CELLS = [
    *CORE_TRAINING, *CORE_PREDICTION, *MORE_TRAINING, *MORE_PREDICTION,
    *BFLOAT16, *FROZEN, *GRAPHS, *BLOCKS,
]  # fmt: skip


def _family(kind: Literal["train", "predict"], shapes: list[tuple[int, ...]]) -> list[Cell]:
    """Cells from (batch, *widths), each next to cells of adjacent sizes."""
    return [Cell(kind, batch, tuple(widths), "family") for batch, *widths in shapes]


# Families of adjacent sizes: the FLOP/s of a member may be at most CLIFF below those of the next
# one. Measured for fastmlp alone, with the members of a family interleaved.
CLIFF = 0.15
FAMILIES: dict[str, list[Cell]] = {
    "hidden width 255 to 257": _family("train", [(128, 100, w, w, 10) for w in (255, 256, 257)]),
    "hidden width 44 to 47": _family("train", [(512, 32, w, w, 10) for w in (44, 45, 46, 47)]),
    "hidden width 2047 to 2049": _family("train", [(64, 64, w, w, 10) for w in (2047, 2048, 2049)]),
    "batch 127 to 129": _family("train", [(n, *MNIST) for n in (127, 128, 129)]),
    "batch 44 to 47, odd widths": _family("train", [(n, *ODD) for n in (44, 45, 46, 47)]),
    "batch 1 to 4": _family("train", [(n, *SMALL) for n in (1, 2, 3, 4)]),
    "batch 15 to 17": _family("train", [(n, *SMALL) for n in (15, 16, 17)]),
    "predict: batch 1 to 4": _family("predict", [(n, *MNIST) for n in (1, 2, 3, 4)]),
    "predict: batch 127 to 129": _family("predict", [(n, *MNIST) for n in (127, 128, 129)]),
}
