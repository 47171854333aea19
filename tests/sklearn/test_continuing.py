"""Fits of the estimators that continue: weights, velocities, validation sets."""

from __future__ import annotations

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from sklearn.neural_network import MLPClassifier as TheirClassifier  # noqa: E402
from sklearn.neural_network import MLPRegressor as TheirRegressor  # noqa: E402
from tests.sklearn.tables import BINARY, DIABETES, IRIS  # noqa: E402

from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*lbfgs failed to converge"),
]


def test_continuing_needs_the_same_network():
    wide = np.zeros((len(DIABETES[0]), 7))
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, random_state=0, warm_start=True)
    model.fit(*DIABETES)
    for call in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="goes on with a network of widths"):
            call(DIABETES[0], wide)
        model.set_params(hidden_layer_sizes=(5,))
        with pytest.raises(ValueError, match="goes on with a network of widths"):
            call(*DIABETES)
        model.set_params(hidden_layer_sizes=(4,))
    classifier = MLPClassifier((4,), max_iter=3, random_state=0, warm_start=True).fit(*BINARY)
    with pytest.raises(ValueError, match="goes on with a network of widths"):
        classifier.set_params(loss="hinge").fit(*BINARY)
    fitted = MLPClassifier((4,), max_iter=3, random_state=0).fit(*IRIS)
    with pytest.raises(ValueError, match="type 'multilabel-indicator'"):
        fitted.partial_fit(IRIS[0], np.eye(3, dtype=int)[IRIS[1]])


def test_continuing_needs_the_same_classes():
    X, y = IRIS
    model = MLPClassifier((4,), max_iter=1, random_state=0, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="the same classes as in the previous call"):
        model.fit(X[:100], y[:100])
    with pytest.raises(ValueError, match="`y` has classes not in `self"):
        model.partial_fit(X, y + 1)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_lbfgs_makes_no_partial_fits(kind):
    model = kind(solver="lbfgs")
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit") as caught:
        model.partial_fit(*IRIS)
    assert "lbfgs is not stochastic" in str(caught.value.__cause__)


@pytest.mark.parametrize("schedule", ["constant", "invscaling"])
def test_partial_fits_keep_the_velocity(schedule):
    options = {"random_state": 0, "batch_size": 30, "solver": "sgd", "learning_rate": schedule,
               "learning_rate_init": 0.05}  # fmt: skip
    own, other = MLPClassifier(dtype="float64", **options), TheirClassifier(**options)
    for model in (own, other):
        for _ in range(5):
            model.partial_fit(*IRIS, classes=[0, 1, 2])
    np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=1e-9)


def test_partial_fits_take_up_changed_parameters():
    model = MLPRegressor(solver="sgd", momentum=0.0, random_state=0, learning_rate_init=1e-6)
    model.partial_fit(*DIABETES)
    for momentum in (0.9, 0.0):
        model.set_params(momentum=momentum).partial_fit(*DIABETES)
    assert len(model.loss_curve_) == 3


@pytest.mark.parametrize("options", [
    {"activation": "tanh"}, {"dropout": 0.5}, {"dtype": "float32"}])  # fmt: skip
def test_a_warm_start_takes_up_changed_parameters(options):
    model = MLPClassifier((6,), warm_start=True, random_state=0, max_iter=5).fit(*IRIS)
    before = [array.copy() for array in model.coefs_ + model.intercepts_]
    model.set_params(**options, max_iter=1, learning_rate_init=1e-12).fit(*IRIS)
    layers = [type(layer).__name__ for layer in model.network_]
    assert ("Tanh" in layers) == ("activation" in options)
    assert ("Dropout" in layers) == ("dropout" in options)
    assert model.network_.dtype == options.get("dtype", "float64")
    for a, b in zip(before, model.coefs_ + model.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


def test_weights_may_be_assigned():
    model = MLPRegressor((3,), random_state=0, max_iter=2)
    with pytest.raises(AttributeError, match="MLPRegressor is not fitted"):
        model.coefs_ = []
    model = MLPRegressor(hidden_layer_sizes=(3,), random_state=0, max_iter=2).fit(*DIABETES)
    shapes = [array.shape for array in model.coefs_]
    model.coefs_[1] = np.zeros((3, 1))
    model.intercepts_ = [np.ones(3), np.full(1, 7.0)]
    assert (model.predict(DIABETES[0]) == 7.0).all()
    with pytest.raises(ValueError, match="want"):
        model.coefs_[0] = np.zeros(3)
    assert isinstance(model.coefs_, list)
    assert [array.shape for array in model.coefs_] == shapes


def test_partial_fit_after_fit_continues_like_scikit_learn():
    options = {"random_state": 0, "batch_size": 30, "max_iter": 6}
    own, other = MLPClassifier(dtype="float64", **options), TheirClassifier(**options)
    for model in (own, other):
        model.fit(*IRIS)
        for _ in range(3):
            model.partial_fit(*IRIS)
    np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=1e-9)


def test_a_given_validation_set_stops_training():
    X, y = IRIS
    model = MLPClassifier(early_stopping=True, random_state=0, learning_rate_init=0.05)
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert model.n_iter_ < 200
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_
    assert model.score(X[1::2], y[1::2]) == pytest.approx(max(model.validation_scores_))
    with pytest.raises(ValueError, match="go together"):
        model.fit(X, y, X_val=X)


def test_partial_fit_stops_by_a_given_validation_set():
    X, y = IRIS
    model = MLPClassifier(early_stopping=True, n_iter_no_change=3, random_state=0,
                          learning_rate_init=0.05)  # fmt: skip
    with pytest.raises(ValueError, match="without a validation set"):
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert not hasattr(model, "coefs_")
    for _ in range(200):
        model.partial_fit(X[::2], y[::2], classes=[0, 1, 2], X_val=X[1::2], y_val=y[1::2])
        if model.should_stop_:
            break
    assert 3 < len(model.validation_scores_) < 200
    assert model.score(X[1::2], y[1::2]) == pytest.approx(model.best_validation_score_)


def test_partial_fit_continues_like_scikit_learn():
    options = {"random_state": 0, "batch_size": 30, "hidden_layer_sizes": (9,)}
    own, other = MLPClassifier(dtype="float64", **options), TheirClassifier(**options)
    for _ in range(8):
        own.partial_fit(*IRIS, classes=[0, 1, 2])
        other.partial_fit(*IRIS, classes=[0, 1, 2])
    np.testing.assert_allclose(own.coefs_[0], other.coefs_[0], atol=1e-6)
    np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=1e-9)


def test_warm_start_continues_like_scikit_learn():
    options = {"random_state": 0, "warm_start": True, "max_iter": 5, "batch_size": 30}  # fmt: skip
    own, other = MLPRegressor(dtype="float64", **options), TheirRegressor(**options)
    X, y = DIABETES[0][:420], DIABETES[1][:420]
    for _ in range(3):
        own.fit(X, y)
        other.fit(X, y)
    np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=1e-9)
