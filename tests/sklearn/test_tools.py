"""The estimators in scikit-learn's tools: searches, pipelines, frames, routing."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from joblib import Parallel, delayed  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.calibration import CalibratedClassifierCV  # noqa: E402
from sklearn.inspection import permutation_importance  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.multiclass import OneVsRestClassifier  # noqa: E402
from sklearn.multioutput import MultiOutputClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from tests.sklearn.tables import DIABETES, IRIS, NAMES  # noqa: E402

import fastmlp as fm  # noqa: E402
from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*lbfgs failed to converge"),
]


def test_pickles_predict_the_same():
    model = MLPClassifier(random_state=0, max_iter=20).fit(*NAMES)
    other = pickle.loads(pickle.dumps(model))
    assert (other.predict_proba(IRIS[0]) == model.predict_proba(IRIS[0])).all()
    assert (other.classes_ == model.classes_).all()
    other.partial_fit(*NAMES)


def test_infinity_is_refused_in_every_type():
    """scikit-learn's own check looks only for NaN in a list of objects."""
    X = [[Decimal(value) for value in row] for row in IRIS[0].tolist()]
    model = MLPClassifier(random_state=0, max_iter=2).fit(X, IRIS[1])
    assert (model.predict(X) == model.predict(IRIS[0])).all()
    X[3][1] = Decimal("inf")
    for call in (model.predict, model.predict_proba, lambda X: model.fit(X, IRIS[1])):
        with pytest.raises(ValueError, match="infinity"):
            call(X)


@pytest.mark.parametrize("weight", [1 + 1j, [1j] * len(IRIS[1])])
def test_complex_weights_are_refused(weight):
    """A single one was used without its imaginary part."""
    with pytest.raises(ValueError, match=r"sample_weight: got .*want real"):
        MLPClassifier(max_iter=2).fit(*IRIS, sample_weight=weight)
    held_out = {"X_val": IRIS[0], "y_val": IRIS[1], "sample_weight_val": weight}
    with pytest.raises(ValueError, match=r"sample_weight_val: got .*want real"):
        MLPClassifier(max_iter=2).fit(*IRIS, **held_out)


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


def test_copies_and_other_metaestimators():
    model = MLPClassifier((8,), fm.ELU(0.5), max_iter=30, learning_rate_init=0.02, random_state=0)
    fitted = clone(model).fit(*IRIS)
    other = copy.deepcopy(fitted)
    other.coefs_[0][...] = 0.0
    assert (fitted.predict_proba(IRIS[0]) == clone(model).fit(*IRIS).predict_proba(IRIS[0])).all()
    rest = OneVsRestClassifier(model).fit(*IRIS)
    assert rest.score(*IRIS) > 0.8
    both = MultiOutputClassifier(model).fit(IRIS[0], np.column_stack([IRIS[1], IRIS[1] > 0]))
    assert both.predict(IRIS[0]).shape == (150, 2)
    grid = {"activation": [fm.GELU(), fm.LeakyReLU(0.2), "tanh"]}
    assert GridSearchCV(model, grid, cv=3, n_jobs=2).fit(*IRIS).best_score_ > 0.6
    many = Parallel(n_jobs=2)(delayed(clone(model).fit)(*IRIS) for _ in range(3))
    assert all((one.coefs_[0] == fitted.coefs_[0]).all() for one in many)


def test_frames_keep_their_names():
    pandas = pytest.importorskip("pandas")
    names = [f"column {k}" for k in range(4)]
    frame = pandas.DataFrame(IRIS[0], columns=names)
    model = MLPClassifier(max_iter=10, random_state=0).fit(frame, pandas.Series(NAMES[1]))
    assert list(model.feature_names_in_) == names
    assert set(model.predict(frame)) <= set(NAMES[1])
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"column 0": "other"}))


def test_frames_come_from_the_steps_before():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(IRIS[0], columns=list("abcd"))
    model = MLPClassifier(max_iter=10, random_state=0)
    pipe = make_pipeline(StandardScaler(), model).set_output(transform="pandas")
    pipe.fit(frame, IRIS[1])
    assert list(pipe[-1].feature_names_in_) == list("abcd")
    assert set(pipe.predict(frame)) <= {0, 1, 2}


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
        model = MLPClassifier(max_iter=10, random_state=0).set_fit_request(X_val=True, y_val=True)
        pipe = make_pipeline(scaler, model, transform_input=["X_val"])
        pipe.fit(*IRIS, X_val=IRIS[0][::3], y_val=IRIS[1][::3])
        assert len(pipe[-1].validation_scores_) == pipe[-1].n_iter_
        own = pipe[-1].score(StandardScaler().fit(IRIS[0]).transform(IRIS[0][::3]), IRIS[1][::3])
        assert pipe[-1].validation_scores_[-1] == own


def test_weights_may_be_written():
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=5, random_state=0).fit(*DIABETES)
    model.coefs_[1][...] = 0.0
    model.intercepts_[1][...] = 2.0
    assert (model.predict(DIABETES[0]) == 2.0).all()
    assert isinstance(model.network_, fm.Sequential)
