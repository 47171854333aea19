"""The estimators beyond scikit-learn's results: options, sparse tables, failures, and its tools."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from scipy import sparse  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.calibration import CalibratedClassifierCV  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.inspection import permutation_importance  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.neural_network import MLPClassifier as TheirClassifier  # noqa: E402
from sklearn.neural_network import MLPRegressor as TheirRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from tables import BINARY, DIABETES, IRIS, MULTILABEL, NAMES  # noqa: E402

import fastmlp as fm  # noqa: E402
from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*lbfgs failed to converge"),
]

# ---- beyond it ----


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_sparse_tables_give_what_dense_ones_do(kind, monkeypatch):
    from fastmlp.sklearn import _rows

    monkeypatch.setattr(_rows, "_PART", 200)
    X = np.where(np.abs(IRIS[0]) > 0.5, IRIS[0], 0.0)
    options = {"random_state": 0, "max_iter": 12, "batch_size": 16, "alpha": 0.0}
    dense = MLPClassifier(**options).fit(X, IRIS[1])
    found = MLPClassifier(**options).fit(kind(X), IRIS[1])
    for a, b in zip(dense.coefs_, found.coefs_, strict=True):
        assert (a == b).all()
    np.testing.assert_allclose(found.loss_curve_, dense.loss_curve_, rtol=1e-6)
    assert (found.predict(kind(X)) == dense.predict(X)).all()
    early = MLPClassifier(early_stopping=True, **options).fit(kind(X), IRIS[1])
    assert len(early.validation_scores_) == early.n_iter_


@pytest.mark.parametrize("options", [
    {"activation": "gelu"},
    {"activation": fm.LeakyReLU(0.2)},
    {"dropout": 0.2},
    {"class_weight": "balanced"},
    {"class_weight": {0: 1.0, 1: 5.0, 2: 1.0}},
    {"label_smoothing": 0.1},
    {"clip_norm": 0.5},
    {"loss": "hinge"},
    {"loss": fm.CrossEntropyLoss(0.05)},
    {"n_threads": 1},
    {"dtype": "float64"},
])  # fmt: skip
def test_options_of_ours_train(options):
    model = MLPClassifier((16,), random_state=0, learning_rate_init=0.01, max_iter=80, **options)
    model.fit(*IRIS)
    assert model.score(*IRIS) > 0.9
    assert clone(model).get_params().keys() == model.get_params().keys()


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", fm.HuberLoss(0.5)])
def test_losses_of_the_regressor(loss):
    model = MLPRegressor(loss, (16,), random_state=0, learning_rate_init=0.01)
    assert model.fit(*DIABETES).score(*DIABETES) > 0.4


def test_hinge_has_no_probabilities():
    model = MLPClassifier((8,), loss="hinge", random_state=0, learning_rate_init=0.05)
    assert model.fit(*BINARY).score(*BINARY) > 0.9
    assert not hasattr(model, "predict_proba")
    assert ((model.decision_function(IRIS[0]) > 0) == model.predict(IRIS[0])).all()
    assert not hasattr(MLPClassifier(), "decision_function")
    calibrated = CalibratedClassifierCV(model, cv=3).fit(*BINARY)
    assert calibrated.predict_proba(IRIS[0]).shape == (150, 2)


WRONG_LOSSES = [
    (MLPClassifier(loss=fm.MSELoss()), IRIS),
    (MLPClassifier(loss=fm.BCEWithLogitsLoss()), IRIS),
    (MLPClassifier(loss=fm.CrossEntropyLoss()), MULTILABEL),
    (MLPRegressor(fm.CrossEntropyLoss()), DIABETES),
    (MLPRegressor(fm.MultiMarginLoss()), DIABETES),
    (MLPRegressor(fm.BCEWithLogitsLoss()), DIABETES),
    (MLPRegressor(fm.QuantileLoss([0.1, 0.5, 0.9])), DIABETES),
]


@pytest.mark.parametrize(("model", "data"), WRONG_LOSSES)
def test_losses_that_do_not_fit_the_target_are_refused(model, data):
    with pytest.raises(ValueError, match="got"):
        clone(model).fit(*data)


def test_what_goes_on_must_be_the_same_network():
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


def test_partial_fit_after_fit_goes_on_like_scikit_learn():
    options = {"random_state": 0, "batch_size": 30, "max_iter": 6, "epsilon": 1e-14}
    own, other = MLPClassifier(dtype="float64", **options), TheirClassifier(**options)
    for model in (own, other):
        model.fit(*IRIS)
        for _ in range(3):
            model.partial_fit(*IRIS)
    np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=2e-6)


@pytest.mark.parametrize("options", [
    {"callbacks": [3]}, {"clip_norm": 1.0}, {"progress": True}])  # fmt: skip
def test_lbfgs_refuses_what_it_cannot_do(options):
    model = MLPRegressor(solver="lbfgs", max_iter=3, random_state=0)
    with pytest.raises(ValueError, match="lbfgs"):
        clone(model).set_params(**options).fit(*DIABETES)
    with pytest.raises(ValueError, match="lbfgs"):
        model.fit(*DIABETES, X_val=DIABETES[0], y_val=DIABETES[1])
    with pytest.raises(ValueError, match="Checkpoint"):
        MLPRegressor(callbacks=[fm.Checkpoint("c")]).fit(*DIABETES)
    model.set_params(solver="adam").fit(*DIABETES)
    assert not hasattr(model.set_params(solver="lbfgs").fit(*DIABETES), "best_loss_")


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


def test_partial_fit_goes_on_like_scikit_learn():
    options = {"random_state": 0, "batch_size": 30, "hidden_layer_sizes": (9,)}
    own, other = MLPClassifier(dtype="float64", **options), TheirClassifier(**options)
    for _ in range(8):
        own.partial_fit(*IRIS, classes=[0, 1, 2])
        other.partial_fit(*IRIS, classes=[0, 1, 2])
    np.testing.assert_allclose(own.coefs_[0], other.coefs_[0], atol=1e-6)
    np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=2e-6)


def test_warm_start_goes_on_like_scikit_learn():
    options = {"random_state": 0, "warm_start": True, "max_iter": 5, "batch_size": 30,
               "epsilon": 1e-14}  # fmt: skip
    own, other = MLPRegressor(dtype="float64", **options), TheirRegressor(**options)
    X, y = DIABETES[0][:420], DIABETES[1][:420]
    for _ in range(3):
        own.fit(X, y)
        other.fit(X, y)
    np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=2e-6)


class Interrupts:
    def on_epoch_end(self, state):
        if state.epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("warm_start", [False, True])
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(warm_start):
    model = MLPClassifier(max_iter=5, random_state=0, warm_start=warm_start).fit(*IRIS)
    before, known = model.predict_proba(IRIS[0]), sorted(vars(model))
    model.set_params(callbacks=[Interrupts()])
    with pytest.raises(KeyboardInterrupt):
        model.fit(IRIS[0][:, :] * 2, IRIS[1])
    with pytest.raises(ValueError, match="NaN"):
        model.fit(IRIS[0] * np.nan, IRIS[1])
    with pytest.raises(ValueError, match="inconsistent"):
        model.fit(IRIS[0][:, :3], IRIS[1][:-1])
    assert (model.predict_proba(IRIS[0]) == before).all()
    assert sorted(vars(model)) == known
    fresh = MLPClassifier(callbacks=[Interrupts()])
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(*IRIS)
    assert not hasattr(fresh, "classes_")


def test_a_time_budget_ends_training():
    model = MLPClassifier((200, 200), max_iter=10**6, tol=0, n_iter_no_change=np.inf,
                          time_budget=0.05, random_state=0)  # fmt: skip
    assert 1 <= model.fit(*IRIS).n_iter_ < 10**5


def test_callbacks_and_what_they_see():
    class Remember:
        def __init__(self):
            self.losses = []

        def on_epoch_end(self, state):
            self.losses.append(state.loss)
            if state.epoch == 6:
                state.stop()

    seen = Remember()
    model = MLPRegressor(callbacks=[seen], random_state=0).fit(*DIABETES)
    assert model.loss_curve_ == seen.losses
    assert model.n_iter_ == 7
    with pytest.raises(TypeError, match="on_epoch_end"):
        MLPRegressor(callbacks=[3]).fit(*DIABETES)


def test_it_warns_when_it_has_not_converged():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning, match="Maximum iterations"):
            MLPClassifier(max_iter=2, random_state=0).fit(*IRIS)


# ---- among scikit-learn's tools ----


def test_pickles_predict_the_same():
    model = MLPClassifier(random_state=0, max_iter=20).fit(*NAMES)
    twin = pickle.loads(pickle.dumps(model))
    assert (twin.predict_proba(IRIS[0]) == model.predict_proba(IRIS[0])).all()
    assert (twin.classes_ == model.classes_).all()
    twin.partial_fit(*NAMES)


def test_searches_pipelines_and_calibration():
    model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=30, random_state=0))
    assert cross_val_score(model, *IRIS, cv=3, n_jobs=2).min() > 0.6
    search = GridSearchCV(model, {"mlpclassifier__alpha": [1e-4, 1e-2]}, cv=3).fit(*IRIS)
    assert search.best_score_ > 0.8
    calibrated = CalibratedClassifierCV(MLPClassifier(max_iter=30, random_state=0), cv=3)
    assert calibrated.fit(*IRIS).score(*IRIS) > 0.8
    fitted = MLPClassifier(max_iter=60, random_state=0).fit(*IRIS)
    importance = permutation_importance(fitted, *IRIS, n_repeats=3, random_state=0)
    assert importance.importances_mean.max() > 0.05


def test_frames_keep_their_names():
    pandas = pytest.importorskip("pandas")
    names = [f"column {k}" for k in range(4)]
    frame = pandas.DataFrame(IRIS[0], columns=names)
    model = MLPClassifier(max_iter=10, random_state=0).fit(frame, pandas.Series(NAMES[1]))
    assert list(model.feature_names_in_) == names
    assert set(model.predict(frame)) <= set(NAMES[1])
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"column 0": "other"}))


def test_frames_of_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(IRIS[0], schema=list("abcd"))
    model = MLPClassifier(max_iter=10, random_state=0).fit(frame, polars.Series(IRIS[1]))
    assert list(model.feature_names_in_) == list("abcd")
    assert set(model.predict(frame)) <= {0, 1, 2}


def test_weights_are_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(max_iter=10, random_state=0).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = make_pipeline(scaler, model)
        pipe.fit(*IRIS, sample_weight=np.ones(len(IRIS[0])))


def test_weights_may_be_written():
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=5, random_state=0).fit(*DIABETES)
    model.coefs_[1][...] = 0.0
    model.intercepts_[1][...] = 2.0
    assert (model.predict(DIABETES[0]) == 2.0).all()
    assert isinstance(model.network_, fm.Sequential)
