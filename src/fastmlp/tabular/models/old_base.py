"""The interface of a model for tables. A model is one file here and one row of `MODELS`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import fastmlp as fm
from fastmlp.tabular.encoder import Encoder
from fastmlp.tabular.preparation import Part
from fastmlp.tabular.table import Table


class Model(Protocol):
    """Hyperparameters of a kind of network. Those that are not given depend on the data."""

    def encoder(self, table: Table) -> Encoder:
        """Return an unfitted encoder that suits the network and the table."""

    def plan(self, rows: int, classes: int) -> Plan:
        """Choose all hyperparameters for a number of training rows; 0 classes: a regression."""


class Plan(Protocol):
    """A model whose hyperparameters are all chosen."""

    @property
    def dtype(self) -> str:
        """The precision of inputs and weights."""

    def fit(
        self, train: Part, validation: Part | None, seed: int, callbacks: Sequence[Any] = ()
    ) -> tuple[fm.Sequential, fm.History]:
        """Train a network; with validation rows, until it no longer improves on them."""

    def after_folds(self, best_epochs: Sequence[int]) -> Plan:
        """Return the plan for all rows, given the best number of epochs of each fold."""
