"""Boosted trees. All of them know which columns are categories, and read missing values."""

from __future__ import annotations

from typing import Any

from bench.tables.contestants.base import Context, Prepared
from bench.tables.features import Features

# HistGradientBoosting takes so many levels; the most frequent ones, the others are missing.
MOST_LEVELS = 255


class HistGradientBoosting(Prepared):
    """Stops early from 10,001 training rows on, as it ships. It has no argument for threads."""

    def __init__(self, context: Context) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        super().__init__(context)
        self.kind = (
            HistGradientBoostingClassifier if context.classes else HistGradientBoostingRegressor
        )
        self.levels: dict[str, Any] = {}

    def estimator(self, features: Features, x: Any) -> Any:
        return self.kind(random_state=self.context.seed, categorical_features="from_dtype")

    def columns(self, x: Any) -> Any:
        for name in x.select_dtypes("category"):
            if len(x[name].cat.categories) > MOST_LEVELS:
                if name not in self.levels:
                    self.levels[name] = x[name].value_counts().index[:MOST_LEVELS].tolist()
                x[name] = x[name].cat.set_categories(self.levels[name])
        return x


class LightGBM(Prepared):
    """A hundred rounds, as it ships."""

    def __init__(self, context: Context) -> None:
        from lightgbm import LGBMClassifier, LGBMRegressor

        super().__init__(context)
        self.kind = LGBMClassifier if context.classes else LGBMRegressor

    def estimator(self, features: Features, x: Any) -> Any:
        return self.kind(random_state=self.context.seed, n_jobs=self.context.threads, verbosity=-1)

    def columns(self, x: Any) -> Any:
        # LightGBM refuses some punctuation in names.
        return x.set_axis([f"column_{i}" for i in range(x.shape[1])], axis=1)


class CatBoost(Prepared):
    """A thousand rounds with its automatic learning rate, as it ships."""

    def __init__(self, context: Context) -> None:
        from catboost import CatBoostClassifier, CatBoostRegressor

        super().__init__(context)
        self.kind = CatBoostClassifier if context.classes else CatBoostRegressor

    def estimator(self, features: Features, x: Any) -> Any:
        return self.kind(
            random_seed=self.context.seed, thread_count=self.context.threads, verbose=0,
            allow_writing_files=False, cat_features=features.categories,
        )  # fmt: skip

    def columns(self, x: Any) -> Any:
        """Categories as texts; a missing one is a level of its own, as its documentation says."""
        for name in self.features.categories:
            x[name] = x[name].astype(object).where(x[name].notna(), "missing")
        return x
