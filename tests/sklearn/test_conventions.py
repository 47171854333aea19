"""Dtypes, messages and maxima as in scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from sklearn.neural_network import MLPClassifier as TheirClassifier  # noqa: E402
from tests.sklearn.tables import BINARY, IRIS, MULTILABEL  # noqa: E402

from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_a_class_with_too_few_members_is_named_as_the_user_does():
    X = IRIS[0][:60]
    y = np.array(["common"] * 59 + ["rare"])
    with pytest.raises(ValueError, match=r"too few.*\['rare'\]"):
        MLPClassifier(early_stopping=True).fit(X, y)
    with pytest.raises(ValueError, match=r"too few.*\[70\]"):
        MLPClassifier(early_stopping=True).fit(X, np.where(y == "rare", 70, 10))


@pytest.mark.parametrize(
    ("rows", "given", "options", "wanted"),
    [
        (150, "float32", {}, "float32"),
        (150, "float64", {}, "float64"),
        (150, "float32", {"solver": "lbfgs"}, "float64"),
        (150, "float32", {"dtype": "float64"}, "float64"),
        (1200, "float32", {}, "float32"),
        (1200, "float64", {}, "float32"),
        (1200, "int64", {}, "float32"),
    ],
)
def test_the_float_type_follows_the_table(rows, given, options, wanted):
    X = np.resize(IRIS[0], (rows, 4)).astype(given)
    y = np.resize(IRIS[1], rows)
    model = MLPClassifier(max_iter=2, random_state=0, **options).fit(X, y)
    assert model.network_.dtype == wanted
    assert {w.dtype.name for w in [*model.coefs_, *model.intercepts_]} == {wanted}
    if "dtype" not in options and rows < 1000 and "solver" not in options:
        theirs = TheirClassifier(max_iter=2, random_state=0).fit(X, y)
        assert theirs.coefs_[0].dtype == wanted
    assert MLPRegressor(max_iter=2, **options).fit(X, y).network_.dtype == wanted


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("data", [BINARY, IRIS, MULTILABEL])
def test_probabilities_and_their_logarithms_have_one_maximum(data, dtype):
    """Even if the scores are so large that probabilities round to 1."""
    X, y = data
    model = MLPClassifier(max_iter=3, random_state=0, dtype=dtype).fit(X, y)
    weights = model.coefs_[-1].copy()
    for factor in (1.0, 10.0, 30.0, 100.0, 1000.0):
        model.coefs_[-1][...] = weights * factor
        model.intercepts_[-1][...] = 30.0 + 8.0 * np.arange(len(model.intercepts_[-1]))
        found, logs = model.predict_proba(X), model.predict_log_proba(X)
        assert found.dtype == logs.dtype == np.float64
        assert np.array_equal(found.argmax(axis=1), logs.argmax(axis=1))
        np.testing.assert_allclose(np.exp(logs), found, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("options", [
    {"learning_rate_init": 1e30, "solver": "sgd", "max_iter": 5},
    {"learning_rate_init": 1e30, "solver": "sgd", "max_iter": 5, "dtype": "float32"},
    {"learning_rate_init": 1e300, "solver": "sgd", "max_iter": 5, "activation": "identity"},
])  # fmt: skip
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_weights_that_are_not_finite_have_scikit_learns_message(estimator, options):
    model = estimator(random_state=0, **options)
    with pytest.raises(ValueError, match=r"^Solver produced non-finite parameter weights"):
        model.fit(IRIS[0] * 1e30, IRIS[1])
