"""Scores: the values of scikit-learn's metrics."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("sklearn")

import pandas as pd
from sklearn import metrics
from sklearn.dummy import DummyClassifier, DummyRegressor

from fastmlp.tabular import Table
from fastmlp.tabular.scores import baseline, measure


def table_of(y: np.ndarray, classes: int) -> Table:
    names = [f"c{i}" for i in range(classes)]
    return Table("t", pd.DataFrame({"x": np.zeros(len(y))}), y, "y", names)


@pytest.mark.parametrize("classes", [2, 3, 9])
def test_scores_of_classes(classes: int) -> None:
    rng = np.random.default_rng(classes)
    # One class never occurs, another one is never predicted.
    true = rng.integers(0, classes - 1, 60)
    outputs = rng.dirichlet(np.ones(classes), 60)
    outputs[:, 0] *= 1e-3
    outputs[0] = np.eye(classes)[true[0]]
    outputs /= outputs.sum(axis=1, keepdims=True)
    predicted = outputs.argmax(axis=1)
    found = measure(table_of(true, classes), true, outputs)
    f1 = metrics.f1_score(true, predicted, average="macro", zero_division=0)
    loss = metrics.log_loss(true, outputs, labels=np.arange(classes))
    expected = [metrics.accuracy_score(true, predicted), f1, loss]
    np.testing.assert_allclose(list(found.values()), expected, rtol=1e-12)


@pytest.mark.parametrize("constant", [False, True])
def test_scores_of_numbers(constant: bool) -> None:
    rng = np.random.default_rng(0)
    true = np.full(50, 3.5) if constant else rng.normal(10, 3, 50)
    for outputs in (true, true + rng.normal(0, 1, 50)):
        found = measure(table_of(true, 0), true, outputs)
        rmse = metrics.root_mean_squared_error(true, outputs)
        mae = metrics.mean_absolute_error(true, outputs)
        expected = [metrics.r2_score(true, outputs), rmse, mae]
        np.testing.assert_allclose(list(found.values()), expected, rtol=1e-12)


def test_baselines_are_those_of_dummies() -> None:
    rng = np.random.default_rng(0)
    train, test = np.arange(70), np.arange(70, 100)
    x = np.zeros((100, 1))
    for y, classes in ((rng.integers(0, 4, 100), 4), (rng.normal(5, 2, 100), 0)):
        table = table_of(y, classes)
        if classes:
            judge = DummyClassifier(strategy="prior").fit(x[train], y[train])
            outputs = judge.predict_proba(x[test])
        else:
            outputs = DummyRegressor().fit(x[train], y[train]).predict(x[test])
        expected = measure(table, y[test], outputs)
        assert baseline(table, train, test) == pytest.approx(expected, rel=1e-12)


def test_outputs_that_are_not_finite_have_no_scores() -> None:
    found = measure(table_of(np.zeros(3), 0), np.zeros(3), np.array([1.0, np.nan, 2.0]))
    assert list(found) == ["R2", "RMSE", "MAE"]
    assert np.isnan(list(found.values())).all()
