"""The estimators for tables: scikit-learn's checks, its tools, and frames of all kinds."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

import pandas as pd
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.houses import houses

from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.io import ModelFileError
from fastmlp.tabular import MLP, ReadOptions, TableError, TabularClassifier, TabularRegressor
from fastmlp.tabular.reading import frame_of

HOUSES = houses()
X, GRADE, PRICE = HOUSES[["size", "city", "country"]], HOUSES["grade"], HOUSES["price"]
QUICK = MLP(hidden=(16,), epochs=8, lr=0.01)

# Which rows are held out, and the order of batches, depend on the number of rows.
WEIGHTS = {
    "check_sample_weight_equivalence_on_dense_data": "weights are not the same as repeated rows"
}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [TabularClassifier("mlp", n_members=1), TabularRegressor("mlp", n_members=1)],
    expected_failed_checks=lambda estimator: WEIGHTS,
)
def test_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


def test_frames_of_all_kinds_give_the_same_bits() -> None:
    import pyarrow as pa

    model = TabularClassifier(QUICK).fit(X, GRADE)
    expected = model.predict_proba(X)
    assert model.score(X, GRADE) > 0.85
    assert model.classes_.tolist() == ["cheap", "dear"]
    assert model.feature_names_in_.tolist() == ["size", "city", "country"]
    frames = [pa.Table.from_pandas(X), X.to_dict("list"), X[["country", "city", "size"]]]
    try:
        import polars as pl
    except ModuleNotFoundError:
        pass
    else:
        frames.append(pl.from_pandas(X))
    for frame in frames:
        np.testing.assert_array_equal(model.predict_proba(frame), expected)
        again = TabularClassifier(QUICK).fit(frame, GRADE)
        if not isinstance(frame, pd.DataFrame):
            np.testing.assert_array_equal(again.predict_proba(X), expected)


def test_columns_of_any_kind() -> None:
    frame = pd.DataFrame({
        "when": pd.date_range("2020-01-01", periods=120, freq="12h"),
        "kind": pd.Categorical(["a", "b", None, "c"] * 30),
        "flag": [True, False] * 60,
        "number": np.arange(120.0),
        "words": ["one two", "two three", None] * 40,
        "nothing": [None] * 120,
    })  # fmt: skip
    y = np.arange(120) % 2
    model = TabularClassifier(QUICK).fit(frame, y)
    assert model.score(frame, y) > 0.9
    assert "nothing" in model.model_.reader.left_out


@pytest.mark.parametrize("members", [1, 3])
def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(members: int) -> None:
    found = [
        TabularClassifier(QUICK, n_members=members, n_threads=threads, random_state=3)
        .fit(X, GRADE)
        .predict_proba(X)
        for threads in (1, 2, 5)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    other = TabularClassifier(QUICK, n_members=members, random_state=4).fit(X, GRADE)
    assert (other.predict_proba(X) != found[0]).any()


def test_a_given_validation_set_is_the_only_one() -> None:
    late = houses(100, seed=5)
    model = TabularClassifier(QUICK, n_members=2)
    model.fit(X, GRADE, X_val=late[["size", "city", "country"]], y_val=late["grade"])
    training = model.model_.training
    assert (training["rows"], training["held_out_rows"]) == (300, 100)
    with pytest.raises(ValueError, match="X_val and y_val go together"):
        model.fit(X, GRADE, X_val=X)
    with pytest.raises(ValueError, match="y_val has the class 'huge', which y has not"):
        model.fit(X, GRADE, X_val=X, y_val=["huge"] * 300)


def test_rows_of_weight_0_are_as_if_they_were_not_there() -> None:
    weights = np.repeat([1.0, 0.0], 150)
    first = TabularRegressor(QUICK).fit(X, PRICE, sample_weight=weights)
    second = TabularRegressor(QUICK).fit(X[:150], PRICE[:150], sample_weight=np.ones(150))
    np.testing.assert_array_equal(first.predict(X), second.predict(X))


def imbalanced() -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of which 4 % are positive, and those hardly ever for sure."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 3))
    chance = 1 / (1 + np.exp(5.5 - 2 * x[:, 0] - x[:, 1]))
    return pd.DataFrame(x, columns=list("abc")), (rng.uniform(size=1500) < chance).astype(int)


def test_imbalanced_classes() -> None:
    frame, y = imbalanced()
    assert 0.02 < y.mean() < 0.12
    options: dict[str, Any] = {"model": QUICK, "random_state": 1}
    plain = TabularClassifier(**options).fit(frame, y)
    by_f1 = TabularClassifier(metric="f1", **options).fit(frame, y)
    balanced = TabularClassifier(class_weight="balanced", **options).fit(frame, y)
    assert plain.model_.threshold == 0.5
    assert by_f1.model_.threshold != 0.5
    report = by_f1.report()
    assert report.scores["F1"] > plain.report().scores["F1"]
    assert plain.score(frame, y) >= 1 - y.mean()
    assert balanced.predict_proba(frame)[:, 1].mean() > 3 * y.mean()
    same = TabularClassifier(class_weight={0: 1.0, 1: 1.0}, **options).fit(frame, y)
    # Equal weights are weights nevertheless: the values agree, the bits need not.
    np.testing.assert_allclose(same.predict_proba(frame), plain.predict_proba(frame), atol=0.05)


def test_calibration_lowers_the_log_loss_of_held_out_rows() -> None:
    frame, y = imbalanced()
    model = MLP(hidden=(64,), epochs=60, lr=0.02, waits=60)
    losses = [
        TabularClassifier(model, calibrate=calibrate).fit(frame, y).report().scores["log loss"]
        for calibrate in (False, True)
    ]
    assert losses[1] <= losses[0]


def test_a_time_budget_ends_a_long_training() -> None:
    long = MLP(hidden=(64, 64), epochs=100_000, waits=100_000)
    model = TabularRegressor(long, n_members=3, time_budget=1.0, n_threads=1).fit(X, PRICE)
    assert 1 <= len(model.model_.members) <= 3
    assert all(epochs < 50_000 for epochs in model.model_.training["epochs"])


def test_files_and_pickles_hold_the_fitted_estimator(tmp_path: Any) -> None:
    path = tmp_path / "m.safetensors"
    numbered = (GRADE == "dear").to_numpy().astype(np.int64) + 5
    model = TabularClassifier(QUICK).fit(X, numbered)
    model.save(path)
    loaded = TabularClassifier.load(path)
    assert loaded.classes_.tolist() == [5, 6]
    for other in (loaded, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
    with pytest.raises(ArgumentError, match="got a model of classes"):
        TabularRegressor.load(path)
    with pytest.raises(NotFittedError):
        TabularClassifier().save(path)
    (tmp_path / "bad").write_bytes(b"bad")
    with pytest.raises(ModelFileError):
        TabularClassifier.load(tmp_path / "bad")


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_tools_of_scikit_learn() -> None:
    grid = {"model": [QUICK, MLP(hidden=(4,), epochs=2)], "n_members": [1, 2]}
    search = GridSearchCV(TabularClassifier(), grid, cv=2, scoring="roc_auc").fit(X, GRADE)
    assert search.best_params_["model"] == QUICK
    best = search.best_estimator_
    means = permutation_importance(best, X, GRADE, n_repeats=2, random_state=0).importances_mean
    assert means[0] > 0.2 > means[2] == 0
    calibrated = CalibratedClassifierCV(clone(best), cv=2).fit(X, GRADE)
    assert calibrated.score(X, GRADE) > 0.85
    scaling = ColumnTransformer([("s", StandardScaler(), ["size"])], remainder="passthrough")
    pipeline = make_pipeline(scaling, TabularRegressor(QUICK)).fit(X, PRICE)
    assert pipeline.score(X, PRICE) > 0.5


def test_options_of_reading() -> None:
    frame = pd.DataFrame({"code": ["1", "2", "3"] * 40, "size": np.arange(120.0)})
    options = ReadOptions(kinds={"code": "categorical"}, drop=("size",))
    model = TabularRegressor(QUICK, options=options).fit(frame, np.arange(120) % 3)
    assert [rule.kind for rule in model.model_.reader.rules] == ["categorical"]
    with pytest.raises(TableError, match="`drop`: a column is missing: 'sise'"):
        TabularRegressor(QUICK, options=ReadOptions(drop=("sise",))).fit(frame, np.arange(120))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "tree"}, "model: got 'tree'; want one of mlp"),
        ({"model": MLP}, "model: got <class"),
        ({"preset": "slow"}, "preset: got 'slow'; want"),
        ({"n_members": 0}, "n_members: got 0; want 1 to"),
        ({"time_budget": 0}, "time_budget: got 0.0; want"),
        ({"metric": "rmse"}, "metric: got 'rmse'; want one of log_loss"),
        ({"class_weight": "even"}, "class_weight: got 'even'; want None"),
        ({"class_weight": 3}, "class_weight: got 3; want None"),
        ({"class_weight": {"big": 2.0}}, "class_weight: got the class 'big'; want one of"),
        ({"threshold": 2}, "threshold: got 2.0; want"),
        ({"threshold": "high"}, "threshold: got 'high'; want 'auto'"),
        ({"random_state": "x"}, "random_state: "),
        ({"random_state": -1}, "seed: got -1; want"),
        ({"n_threads": 0}, "n_threads: got 0; want"),
        ({"compute": "float16"}, "compute: got 'float16'; want"),
        ({"options": {"drop": "size"}}, "options: got {'drop': 'size'}; want ReadOptions"),
    ],
)
def test_unfit_parameters_are_refused_by_fit(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ArgumentError, ArgumentTypeError), match=f"^{words}"):
        TabularClassifier(**options).fit(X, GRADE)


def test_members_in_threads_leave_the_filters_of_warnings_as_they_were() -> None:
    before = list(warnings.filters)
    for _ in range(3):
        TabularClassifier(QUICK, n_members=4, n_threads=4).fit(X, GRADE)
    assert list(warnings.filters) == before


def test_a_failed_fit_leaves_the_estimator_as_it_was() -> None:
    model = TabularClassifier(QUICK).fit(X, GRADE)
    expected = model.predict_proba(X)
    with pytest.raises(ValueError, match="one class only"):
        model.fit(X, ["dear"] * 300)
    np.testing.assert_array_equal(model.predict_proba(X), expected)


@pytest.mark.parametrize(
    ("estimator", "fit", "words"),
    [
        (
            TabularRegressor,
            {"sample_weight": np.where(PRICE[3] < PRICE, 1.0, -2.0)},
            "got -2 in row",
        ),
        (TabularRegressor, {"sample_weight": np.arange(300) == 7}, "got one weight above 0"),
        (TabularRegressor, {"y": pd.date_range("2020", periods=300)}, "y: got dates or durations"),
        (TabularClassifier, {"y": ["cheap", None] * 150}, "y: got None in row 1; want a label"),
        (TabularClassifier, {"y": np.ones(300)}, "one class only: 1.0"),
        (TabularRegressor, {"X": {"size": set(range(300))}}, "the column 'size' is"),
    ],
)
def test_rows_that_are_refused(estimator: Any, fit: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        estimator(QUICK).fit(**{"X": X, "y": PRICE, **fit})


def test_equal_targets_are_predicted_exactly() -> None:
    model = TabularRegressor(QUICK).fit(X, np.full(300, 0.1))
    assert set(model.predict(X).tolist()) == {0.1}


def test_large_weights_are_as_good_as_others() -> None:
    weights = np.arange(1.0, 301.0)
    models = [TabularRegressor(QUICK).fit(X, PRICE, w) for w in (weights, weights * 1e305)]
    np.testing.assert_allclose(*[model.predict(X) for model in models], rtol=1e-4)


def test_masked_values_are_missing() -> None:
    values = np.ma.masked_greater(np.arange(600.0).reshape(300, 2), 500)
    model = TabularRegressor(QUICK).fit(values, PRICE)
    filled = values.filled(np.nan)
    np.testing.assert_array_equal(model.predict(values), model.predict(filled))
    np.testing.assert_array_equal(
        model.predict(values), TabularRegressor(QUICK).fit(filled, PRICE).predict(filled)
    )
    assert frame_of({"a": np.ma.masked_equal([1, 2, 3], 2)}).column("a").null_count == 1
