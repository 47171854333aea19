"""The estimators: scikit-learn's own checks, and its results."""

from __future__ import annotations

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from sklearn.neural_network import MLPClassifier as TheirClassifier  # noqa: E402
from sklearn.neural_network import MLPRegressor as TheirRegressor  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402
from tests.sklearn.tables import BINARY, COUNTS, DIABETES, IRIS, MULTILABEL, NAMES, TWO_OUTPUTS  # noqa: E402

from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*lbfgs failed to converge"),
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)])  # as it does
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("ours", "theirs"), [
    (MLPClassifier, TheirClassifier), (MLPRegressor, TheirRegressor)])  # fmt: skip
def test_every_parameter_has_its_default(ours, theirs):
    own, other = ours().get_params(), theirs().get_params()
    assert {name: own[name] for name in other} == other


PROBLEMS = {
    "multiclass": (MLPClassifier, TheirClassifier, IRIS, {}),
    "names": (MLPClassifier, TheirClassifier, NAMES, {}),
    "binary": (MLPClassifier, TheirClassifier, BINARY, {}),
    "multilabel": (MLPClassifier, TheirClassifier, MULTILABEL, {}),
    "regression": (MLPRegressor, TheirRegressor, DIABETES, {}),
    "poisson": (MLPRegressor, TheirRegressor, COUNTS, {"loss": "poisson"}),
}
SOLVERS = {
    "full batch, adam": {"batch_size": 10**6, "shuffle": False},
    "adam": {"batch_size": 50},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.01, "batch_size": 50},
    "sgd, invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
    "sgd, adaptive": {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.01,
                      "tol": 1e-2, "n_iter_no_change": 2},
    "sgd, adaptive, plain momentum": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.5,
                                      "n_iter_no_change": 1, "nesterovs_momentum": False},
    "logistic": {"activation": "logistic", "alpha": 0.1},
    "adam, large epsilon": {"epsilon": 0.1, "batch_size": 50},
    "tanh, two layers": {"activation": "tanh", "hidden_layer_sizes": (8, 5), "alpha": 1.0},
    "lbfgs": {"solver": "lbfgs", "max_iter": 15},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Got `batch_size`")
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_training_is_that_of_scikit_learn(problem, solver):
    """With the same first weights and batches, the losses are equal up to rounding."""
    ours, theirs, (X, y), options = PROBLEMS[problem]
    options = {"hidden_layer_sizes": (10,), "max_iter": 20, "random_state": 1, **options}
    options |= SOLVERS[solver]
    # The last batch is smaller, and its penalty has more weight.
    X, y = X[:110], y[:110]
    own, other = ours(dtype="float64", **options).fit(X, y), theirs(**options).fit(X, y)
    if options.get("solver") == "lbfgs":
        assert own.loss_ == pytest.approx(other.loss_, rel=1e-4)
        return
    np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=1e-9)
    for a, b in zip(own.coefs_ + own.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert own.n_iter_ == other.n_iter_
    assert own.t_ == other.t_
    assert own.best_loss_ == pytest.approx(other.best_loss_, rel=1e-9)
    assert own.out_activation_ == other.out_activation_
    assert (own.n_layers_, own.n_outputs_) == (other.n_layers_, other.n_outputs_)
    if hasattr(other, "predict_proba"):
        np.testing.assert_allclose(own.predict_proba(X), other.predict_proba(X), atol=1e-5)
        logs = np.exp(own.predict_log_proba(X))
        np.testing.assert_allclose(logs, own.predict_proba(X), rtol=1e-12)
        assert (own.predict(X) == other.predict(X)).mean() > 0.98
    else:
        np.testing.assert_allclose(own.predict(X), other.predict(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("data", [IRIS, BINARY, MULTILABEL])
def test_early_stopping_is_that_of_scikit_learn(data):
    options = {"early_stopping": True, "random_state": 3, "max_iter": 60, "n_iter_no_change": 4}
    own = MLPClassifier(dtype="float64", **options).fit(*data)
    other = TheirClassifier(**options).fit(*data)
    assert own.validation_scores_ == pytest.approx(other.validation_scores_)
    assert own.best_validation_score_ == pytest.approx(other.best_validation_score_)
    assert own.best_loss_ is None
    np.testing.assert_allclose(own.coefs_[0], other.coefs_[0], atol=1e-5)
    assert len(own.validation_loss_curve_) == own.n_iter_


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_sample_weights_are_those_of_scikit_learn(problem, solver):
    ours, theirs, (X, y), options = PROBLEMS[problem]
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(X)) * (np.arange(len(X)) % 7 > 0)
    options = {"random_state": 0, "max_iter": 10, "batch_size": 40, "alpha": 0.5, **options,
               "solver": solver}  # fmt: skip
    own = ours(dtype="float64", **options).fit(X, y, sample_weight=weight)
    other = theirs(**options).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(own.coefs_[1], other.coefs_[1], atol=1e-6)


def test_several_outputs():
    options = {"random_state": 0, "max_iter": 30, "batch_size": 100}
    own = MLPRegressor(dtype="float64", **options).fit(*TWO_OUTPUTS)
    other = TheirRegressor(**options).fit(*TWO_OUTPUTS)
    np.testing.assert_allclose(own.coefs_[1], other.coefs_[1], atol=1e-5)
    np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=1e-9)
    assert own.best_loss_ == pytest.approx(other.best_loss_)
    assert own.predict(TWO_OUTPUTS[0]).shape == TWO_OUTPUTS[1].shape
