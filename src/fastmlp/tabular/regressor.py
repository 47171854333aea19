"""The regressor for tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import _check_y, column_or_1d

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.tabular.estimator import DEFAULT_NAME, BaseTabular
from fastmlp.tabular.labels import Labels, Target
from fastmlp.tabular.table_model import TableModel


class TabularRegressor(RegressorMixin, BaseTabular):  # type: ignore[misc]
    """Networks that predict a number for each row of a table, as a scikit-learn estimator.

    Frames are taken as they are: numbers, text, categories, dates, truth values, missing values.

    Parameters
    ----------
    model, preset, n_members, time_budget, random_state, n_threads, compute, options, progress
        As of `TabularClassifier`.
    metric : str, optional
        "rmse" (the default), "mae" or "r2": chooses the epoch and the weights of models.

    Attributes
    ----------
    model_ : TableModel
        The trained networks and how they read tables.
    n_features_in_, feature_names_in_
        As in scikit-learn; columns have names if X is a frame or a dict.

    Examples
    --------
    >>> from fastmlp.tabular import TabularRegressor
    >>> table = {"size": list(range(60)), "city": ["Ghent", "Ypres", None] * 20}
    >>> price = [2.5 * size for size in table["size"]]
    >>> model = TabularRegressor(preset="fast").fit(table, price)
    >>> model.predict({"size": [5, 55], "city": ["Ghent", "Bruges"]}).shape
    (2,)
    """

    def predict(self, X: Any) -> Array:
        """Return the prediction for each row, shape (n,)."""
        return self._outputs(X)

    # ---- for the base ----

    def _checked_target(self, y: Any) -> tuple[Array, Target]:
        name = getattr(y, "name", None)
        values = self._known_target(y)
        name = name if isinstance(name, str) else DEFAULT_NAME
        return values, Target(name, Labels(np.empty(0, dtype=object)))

    def _known_target(self, y: Any) -> Array:
        kind = np.asarray(y).dtype
        if kind.kind in "mM":
            raise ValueError(f"y: got dates or durations ({kind}); want numbers")
        array = column_or_1d(_check_y(y, y_numeric=True, estimator=self), warn=True)
        values: Array = array.astype(np.float64)
        return values

    def _adopt(self, model: TableModel) -> None:
        if model.classes:
            raise ArgumentError("path: got a model of classes; want one of a regression")
