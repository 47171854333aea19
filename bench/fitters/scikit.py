"""scikit-learn's estimators and ours: one ``fit``, no early stopping, their own first weights."""

from __future__ import annotations

import importlib
import math
from typing import Any

import fastmlp as fm
from bench.datasets import LR, Data
from bench.problems import Array


class Scikit:
    """``MLPClassifier`` or ``MLPRegressor`` with Adam."""

    compile_seconds = 0.0
    module = "sklearn.neural_network"

    def __init__(self, data: Data, threads: int) -> None:
        self.data = data
        self.y = data.y.ravel()

    def fit(self, seed: int) -> None:
        task = self.data.task
        kinds: Any = importlib.import_module(self.module)
        kind = kinds.MLPRegressor if self.data.regression else kinds.MLPClassifier
        self.estimator = kind(
            hidden_layer_sizes=task.hidden, solver="adam", alpha=0.0, batch_size=task.batch,
            learning_rate_init=LR, max_iter=task.epochs, random_state=seed,
            tol=0.0, n_iter_no_change=math.inf,
        )  # fmt: skip
        self.estimator.fit(self.data.x, self.y)

    def predict(self, x: Array) -> Array:
        return self.estimator.predict(x)


class FastMLP(Scikit):
    """Our estimators, with all allowed threads."""

    module = "fastmlp.sklearn"

    def __init__(self, data: Data, threads: int) -> None:
        super().__init__(data, threads)
        fm.set_num_threads(threads)
