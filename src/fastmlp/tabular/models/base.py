"""What a model of tables has to offer: one file here, and one row of `MODELS`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import fastmlp as fm
from fastmlp.tabular.encoder import Encoder
from fastmlp.tabular.preparation import Part
from fastmlp.tabular.table import Table


class Model(Protocol):
    """The hyperparameters of a kind of network, those not given depending on the data."""

    def encoder(self, table: Table) -> Encoder:
        """Return an encoder, not fitted yet, that suits the network and the table."""

    def plan(self, rows: int, classes: int) -> Plan:
        """Decide every hyperparameter for so many training rows; no classes: a regression."""


class Plan(Protocol):
    """A model with all that is needed to train it."""

    @property
    def dtype(self) -> str:
        """The precision of inputs and weights."""

    def fit(
        self, train: Part, validation: Part | None, seed: int, callbacks: Sequence[Any] = ()
    ) -> tuple[fm.Sequential, fm.History]:
        """Train a network; with a validation part, until it no longer gets better there."""

    def after_folds(self, best_epochs: Sequence[int]) -> Plan:
        """Return the plan for all rows, when these numbers of epochs were best in the folds."""
