"""fastmlp, which reads the columns of the frame itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.problems import Array
from bench.tables.contestants.base import Context, all_classes


class Estimator:
    """`TabularClassifier` or `TabularRegressor`; the row's options are their arguments."""

    def __init__(self, context: Context) -> None:
        from fastmlp.tabular import TabularClassifier, TabularRegressor

        self.context = context
        kind = TabularClassifier if context.classes else TabularRegressor
        self.estimator: Any = kind(
            random_state=context.seed, n_threads=context.threads, **context.options
        )

    def fit(self, frame: Any, y: Array) -> None:
        self.estimator.fit(frame, y)

    def predict(self, frame: Any) -> Array:
        if not self.context.classes:
            return np.asarray(self.estimator.predict(frame), np.float64)
        found = self.estimator.predict_proba(frame)
        return all_classes(found, self.estimator.classes_, self.context.classes)
