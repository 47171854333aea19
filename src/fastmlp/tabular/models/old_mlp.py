"""The plain multi-layer perceptron of `fastmlp.tabular.train`, on frames."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import fastmlp as fm
from fastmlp.base import validation
from fastmlp.base.compute import compute_type
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.layers import ACTIVATIONS
from fastmlp.tabular.encoder import Encoder
from fastmlp.tabular.preparation import Part
from fastmlp.tabular.reading import TableError
from fastmlp.tabular.table import Table

# Defaults that depend on the data; docs/tabular.md has the measurements.
DROPOUT = {"classification": 0.3, "regression": 0.1}
# From so many training rows on, an epoch has enough steps for a few epochs at large rates.
ROWS_OF_A_CYCLE = 4000
LARGEST_BATCH = 512
PATIENCE = 20  # epochs without a better validation loss (or accuracy) before training stops


@dataclass(frozen=True, kw_only=True)
class MLP:
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
        Largest number of epochs; training stops earlier when validation no longer improves.
        Default: 100; 30 from 4,000 training rows on.
    batch_size : int, optional
        Rows per training step. Default: 32; 128 to 512 from 4,000 training rows on.
    lr : float, optional
        Learning rate of Adam, constant; from 4,000 training rows on the peak of one cycle.
        Default: 0.001; 0.006 for a cycle.
    dtype : {"float32", "float64"}
        Precision of the network.
    compute : {None, "bfloat16"}
        With "bfloat16", the operands of the network's matrix products are rounded to bfloat16.

    Examples
    --------
    >>> MLP(hidden=(64,)).plan(rows=1000, classes=2).epochs
    100
    """

    hidden: tuple[int, ...] = (256, 128)
    activation: str = "relu"
    dropout: float | None = None
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    dtype: str = "float32"
    compute: str | None = None

    def __post_init__(self) -> None:
        for width in validation.items(self.hidden, "hidden", "a tuple of widths"):
            validation.size(width, "hidden")
        if self.dropout is not None:
            validation.real(self.dropout, "dropout", 0.0, 1.0)
        compute_type(self.compute, validation.float_dtype(self.dtype))

    def encoder(self, table: Table) -> Encoder:
        """Return an unfitted encoder."""
        return Encoder(maximum=table.maximum, options=table.options)

    def plan(self, rows: int, classes: int) -> MLPPlan:
        """Choose all hyperparameters for a number of training rows; 0 classes: a regression."""
        epochs, batch_size, lr = _usual(rows)
        dropout = DROPOUT["classification" if classes else "regression"]
        return MLPPlan(
            hidden=self.hidden,
            activation=self.activation,
            dropout=dropout if self.dropout is None else self.dropout,
            epochs=epochs if self.epochs is None else self.epochs,
            batch_size=batch_size if self.batch_size is None else self.batch_size,
            lr=lr if self.lr is None else self.lr,
            dtype=self.dtype,
            compute=self.compute,
            classes=classes,
            one_cycle=rows >= ROWS_OF_A_CYCLE,
        )


def _usual(rows: int) -> tuple[int, int, float]:
    """Default number of epochs, rows per step and learning rate."""
    if rows < ROWS_OF_A_CYCLE:
        return 100, 32, 1e-3
    # The power of two nearest to the root of the rows, but at least 128.
    size = 2 ** round(math.log2(rows) / 2)
    return 30, min(max(size, 128), LARGEST_BATCH), 6e-3


@dataclass(frozen=True, kw_only=True)
class MLPPlan:
    """All hyperparameters of a multi-layer perceptron, for a certain number of rows.

    Attributes
    ----------
    one_cycle : bool
        Whether the learning rate rises to `lr` and falls again, or is constant.
    """

    hidden: tuple[int, ...]
    activation: str
    dropout: float
    epochs: int
    batch_size: int
    lr: float
    dtype: str
    compute: str | None
    classes: int
    one_cycle: bool

    def fit(
        self, train: Part, validation: Part | None, seed: int, callbacks: Sequence[Any] = ()
    ) -> tuple[fm.Sequential, fm.History]:
        """Train a network; with validation rows, until it no longer improves on them.

        Parameters
        ----------
        train, validation : Part
            Without validation, all the epochs are trained.
        seed : int
            Seed of the weights, the batches and the dropout.
        callbacks : sequence of objects with ``on_epoch_end(state)``
            They are called after the one that stops the training early.

        Raises
        ------
        TableError
            If weights are not finite at the end.
        """
        net = self.network(train.x.shape[1], seed)
        stopping = [self._early_stopping()] if validation else []
        with warnings.catch_warnings():
            # A loss that is not finite would warn; the weights are checked below.
            warnings.simplefilter("ignore", RuntimeWarning)
            history = self._fit(net, train, validation, seed, [*stopping, *callbacks])
        if not np.isfinite(net.params).all():
            raise TableError(
                f"training diverged: some weights are no longer finite after {len(history)} "
                "epochs; try a smaller `lr`"
            )
        return net, history

    def after_folds(self, best_epochs: Sequence[int]) -> MLPPlan:
        """Train for the whole cycle; at a constant rate, for the median of `best_epochs`."""
        if self.one_cycle:
            return self
        return replace(self, epochs=round(float(np.median(best_epochs))))

    def network(self, inputs: int, seed: int) -> fm.Sequential:
        """Make a chain of hidden layers with activation and dropout, and a linear output."""
        activation = _find_activation(self.activation)
        layers: list[Any] = []
        width = inputs
        for hidden in self.hidden:
            layers += [fm.Linear(width, hidden), activation()]
            if self.dropout:
                layers.append(fm.Dropout(self.dropout))
            width = hidden
        layers.append(fm.Linear(width, self.classes or 1))
        return fm.Sequential(*layers, dtype=self.dtype, seed=seed, compute=self.compute)

    def _fit(
        self, net: fm.Sequential, train: Part, validation: Part | None, seed: int,
        callbacks: Sequence[Any],
    ) -> fm.History:  # fmt: skip
        return fm.fit(
            net,
            train.x,
            train.y,
            loss=fm.CrossEntropyLoss() if self.classes else fm.MSELoss(),
            optimizer=fm.Adam(lr=self.lr),
            epochs=self.epochs,
            batch_size=self.batch_size,
            validation=(validation.x, validation.y) if validation else None,
            callbacks=callbacks,
            seed=seed,
            progress=False,
            schedule=fm.OneCycleLR(self.lr) if self.one_cycle else None,
        )

    def _early_stopping(self) -> fm.EarlyStopping:
        # With few rows, accuracy is too coarse to choose an epoch. With many rows, a few outliers
        # that are predicted wrongly with certainty can dominate the cross-entropy.
        by_accuracy = self.one_cycle and self.classes > 0
        return fm.EarlyStopping(PATIENCE, monitor="val_score" if by_accuracy else "val_loss")


def _find_activation(name: str) -> Any:
    """Find an activation by its class name in any case, ``leaky_relu`` or ``LeakyReLU``."""
    known = {found.lower(): found for found in ACTIVATIONS}
    key = name.lower().replace("_", "").replace("-", "")
    if key not in known:
        raise ArgumentError(f"activation {name!r} is unknown, expected one of {', '.join(known)}")
    return ACTIVATIONS[known[key]]


MODELS: dict[str, type[Any]] = {"mlp": MLP}


def find_model(model: Any) -> Any:
    """Return a model as it is; by a name of `MODELS`, with its defaults."""
    if not isinstance(model, str):
        methods = (getattr(model, name, None) for name in ("encoder", "plan"))
        if isinstance(model, type) or not all(map(callable, methods)):
            wanted = f"one of {', '.join(MODELS)}, or hyperparameters such as MLP(hidden=(64,))"
            raise ArgumentTypeError(f"model: got {validation.shown(model)}; want {wanted}")
        return model
    if model not in MODELS:
        raise ArgumentError(f"model: got {model!r}; want one of {', '.join(MODELS)}")
    return MODELS[model]()
