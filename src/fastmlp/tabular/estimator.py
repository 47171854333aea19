"""The common base of the estimators for tables: parameters, fit and fitted attributes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.tabular.fitting import Rows, fit_model
from fastmlp.tabular.labels import Target
from fastmlp.tabular.model_file import load
from fastmlp.tabular.reading import Frame, ReadOptions, frame_of
from fastmlp.tabular.reading.memory import unmasked
from fastmlp.tabular.settings import AnySettings, Settings
from fastmlp.tabular.table_model import TableModel

DEFAULT_NAME = "y"  # of the target, if y has none


# Not compared and not shown by their fields, but as scikit-learn does.
@dataclass(kw_only=True, eq=False, repr=False)
class BaseTabular(AnySettings, BaseEstimator):  # type: ignore[misc]
    """Base of ``TabularClassifier`` and ``TabularRegressor``; their fields are their parameters."""

    random_state: Any = 0
    options: ReadOptions | None = None
    progress: bool = False

    # ---- defined by the subclasses ----

    def _checked_target(self, y: Any) -> tuple[Array, Target]:
        """Return class indices or numbers, and what they mean; keep the classes."""
        raise NotImplementedError

    def _known_target(self, y: Any) -> Array:
        """Return class indices or numbers for the target of validation rows."""
        raise NotImplementedError

    def _adopt(self, model: TableModel) -> None:
        """Set the attributes that depend on the target, from a loaded model."""

    # ---- fit ----

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> Self:
        """Fit networks to a table.

        Parameters
        ----------
        X : data frame, dict of str to array_like, or array-like, shape (n, columns)
            Numbers, text, categories, dates, truth values; missing values are welcome. Columns of
            frames and dicts are found by their names in `predict`.
        y : array-like, shape (n,)
        sample_weight : array-like, shape (n,), optional
        X_val, y_val : as X and y, optional
            Rows to stop the training by and to choose weights and calibration by. By default each
            network holds out a part of the rows for it.

        Returns
        -------
        self
            Unchanged if the fit fails or is interrupted.
        """
        before = dict(vars(self))
        try:
            self._fit(X, y, sample_weight, X_val, y_val)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any) -> None:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val go together: one of them is None")
        settings = self._settings()
        frame = self._frame(X, reset=True)
        if self.options is not None:
            frame.check_options(self.options)
        if len(frame) < 2:
            raise ValueError(f"X: got {len(frame)} sample; want 2 at least")
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, np.empty((len(frame), 1)))
            _check_not_negative(weights)
        y, target = self._checked_target(y)
        check_consistent_length(np.empty(len(frame)), y)
        rows = Rows(frame, y, weights)
        if weights is not None and (weights == 0).any():
            rows = self._without_weightless(rows, target)
        validation = None
        if X_val is not None:
            validation = Rows(self._frame(X_val, reset=False), self._known_target(y_val))
            check_consistent_length(np.empty(len(validation.frame)), validation.y)
        reporter = None
        if self.progress:
            from fastmlp.tabular.progress import ProgressLine

            reporter = ProgressLine()
        self.model_ = fit_model(rows, target, settings, self.options, validation, reporter)

    def _without_weightless(self, rows: Rows, target: Target) -> Rows:
        """Leave out rows of weight 0: they must not choose anything either."""
        assert rows.weights is not None
        kept = np.flatnonzero(rows.weights > 0)
        if len(kept) < 2:
            raise ValueError("sample_weight: got one weight above 0; want two at least")
        if target.classes and len(np.unique(rows.y[kept])) < 2:
            raise ValueError("sample_weight: got weights above 0 for one class only; want two")
        return Rows(rows.frame.take(kept), rows.y[kept], rows.weights[kept])

    def _settings(self) -> Settings:
        names = {one.name for one in fields(Settings)}
        given = {name: v for name, v in self.get_params(deep=False).items() if name in names}
        return Settings(seed=_seed_of(self.random_state), **given)

    # ---- rows ----

    def _frame(self, X: Any, reset: bool) -> Frame:
        """Return X as a frame, and note or compare the number and the names of its columns."""
        if not _has_names(X):
            return self._frame_of_array(unmasked(X), reset)
        frame = frame_of(X, self.options)
        if reset:
            self.n_features_in_ = len(frame.names)
            self.feature_names_in_ = np.array(frame.names, dtype=object)
        elif not hasattr(self, "feature_names_in_") and len(frame.names) == self.n_features_in_:
            frame = frame.renamed(_made_up(self.n_features_in_))
        return frame

    def _frame_of_array(self, X: Any, reset: bool) -> Frame:
        if reset and hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        array = validate_data(self, X, dtype=None, ensure_all_finite=False, reset=reset)
        names = getattr(self, "feature_names_in_", _made_up(array.shape[1]))
        columns = {name: _column(array[:, i]) for i, name in enumerate(names)}
        return frame_of(columns, self.options)

    def _outputs(self, X: Any) -> Array:
        check_is_fitted(self)
        frame = self._frame(X, reset=False)
        return self.model_.outputs(self.model_.reader.read(frame))

    # ---- afterwards ----

    def report(self, X: Any = None, y: Any = None) -> Any:
        """Tell what the model is worth: scores, importance of columns, how each was read.

        Parameters
        ----------
        X, y : as in `fit`, optional
            Rows that the training has not seen. By default those that it held out.

        Returns
        -------
        fastmlp.tabular.report.Report
        """
        from fastmlp.tabular.report.making import report_of, report_of_read

        check_is_fitted(self)
        if X is None:
            return report_of(self.model_, None)
        if y is None:
            raise ArgumentError("y: got None; want the targets of the rows of X")
        read = self.model_.reader.read(self._frame(X, reset=False))
        return report_of_read(self.model_, read, self._known_target(y))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted networks to one file, atomically; `load` reads it.

        The file has no parameters of the estimator; a pickle has.
        """
        check_is_fitted(self)
        self.model_.save(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file of `save` or of the command line as a fitted estimator.

        Raises
        ------
        ModelFileError
            The file is corrupt or no model of a table.
        ArgumentError
            Its target is of the other kind: numbers instead of classes, or classes.
        """
        model = load(path)
        found = cls()
        found._adopt(model)
        found.model_ = model
        found.feature_names_in_ = np.array(model.reader.names, dtype=object)
        found.n_features_in_ = len(found.feature_names_in_)
        return found

    def __sklearn_is_fitted__(self) -> bool:
        return "model_" in vars(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


def _has_names(X: Any) -> bool:
    """Whether X is a table with named columns."""
    if hasattr(X, "toarray"):  # some sparse matrices are mappings
        return False
    if isinstance(X, (Mapping, Frame)):
        return True
    # First of the class: the names of a polars.LazyFrame are costly to ask for.
    names = ("columns", "column_names")
    return any(hasattr(type(X), name) for name in names) or hasattr(X, "columns")


def _check_not_negative(weights: Array) -> None:
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise ValueError(f"sample_weight: got {weights[row]:g} in row {row}; want 0 or more")


def _made_up(count: int) -> list[str]:
    return [f"x{i}" for i in range(count)]


def _column(values: Array) -> Array:
    """Return a column; objects that are no cells of a table become text."""
    if values.dtype != object:
        return values
    return np.array([v if _is_cell(v) else str(v) for v in values], dtype=object)


def _is_cell(value: Any) -> bool:
    return not isinstance(value, (dict, list, tuple, set, complex))


def _seed_of(random_state: Any) -> int:
    if isinstance(random_state, Integral) and not isinstance(random_state, bool):
        return int(random_state)
    try:
        return int(check_random_state(random_state).randint(2**31 - 1))
    except ValueError as error:
        raise ArgumentError(f"random_state: {error}") from None
