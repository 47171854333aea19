"""fastmlp, which reads the columns of the frame itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.problems import Array
from bench.tables.contestants.base import Context, all_classes


class Estimator:
    """`TabularClassifier` or `TabularRegressor`; the row's options are their arguments.

    With the option "alone", one network of that kind is trained instead of a preset.
    """

    def __init__(self, context: Context) -> None:
        from fastmlp.tabular import TabularClassifier, TabularRegressor

        self.context = context
        kind = TabularClassifier if context.classes else TabularRegressor
        options = dict(context.options)
        if alone := options.pop("alone", None):
            options |= {"model": _network(alone), "n_members": 1}
        self.estimator: Any = kind(random_state=context.seed, n_threads=context.threads, **options)

    def fit(self, frame: Any, y: Array) -> None:
        self.estimator.fit(frame, y)

    def predict(self, frame: Any) -> Array:
        if not self.context.classes:
            return np.asarray(self.estimator.predict(frame), np.float64)
        found = self.estimator.predict_proba(frame)
        return all_classes(found, self.estimator.classes_, self.context.classes)


class Tuned:
    """`fastmlp.distributed.tune`; the row's options are its arguments."""

    TARGET = "the target"

    def __init__(self, context: Context) -> None:
        import fastmlp.distributed

        self.context, self.tune = context, fastmlp.distributed.tune

    def fit(self, frame: Any, y: Array) -> None:
        task = "classification" if self.context.classes else "regression"
        table = frame.assign(**{self.TARGET: y})
        # All rows are to be learnt from; the scores on these test rows are not used.
        self.model = self.tune(
            table, self.TARGET, task=task, test=table.head(1000), seed=self.context.seed,
            n_threads=self.context.threads, **self.context.options,
        ).model  # fmt: skip

    def predict(self, frame: Any) -> Array:
        if not self.context.classes:
            return np.asarray(self.model.predict(frame), np.float64)
        known = np.array(self.model.classes, np.int64)
        return all_classes(self.model.predict_proba(frame), known, self.context.classes)


def _network(kind: str) -> Any:
    """RealMLP with its published settings; TabM with a quarter of its members and of its width."""
    from fastmlp.tabular import RealMLP, TabM

    if kind == "RealMLP":
        return RealMLP(compute="bfloat16")
    return TabM(
        members=8, hidden=(128, 128), bins=32, embedding=8, most_embedded=100, lr=4e-3, epochs=100,
        waits=12, compute="bfloat16",
    )  # fmt: skip
