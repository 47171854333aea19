"""Real data for whole fits.

The digits come with scikit-learn. The other files must be in the directory that the environment
variable FASTMLP_DATA names.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.problems import SEED, Array

VARIABLE = "FASTMLP_DATA"
LR = 1e-3


class Missing(Exception):
    """The data are not on this machine; the message says what to do."""


@dataclass(frozen=True)
class Task:
    """A whole fit with Adam: hidden widths, batch size, epochs and data.

    ``load`` returns rows (N, features) and labels (N,) or targets (N, 1). ``train``, a fraction or
    a number, tells how many of the rows, in random order, are training data; the others are test
    data.
    """

    name: str
    hidden: tuple[int, ...]
    batch: int
    epochs: int
    load: Callable[[], tuple[Array, Array]]
    train: float = 0.8


@dataclass(frozen=True)
class Data:
    """The rows of a task in float32, with labels in int64 or targets (N, 1) in float32."""

    task: Task
    x: Array
    y: Array
    x_test: Array
    y_test: Array

    @property
    def regression(self) -> bool:
        return self.y.ndim == 2

    @property
    def widths(self) -> tuple[int, ...]:
        out = 1 if self.regression else int(self.y.max()) + 1
        return (self.x.shape[1], *self.task.hidden, out)

    def first_weights(self) -> list[tuple[Array, Array]]:
        """He initialisation; the same weights for all libraries that accept weights."""
        rng = np.random.default_rng(SEED)
        shapes = list(zip(self.widths[:-1], self.widths[1:], strict=True))
        return [
            ((rng.standard_normal(s) * np.sqrt(2.0 / s[0])).astype("f4"), np.zeros(s[1], "f4"))
            for s in shapes
        ]

    def score(self, predicted: Array) -> float:
        """Fraction of right labels, or of the explained absolute deviation, on the test rows.

        ``predicted`` are scores (N, classes) or (N, 1), or labels (N,). With squared deviations one
        outlier could decide the score; it should show whether the network has learned.
        """
        if self.regression:
            deviation = np.abs(self.y_test - np.median(self.y_test)).sum()
            return float(1.0 - np.abs(predicted.reshape(-1, 1) - self.y_test).sum() / deviation)
        labels = predicted if predicted.ndim == 1 else predicted.argmax(axis=1)
        return float(np.mean(labels == self.y_test))


def prepare(task: Task, epochs: int | None = None) -> Data:
    """Load, shuffle, split and convert the data; ``epochs`` shortens the fit for a trial."""
    x, y = task.load()
    order = np.random.default_rng(SEED).permutation(len(x))
    count = int(task.train if task.train > 1 else task.train * len(x))
    train, test = order[:count], order[count:]
    if epochs is not None:
        task = Task(task.name, task.hidden, task.batch, epochs, task.load, task.train)
    x = np.ascontiguousarray(x, dtype=np.float32)
    y = y.astype(np.float32 if y.ndim == 2 else np.int64)
    return Data(task, x[train], y[train], x[test], y[test])


def _digits() -> tuple[Array, Array]:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise Missing("needs scikit-learn, which the digits ship with") from error
    x, y = load_digits(return_X_y=True)
    return x / 16.0, y


def _mnist() -> tuple[Array, Array]:
    x = gzip.decompress(_file("mnist-t10k-images-idx3-ubyte.gz").read_bytes())
    y = gzip.decompress(_file("mnist-t10k-labels-idx1-ubyte.gz").read_bytes())
    # The IDX format: 16 and 8 bytes of header.
    pixels = np.frombuffer(x, np.uint8, offset=16).reshape(-1, 784)
    return pixels / 255.0, np.frombuffer(y, np.uint8, offset=8)


def _letter() -> tuple[Array, Array]:
    rows = _rows("letter-recognition.csv")
    x = np.array([row[1:] for row in rows], dtype=np.float64)
    return _standardised(x), np.array([ord(row[0]) - ord("A") for row in rows])


def _california() -> tuple[Array, Array]:
    """Median house values from eight numbers (missing ones imputed) and a one-hot category."""
    rows = _rows("california-housing.csv")
    numbers = np.array([[float(v) if v else np.nan for v in row[:9]] for row in rows])
    numbers = np.where(np.isnan(numbers), np.nanmedian(numbers, axis=0), numbers)
    kinds = sorted({row[9] for row in rows})
    one_hot = np.array([[row[9] == kind for kind in kinds] for row in rows], dtype=np.float64)
    numbers = _standardised(numbers)
    return np.hstack([numbers[:, :8], _standardised(one_hot)]), numbers[:, 8:]


def _standardised(x: Array) -> Array:
    return (x - x.mean(axis=0)) / x.std(axis=0)


def _rows(name: str) -> list[list[str]]:
    """Rows of a CSV file below its header."""
    with _file(name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    width = len(rows[0])
    return [row for row in rows if len(row) == width]


def _file(name: str) -> Path:
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise Missing(f"{VARIABLE} is not set to a directory with {name}")
    path = Path(folder) / name
    if not path.is_file():
        raise Missing(f"no {name} in {VARIABLE}")
    return path


TASKS = {
    task.name: task
    for task in (
        Task("digits", (100,), 32, 100, _digits),
        Task("MNIST-10k", (256, 128), 128, 20, _mnist, 8000),
        Task("letter", (256, 256), 128, 30, _letter),
        Task("California housing", (256, 256), 128, 20, _california),
    )
}
