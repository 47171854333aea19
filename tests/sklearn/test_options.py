"""The estimators' additional options, sparse tables and failures."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from scipy import sparse  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.calibration import CalibratedClassifierCV  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.metrics import mean_poisson_deviance  # noqa: E402
from sklearn.neural_network import MLPClassifier as TheirClassifier  # noqa: E402
from tests.sklearn.tables import BINARY, COUNTS, DIABETES, IRIS, MULTILABEL  # noqa: E402

import fastmlp as fm  # noqa: E402
from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*lbfgs failed to converge"),
]


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("options", [
    {"batch_size": 16}, {"batch_size": 150, "clip_norm": 0.1}, {"solver": "lbfgs"},
    {"early_stopping": True}, {"compute": "bfloat16"}])  # fmt: skip
def test_sparse_tables_give_what_dense_ones_do(kind, options, monkeypatch):
    X = np.where(np.abs(IRIS[0]) > 0.5, IRIS[0], 0.0)
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(X))
    model = MLPClassifier(random_state=0, max_iter=12, alpha=0.1, **options)
    dense = clone(model).fit(X, IRIS[1], sample_weight=weight)
    table = kind(X)
    monkeypatch.setattr(kind, "toarray", None, raising=False)
    found = clone(model).fit(table, IRIS[1], sample_weight=weight)
    for a, b in zip(dense.coefs_, found.coefs_, strict=True):
        assert (a == b).all()
    assert found.loss_curve_ == dense.loss_curve_
    assert found.validation_scores_ == dense.validation_scores_
    assert (found.predict_proba(table) == dense.predict_proba(X)).all()


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
    {"compute": "bfloat16"},
])  # fmt: skip
def test_additional_options_train(options):
    model = MLPClassifier((16,), random_state=0, learning_rate_init=0.01, max_iter=80, **options)
    model.fit(*IRIS)
    assert model.score(*IRIS) > 0.9
    assert clone(model).get_params().keys() == model.get_params().keys()


def test_products_in_bfloat16_make_the_network_float32():
    options = {"hidden_layer_sizes": (8,), "max_iter": 3, "compute": "bfloat16", "random_state": 0}
    model = MLPClassifier(**options, warm_start=True).fit(*IRIS)
    assert model.fit(*IRIS).network_.compute == "bfloat16"
    assert model.network_.dtype == np.float32
    with pytest.raises(ValueError, match="compute: got 'bfloat16' with dtype 'float64'"):
        MLPClassifier(**options, dtype="float64").fit(*IRIS)


class Counting:
    """Records how many threads an epoch may use."""

    def on_epoch_end(self, state):
        self.threads = fm.get_num_threads()


def test_threads_of_an_estimator_win_over_those_of_the_block():
    counting = Counting()
    model = MLPClassifier((4,), max_iter=1, n_threads=2, callbacks=[counting])
    with fm.threads(3):
        model.fit(*IRIS)
        assert (counting.threads, fm.get_num_threads()) == (2, 3)
        model.set_params(n_threads=None).fit(*IRIS)
        assert counting.threads == 3


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


def test_a_loss_that_is_never_finite_is_an_error():
    X, y = np.random.default_rng(0).normal(size=(1200, 3)), np.full(1200, 1e30)
    with pytest.raises(ValueError, match="no finite loss"):
        MLPRegressor(max_iter=3, random_state=0).fit(X, y)
    assert np.isfinite(MLPRegressor(max_iter=3, dtype="float64").fit(X, y).loss_)


REFUSED = [
    (MLPRegressor(solver="lbfgs", clip_norm=1.0), DIABETES, {}, "lbfgs"),
    (MLPRegressor(callbacks=[fm.Checkpoint("c")]), DIABETES, {}, "Checkpoint"),
    (MLPClassifier(label_smoothing=0.1, loss="hinge"), IRIS, {}, "label_smoothing"),
    (MLPClassifier(label_smoothing=0.1, loss=fm.CrossEntropyLoss()), IRIS, {}, "label_smoothing"),
    (MLPClassifier(activation=fm.Dropout(0.5)), IRIS, {}, "activation"),
    (MLPClassifier(activation=fm.Linear(4, 4)), IRIS, {}, "activation"),
    (MLPClassifier(class_weight={0: 2.0}), MULTILABEL, {}, "class_weight"),
    (MLPClassifier(), IRIS, {"sample_weight_val": np.ones(150)}, "X_val"),
    (MLPClassifier(dtype="float32"), (IRIS[0] * 1e39, IRIS[1]), {}, "too large"),
    (MLPClassifier((4, 0)), IRIS, {}, "hidden_layer_sizes must be > 0"),
    (MLPRegressor("poisson"), DIABETES, {}, "wants y >= 0"),
    (MLPRegressor(early_stopping=True, validation_fraction=1e-3), DIABETES, {}, "set is too small"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "data", "options", "message"), REFUSED)
def test_what_cannot_be_done_is_refused(model, data, options, message):
    with pytest.raises(ValueError, match=message):
        model.fit(*data, **options)
    assert not hasattr(model, "coefs_")


def test_predictions_of_rows_too_large_for_the_type_are_refused():
    model = MLPClassifier(dtype="float32", max_iter=3, random_state=0).fit(*IRIS)
    for rows in (IRIS[0] * 1e39, sparse.csr_matrix(IRIS[0] * 1e39)):
        with pytest.raises(ValueError, match="too large for dtype"):
            model.predict(rows)
    exact = MLPClassifier(dtype="float64", max_iter=3, random_state=0).fit(*IRIS)
    assert set(exact.predict(IRIS[0] * 1e39)) <= {0, 1, 2}


def test_rows_of_long_doubles_are_predicted_as_doubles():
    model = MLPClassifier((4,), max_iter=1, random_state=0).fit(*IRIS)
    rows = IRIS[0].astype(np.longdouble)
    assert (model.predict_proba(rows) == model.predict_proba(IRIS[0])).all()
    if np.finfo(np.longdouble).max > np.finfo(float).max:
        with np.errstate(over="ignore"), pytest.raises(ValueError, match="infinity"):
            model.predict(np.full((1, 4), np.longdouble("1e400")))


class Spoils:
    """Sets the network's first number to NaN, and records the scores."""

    def __init__(self):
        self.scores = []

    def on_epoch_end(self, state):
        self.scores.append(state.val_score)
        state.net.params[0] = np.nan


def test_a_network_that_is_no_longer_finite_is_refused():
    X, y = DIABETES
    spoils = Spoils()
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0, callbacks=[spoils])
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        model.fit(X, y, X_val=X, y_val=y)
    assert np.isnan(spoils.scores).tolist() == [False, True]
    assert not hasattr(model, "coefs_")


def test_the_validation_loss_of_counts_is_half_their_deviance():
    X, y = COUNTS
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(y))
    model = MLPRegressor("poisson", (4,), max_iter=2, random_state=0, alpha=0.0)
    model.fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)
    deviance = mean_poisson_deviance(y, model.predict(X), sample_weight=weight)
    assert model.validation_loss_curve_[-1] == pytest.approx(0.5 * deviance)


def test_a_verbose_fit_prints_each_epoch(capsys):
    options = {"hidden_layer_sizes": (4,), "random_state": 0, "verbose": True, "max_iter": 3}
    model = MLPRegressor(early_stopping=True, **options).fit(*DIABETES)
    lines = [
        line
        for k, (loss, score) in enumerate(
            zip(model.loss_curve_, model.validation_scores_, strict=True), 1
        )
        for line in (f"Iteration {k}, loss = {loss:.8f}", f"Validation score: {score:f}")
    ]
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.parametrize(("early", "what"), [
    (False, "Training loss"), (True, "Validation score")])  # fmt: skip
@pytest.mark.parametrize(("schedule", "ends"), [
    ("constant", ["Stopping."]),
    ("adaptive", ["Setting learning rate to 0.000001", "Learning rate too small. Stopping."]),
])  # fmt: skip
def test_a_verbose_fit_says_why_it_ends_like_scikit_learn(early, what, schedule, ends, capsys):
    options = {"solver": "sgd", "learning_rate": schedule, "learning_rate_init": 4e-6, "tol": 10,
               "n_iter_no_change": 1, "hidden_layer_sizes": (4,), "random_state": 0,
               "verbose": True, "early_stopping": early}  # fmt: skip
    rest = f"{what} did not improve more than tol=10.000000 for 1 consecutive epochs. "
    for kind in (MLPClassifier, TheirClassifier):
        kind(**options).fit(*IRIS)
        lines = capsys.readouterr().out.splitlines()
        assert [line for line in lines if "tol=" in line] == [rest + end for end in ends]


def test_lbfgs_tells_callbacks_and_validates():
    X, y = DIABETES
    seen = Remember()
    model = MLPRegressor(solver="lbfgs", max_iter=12, random_state=0, callbacks=[seen])
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert seen.heard == ["on_fit_start", "on_fit_ready", *["on_epoch_end"] * 12, "on_fit_end"]
    assert seen.losses == model.loss_curve_
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == 12
    assert model.validation_scores_[-1] == pytest.approx(model.score(X[1::2], y[1::2]))
    model.set_params(early_stopping=True, n_iter_no_change=3, max_iter=500, callbacks=None)
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert model.n_iter_ < 500
    assert model.score(X[1::2], y[1::2]) == pytest.approx(model.best_validation_score_)


def test_lbfgs_leaves_nothing_of_other_solvers():
    model = MLPRegressor(max_iter=5, random_state=0).fit(*DIABETES)
    assert not hasattr(model.set_params(solver="lbfgs").fit(*DIABETES), "best_loss_")


@pytest.mark.parametrize("limit", [{"max_iter": 3}, {"max_fun": 5}])
def test_lbfgs_says_that_it_has_not_converged(limit):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning, match="lbfgs failed to converge"):
            MLPRegressor(solver="lbfgs", random_state=0, **limit).fit(*DIABETES)


class Remember:
    """Records its calls, and stops the fit in its seventh epoch on request."""

    def __init__(self, stops=False):
        self.stops, self.losses, self.rates, self.heard = stops, [], [], []

    def __getattr__(self, name):
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda state: self.heard.append(name)

    def on_epoch_end(self, state):
        self.heard.append("on_epoch_end")
        self.losses.append(state.loss)
        self.rates.append(state.lr)
        assert self in state.callbacks
        if self.stops and state.epoch == 6:
            state.stop()

    def after_epoch_end(self, state):
        assert self.heard[-1] == "on_epoch_end"


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


def test_callbacks_receive_the_state_of_the_fit():
    seen = Remember(stops=True)
    model = MLPRegressor(callbacks=[seen], random_state=0).fit(*DIABETES)
    assert model.loss_curve_ == seen.losses
    assert model.n_iter_ == 7
    assert seen.heard == ["on_fit_start", "on_fit_ready", *["on_epoch_end"] * 7, "on_fit_end"]
    for solver in ("adam", "lbfgs"):
        with pytest.raises(TypeError, match="on_epoch_end"):
            MLPRegressor(callbacks=[3], solver=solver).fit(*DIABETES)


def test_every_callback_is_told_of_the_end_even_if_one_raises():
    class Fails:
        def on_epoch_end(self, state):
            raise RuntimeError("no")

        on_fit_end = on_epoch_end

    seen = Remember()
    with pytest.raises(RuntimeError, match="no"):
        MLPRegressor(callbacks=[Fails(), seen]).fit(*DIABETES)
    assert seen.heard[-1] == "on_fit_end"


@pytest.mark.parametrize("schedule", ["constant", "invscaling", "adaptive"])
def test_callbacks_may_set_the_rate(schedule):
    class Halves:
        def on_epoch_end(self, state):
            if state.epoch == 2:
                state.trainer.lr /= 2

    options = {"solver": "sgd", "learning_rate": schedule, "max_iter": 6, "random_state": 0,
               "power_t": 0.1}  # fmt: skip
    usual, halved = Remember(), Remember()
    MLPClassifier(callbacks=[usual], **options).fit(*IRIS)
    MLPClassifier(callbacks=[halved, Halves()], **options).fit(*IRIS)
    assert halved.rates[:3] == usual.rates[:3]
    assert halved.rates[3:] == pytest.approx([rate / 2 for rate in usual.rates[3:]])
    assert halved.losses[-1] != usual.losses[-1]


def test_an_unconverged_fit_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning, match="Maximum iterations"):
            MLPClassifier(max_iter=2, random_state=0).fit(*IRIS)
