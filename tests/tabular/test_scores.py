"""Scores: the values of scikit-learn's metrics."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import metrics
from sklearn.dummy import DummyClassifier, DummyRegressor

from fastmlp.base.errors import ArgumentError
from fastmlp.tabular.scores import METRICS, baseline, measure, metric_of, repeated


def made_up(classes: int, ties: bool = False) -> tuple[Any, Any, Any]:
    """True classes, one of which never occurs if there are three or more; outputs; weights."""
    rng = np.random.default_rng(classes)
    true = rng.integers(0, max(classes - 1, 2), 80)
    outputs = rng.dirichlet(np.ones(classes), 80)
    outputs[:, 0] *= 0.3
    outputs[0] = np.eye(classes)[true[0]]
    outputs = np.round(outputs, 1) + 1e-3 if ties else outputs
    outputs /= outputs.sum(axis=1, keepdims=True)
    return true, outputs, rng.integers(0, 4, 80).astype(float)


def expected(true: Any, outputs: Any, weights: Any, positive: int) -> dict[str, float]:
    """The scores of scikit-learn."""
    classes = outputs.shape[1]
    predicted, options = outputs.argmax(axis=1), {"sample_weight": weights}
    found = {
        "log loss": metrics.log_loss(true, outputs, labels=np.arange(classes), **options),
        "accuracy": metrics.accuracy_score(true, predicted, **options),
        "balanced accuracy": metrics.balanced_accuracy_score(true, predicted, **options),
    }
    if classes == 2:
        score = outputs[:, positive]
        found["ROC-AUC"] = metrics.roc_auc_score(true == positive, score, **options)
        found["average precision"] = metrics.average_precision_score(
            true == positive, score, **options
        )
        found["F1"] = metrics.f1_score(true, predicted, pos_label=positive, **options)
        return found
    present = [k for k in range(classes) if (true == k).any()]
    for name, score_of in (("ROC-AUC", metrics.roc_auc_score),
                           ("average precision", metrics.average_precision_score)):  # fmt: skip
        values = [score_of(true == k, outputs[:, k], **options) for k in present]
        found[name] = float(np.mean(values))
    found["F1"] = metrics.f1_score(true, predicted, average="macro", zero_division=0, **options)
    return found


@pytest.mark.parametrize("classes", [2, 3, 9])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_scores_of_classes(classes: int, weighted: bool, ties: bool) -> None:
    true, outputs, weights = made_up(classes, ties)
    weights = weights if weighted else None
    for positive in (0, 1):
        found = measure(true, outputs, weights, positive)
        with warnings.catch_warnings():
            # A predicted class that never occurs is worth a warning to scikit-learn.
            warnings.simplefilter("ignore", UserWarning)
            wanted = expected(true, outputs, weights, positive)
        assert set(found) == set(wanted)
        assert found == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("constant", [False, True])
def test_scores_of_numbers(constant: bool) -> None:
    rng = np.random.default_rng(0)
    true = np.full(50, 3.5) if constant else rng.normal(10, 3, 50)
    for weights in (None, rng.uniform(0, 2, 50)):
        for outputs in (true, true + rng.normal(0, 1, 50)):
            options = {"sample_weight": weights}
            found = measure(true, outputs, weights)
            rmse = metrics.root_mean_squared_error(true, outputs, **options)
            mae = metrics.mean_absolute_error(true, outputs, **options)
            wanted = [metrics.r2_score(true, outputs, **options), rmse, mae]
            np.testing.assert_allclose(list(found.values()), wanted, rtol=1e-12)


def test_a_threshold_changes_decisions_only() -> None:
    true, outputs, _ = made_up(2)
    at_half, higher = measure(true, outputs), measure(true, outputs, threshold=0.8)
    predicted = (outputs[:, 1] > 0.8).astype(int)
    assert higher["accuracy"] == (predicted == true).mean() != at_half["accuracy"]
    for name in ("log loss", "ROC-AUC", "average precision"):
        assert higher[name] == at_half[name]


def test_classes_that_do_not_occur_have_no_ranking() -> None:
    found = measure(np.zeros(5, dtype=int), np.full((5, 2), 0.5))
    assert np.isnan([found["ROC-AUC"], found["average precision"]]).all()
    assert found["accuracy"] == found["balanced accuracy"] == 1


def test_baselines_are_those_of_dummies() -> None:
    rng = np.random.default_rng(0)
    x = np.zeros((100, 1))
    for y, classes in ((rng.integers(0, 4, 100), 4), (rng.normal(5, 2, 100), 0)):
        if classes:
            judge = DummyClassifier(strategy="prior").fit(x, y)
            wanted = judge.predict_proba(x)
        else:
            wanted = DummyRegressor().fit(x, y).predict(x)
        np.testing.assert_allclose(repeated(baseline(y, classes), 100), wanted, rtol=1e-12)


def test_outputs_that_are_not_finite_have_no_scores() -> None:
    found = measure(np.zeros(3), np.array([1.0, np.nan, 2.0]))
    assert list(found) == ["R2", "RMSE", "MAE"]
    assert np.isnan(list(found.values())).all()


def test_metrics_are_found_by_name_and_task() -> None:
    assert metric_of(None, "classification") is METRICS["log_loss"]
    assert metric_of(None, "regression") is METRICS["rmse"]
    assert metric_of("roc_auc", "classification").sign == 1
    for name in ("mae", "roc-auc", 3):
        with pytest.raises(ArgumentError, match=r"metric: got .*; want one of log_loss, roc_auc"):
            metric_of(name, "classification")  # type: ignore[arg-type]
