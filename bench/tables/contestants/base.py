"""What every contestant is told, and the base of those that take prepared columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.problems import Array
from bench.tables.features import Features


@dataclass(frozen=True)
class Context:
    """A fit: the number of classes (0: a regression), threads, seed, and the row's options."""

    classes: int
    threads: int
    seed: int
    options: Mapping[str, Any]


class Prepared:
    """Takes columns of numbers and categories; a subclass makes a scikit-learn estimator of it.

    ``estimator`` is called with the prepared training columns. A fit's time includes their
    preparation, as ours includes the reading of the columns.
    """

    def __init__(self, context: Context) -> None:
        self.context = context

    def estimator(self, features: Features, x: Any) -> Any:
        raise NotImplementedError

    def fit(self, frame: Any, y: Array) -> None:
        self.features = Features(frame)
        x = self.columns(self.features.frame(frame))
        self.fitted = self.estimator(self.features, x).fit(x, y)

    def columns(self, x: Any) -> Any:
        """The prepared columns as this library takes them."""
        return x

    def predict(self, frame: Any) -> Array:
        x = self.columns(self.features.frame(frame))
        if not self.context.classes:
            return np.asarray(self.fitted.predict(x), np.float64).ravel()
        return all_classes(self.fitted.predict_proba(x), self.fitted.classes_, self.context.classes)


def all_classes(probabilities: Array, known: Array, classes: int) -> Array:
    """Probabilities (N, classes) with zeros for classes that no training row had."""
    whole = np.zeros((len(probabilities), classes))
    whole[:, np.asarray(known, np.int64).ravel()] = probabilities
    return whole
