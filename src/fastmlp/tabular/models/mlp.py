"""The plain multi-layer perceptron: linear layers, an activation and dropout."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import fastmlp as fm
from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.layers import ACTIVATIONS
from fastmlp.tabular.encoding import Encoder
from fastmlp.tabular.models.base import Model
from fastmlp.tabular.models.head import Head

# Defaults that depend on the data.
DROPOUT = {"classification": 0.3, "regression": 0.1}
# From so many training rows on, an epoch has enough steps for a few epochs at large rates.
ROWS_OF_A_CYCLE = 4000
LARGEST_BATCH = 512
MIN_FREQUENCY = 0.01  # of the rows: levels below it are encoded together


@dataclass(frozen=True, kw_only=True)
class MLP(Model):
    """Hyperparameters of a multi-layer perceptron. None is a default that depends on the data.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers; empty for a linear model.
    activation : str
        Class name of an activation in any case: ``"relu"``, ``"leaky_relu"``, ``"LeakyReLU"``.
    dropout : float, optional
        Share of hidden units to drop in a training step. Default: 0.3; 0.1 for a regression.
    epochs : int, optional
        Largest number of epochs. Default: 100; 30 from 4,000 training rows on.
    batch_size : int, optional
        Rows per training step. Default: 32; 128 to 512 from 4,000 training rows on.
    lr : float, optional
        Learning rate of Adam, constant; from 4,000 training rows on the peak of one cycle.
        Default: 0.001; 0.006 for a cycle.
    waits : int
        Epochs without a better metric that end the training.
    dtype, compute : str
        See `Model`.

    Examples
    --------
    >>> MLP(hidden=(64,)).waits
    20
    """

    hidden: tuple[int, ...] = (256, 128)
    activation: str = "relu"
    dropout: float | None = None
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    waits: int = 20
    takes_sparse = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for width in validation.items(self.hidden, "hidden", "a tuple of widths"):
            validation.size(width, "hidden")
        for name in ("epochs", "batch_size", "waits"):
            if getattr(self, name) is not None:
                validation.size(getattr(self, name), name)
        if self.dropout is not None:
            validation.real(self.dropout, "dropout", 0.0, 1.0)
        if self.lr is not None:
            validation.real(self.lr, "lr", 0.0)

    def encoder(self) -> Encoder:
        """Return an unfitted encoder: standardised numbers, one input for each frequent level."""
        return Encoder("standard", min_frequency=MIN_FREQUENCY, missing_level=True)

    def head(self, y: Array, classes: int) -> Head:
        """Return what the outputs mean."""
        return Head.fit(y, classes)

    def network(self, encoder: Encoder, x: Any, head: Head, seed: int) -> fm.Sequential:
        """Make a chain of hidden layers with activation and dropout, and a linear output."""
        activation = _find_activation(self.activation)
        usual = self.usual(0, head.classes)
        dropout = usual["dropout"] if self.dropout is None else self.dropout
        layers: list[Any] = []
        width = encoder.width
        for hidden in self.hidden:
            layers += [fm.Linear(width, hidden), activation()]
            if dropout:
                layers.append(fm.Dropout(dropout))
            width = hidden
        layers.append(fm.Linear(width, head.width))
        return fm.Sequential(*layers, dtype=self.dtype, seed=seed, compute=self.compute)

    def patience(self, rows: int) -> int | None:
        """Return the number of epochs without a better metric that end the training."""
        return self.waits

    def usual(self, rows: int, classes: int) -> dict[str, Any]:
        """Return the defaults that depend on the data."""
        epochs, batch_size, lr = _usual(rows)
        dropout = DROPOUT["classification" if classes else "regression"]
        return {"epochs": epochs, "batch_size": batch_size, "lr": lr, "dropout": dropout}

    def settings(self, net: Any, rows: int, classes: int) -> dict[str, Any]:
        """Return arguments of `fastmlp.fit`."""
        usual = self.usual(rows, classes)
        lr = usual["lr"] if self.lr is None else self.lr
        return {
            "loss": fm.CrossEntropyLoss() if classes else fm.MSELoss(),
            "optimizer": fm.Adam(lr=lr),
            "epochs": usual["epochs"] if self.epochs is None else self.epochs,
            "batch_size": usual["batch_size"] if self.batch_size is None else self.batch_size,
            "schedule": fm.OneCycleLR(lr) if rows >= ROWS_OF_A_CYCLE else None,
        }


def _usual(rows: int) -> tuple[int, int, float]:
    """Default number of epochs, rows per step and learning rate."""
    if rows < ROWS_OF_A_CYCLE:
        return 100, 32, 1e-3
    # The power of two nearest to the root of the rows, but at least 128.
    size = 2 ** round(math.log2(rows) / 2)
    return 30, min(max(size, 128), LARGEST_BATCH), 6e-3


def _find_activation(name: str) -> Any:
    """Find an activation by its class name in any case, ``leaky_relu`` or ``LeakyReLU``."""
    known = {found.lower(): found for found in ACTIVATIONS}
    key = name.lower().replace("_", "").replace("-", "")
    if key not in known:
        raise ArgumentError(f"activation {name!r} is unknown, expected one of {', '.join(known)}")
    return ACTIVATIONS[known[key]]
