"""scikit-learn: one call of ``fit``, early stopping off, first weights its own."""

from __future__ import annotations

import math
from typing import Any

from sklearn.neural_network import MLPClassifier, MLPRegressor

from bench.datasets import LR, Data
from bench.problems import Array


class Scikit:
    """``MLPClassifier`` or ``MLPRegressor`` with Adam."""

    compile_seconds = 0.0

    def __init__(self, data: Data, threads: int) -> None:
        self.data = data
        self.y = data.y.ravel()

    def fit(self, seed: int) -> None:
        task = self.data.task
        kind: Any = MLPRegressor if self.data.regression else MLPClassifier
        self.estimator = kind(
            hidden_layer_sizes=task.hidden, solver="adam", alpha=0.0, batch_size=task.batch,
            learning_rate_init=LR, max_iter=task.epochs, random_state=seed,
            tol=0.0, n_iter_no_change=math.inf,
        )  # fmt: skip
        self.estimator.fit(self.data.x, self.y)

    def predict(self, x: Array) -> Array:
        return self.estimator.predict(x)
