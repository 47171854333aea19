"""fastmlp, which reads the columns of the frame itself."""

from __future__ import annotations

from typing import Any

import fastmlp as fm
from bench.problems import Array
from bench.tables.contestants.base import Context, all_classes


class Train:
    """`fastmlp.tabular.train`: it tests on 15 % of the rows that it gets, which is kept."""

    def __init__(self, context: Context) -> None:
        import fastmlp.tabular

        self.context, self.tabular = context, fastmlp.tabular
        fm.set_num_threads(context.threads)

    def fit(self, frame: Any, y: Array) -> None:
        task = "classification" if self.context.classes else "regression"
        table = frame.assign(**{"the target": y})
        self.model = self.tabular.train(
            table, "the target", task=task, seed=self.context.seed
        ).model

    def predict(self, frame: Any) -> Array:
        if not self.context.classes:
            return self.model.predict(frame)
        known = [int(float(name)) for name in self.model.classes]
        return all_classes(self.model.predict_proba(frame), known, self.context.classes)
