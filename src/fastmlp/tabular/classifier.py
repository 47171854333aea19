"""The classifier for tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, column_or_1d

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.tabular import scores
from fastmlp.tabular.estimator import DEFAULT_NAME, BaseTabular
from fastmlp.tabular.labels import Labels, Target
from fastmlp.tabular.settings import ClassSettings
from fastmlp.tabular.table_model import TableModel


@dataclass(kw_only=True, eq=False, repr=False)
class TabularClassifier(ClassifierMixin, ClassSettings, BaseTabular):  # type: ignore[misc]
    """Networks that classify the rows of a table, as a scikit-learn estimator.

    Frames are taken as they are: numbers, text, categories, dates, truth values, missing values.

    Parameters
    ----------
    model : str or Model, default "auto"
        "auto": what the preset has. Or a name of `fastmlp.tabular.MODELS`, or hyperparameters such
        as ``fastmlp.tabular.MLP(hidden=(64,))``.
    preset : {"fast", "balanced", "best"}, default "balanced"
        How much time to spend.
    n_members : int, optional
        Number of networks of each model, trained side by side on different rows; their
        probabilities are averaged. By default the preset's.
    time_budget : float, optional
        Seconds that a fit may take. Results then depend on the speed of the machine.
    metric : str, optional
        "log_loss" (the default), "roc_auc", "average_precision", "accuracy", "balanced_accuracy"
        or "f1": chooses the epoch, the weights of models and, for the last two, the threshold.
    class_weight : "balanced" or dict, optional
        Factors of the rows' weights by class; "balanced" gives all classes the same sum.
    threshold : "auto" or float, default "auto"
        Of two classes, the second is predicted where its probability is above this. "auto" is
        chosen on held-out rows for the metrics "f1" and "balanced_accuracy", and 1/2 otherwise.
    calibrate : bool, default True
        Whether probabilities are calibrated on held-out rows, by a temperature.
    random_state : int, RandomState or None, default 0
        The same seed gives the same bits, on any number of threads.
    n_threads : int, optional
        ``fastmlp.get_num_threads()`` by default.
    compute : {None, "bfloat16"}
        With "bfloat16", operands of matrix products are rounded to bfloat16.
    options : ReadOptions, optional
        How columns are to be read where the detection is wrong.
    progress : bool, default False
        Whether to show a line of progress on standard error.

    Attributes
    ----------
    classes_ : ndarray
        The labels.
    model_ : TableModel
        The trained networks and how they read tables.
    n_features_in_, feature_names_in_
        As in scikit-learn; columns have names if X is a frame or a dict.

    Examples
    --------
    >>> from fastmlp.tabular import TabularClassifier
    >>> table = {"size": list(range(60)), "city": ["Ghent", "Ypres", None] * 20}
    >>> grade = ["dear" if size > 29 else "cheap" for size in table["size"]]
    >>> model = TabularClassifier(preset="fast").fit(table, grade)
    >>> model.predict({"size": [5, 55], "city": ["Ghent", "Bruges"]}).tolist()
    ['cheap', 'dear']
    """

    def predict(self, X: Any) -> Array:
        """Return the label of each row, shape (n,)."""
        outputs = self._outputs(X)
        found: Array = self.classes_[scores.decide(outputs, self.model_.threshold)]
        return found

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities, shape (n, classes), in the order of ``classes_``."""
        return self._outputs(X)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of the probabilities."""
        with np.errstate(divide="ignore"):
            return np.log(self._outputs(X))

    # ---- for the base ----

    def _checked_target(self, y: Any) -> tuple[Array, Target]:
        name = getattr(y, "name", None)
        array = column_or_1d(_check_y(y, estimator=self), warn=True)
        _check_labels(array)
        check_classification_targets(array)
        self.classes_, codes = np.unique(array, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs two classes at least, but y has one class only: "
                f"{self.classes_.tolist()[0]!r}"
            )
        name = name if isinstance(name, str) else DEFAULT_NAME
        return codes.astype(np.int64), Target(name, Labels.of(self.classes_))

    def _known_target(self, y: Any) -> Array:
        array = column_or_1d(_check_y(y, estimator=self), warn=True)
        places = np.searchsorted(self.classes_, array)
        places = np.minimum(places, len(self.classes_) - 1)
        unknown = array[self.classes_[places] != array].tolist()
        if unknown:
            raise ValueError(f"y_val has the class {unknown[0]!r}, which y has not")
        found: Array = places.astype(np.int64)
        return found

    def _adopt(self, model: TableModel) -> None:
        if not model.classes:
            raise ArgumentError("path: got the model of a regression; want one of classes")
        self.classes_ = model.target.labels.values


def _check_labels(y: Array) -> None:
    if y.dtype == object:
        for row, label in enumerate(y):
            if label is None:
                raise ValueError(f"y: got None in row {row}; want a label for each row")
