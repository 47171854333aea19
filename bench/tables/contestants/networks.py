"""Networks of other libraries."""

from __future__ import annotations

import importlib
from typing import Any

from bench.tables.contestants.base import Context, Prepared
from bench.tables.features import Features


class ScikitMLP(Prepared):
    """MLPClassifier or MLPRegressor as they ship, behind the usual pipeline.

    Missing numbers become the median with an indicator; numbers are standardised and categories
    one-hot. The target of a regression is standardised, without which the defaults fail.
    """

    def estimator(self, features: Features, x: Any) -> Any:
        from sklearn.compose import TransformedTargetRegressor, make_column_transformer
        from sklearn.impute import SimpleImputer
        from sklearn.neural_network import MLPClassifier, MLPRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        numbers = [name for name in x.columns if name not in features.categories]
        imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
        columns = make_column_transformer(
            (make_pipeline(imputer, StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), features.categories),
        )
        if self.context.classes:
            return make_pipeline(columns, MLPClassifier(random_state=self.context.seed))
        network = TransformedTargetRegressor(
            MLPRegressor(random_state=self.context.seed), transformer=StandardScaler()
        )
        return make_pipeline(columns, network)


class Pytabkit(Prepared):
    """A model of pytabkit as its scikit-learn interface ships: one fit, a fifth for validation.

    It refuses missing numbers, which become the median with an indicator.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        kind = "Classifier" if context.classes else "Regressor"
        models: Any = importlib.import_module("pytabkit")
        self.kind = getattr(models, f"{context.options['model']}_{kind}")

    def estimator(self, features: Features, x: Any) -> Any:
        return self.kind(
            random_state=self.context.seed, n_threads=self.context.threads, device="cpu"
        )

    def fit(self, frame: Any, y: Any) -> None:
        # It computes in float32, where the digits of a target far from zero would be lost.
        self.scale = (0.0, 1.0) if self.context.classes else (float(y.mean()), float(y.std()))
        self.medians: dict[str, float] = {}
        super().fit(frame, y if self.context.classes else (y - self.scale[0]) / self.scale[1])

    def predict(self, frame: Any) -> Any:
        found = super().predict(frame)
        return found if self.context.classes else found * self.scale[1] + self.scale[0]

    def columns(self, x: Any) -> Any:
        fitting = not self.medians
        for name in [name for name in x.columns if name not in self.features.categories]:
            if fitting:
                median = x[name].median()
                self.medians[name] = 0.0 if median != median else median
                self.gaps = {*getattr(self, "gaps", ()), *([name] if x[name].isna().any() else [])}
            if name in self.gaps:
                x[f"{name} missing"] = x[name].isna().astype("float64")
            x[name] = x[name].fillna(self.medians[name])
        return x
