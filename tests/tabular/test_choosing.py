"""What is chosen on held-out rows: temperature, threshold and weights of an ensemble."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastmlp.tabular.calibration import fit_temperature, temper
from fastmlp.tabular.ensembling import select_weights
from fastmlp.tabular.fitting import Data
from fastmlp.tabular.models import MLP, RealMLP, TabM
from fastmlp.tabular.presets import FEWEST_EPOCHS, PRESETS, plan_of
from fastmlp.tabular.scores import METRICS, log_loss
from fastmlp.tabular.settings import Settings
from fastmlp.tabular.thresholds import choose_threshold


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def drawn(rows: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and classes drawn with their probabilities."""
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, (rows, classes))
    shares = softmax(scores).cumsum(axis=1)
    return scores, (rng.uniform(size=(rows, 1)) > shares).sum(axis=1)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_the_temperature_of_drawn_classes_is_found(classes: int, factor: float) -> None:
    scores, true = drawn(4000, classes)
    outputs = softmax(scores * factor)
    temperature = fit_temperature(true, outputs)
    assert temperature == pytest.approx(factor, rel=0.1)
    cooled = temper(outputs, temperature)
    np.testing.assert_allclose(cooled.sum(axis=1), 1)
    np.testing.assert_array_equal(cooled.argmax(axis=1), outputs.argmax(axis=1))
    assert log_loss(true, cooled) <= log_loss(true, outputs)
    # No neighbour is better, but for the prior.
    for other in (temperature * 0.95, temperature * 1.05):
        assert log_loss(true, cooled) < log_loss(true, temper(outputs, other)) + 1e-4


def test_weights_of_rows_count_in_the_temperature() -> None:
    scores, true = drawn(600, 3)
    outputs = softmax(scores * 3)
    weights = np.repeat([0.0, 2.0], 300)
    assert fit_temperature(true, outputs, weights) != fit_temperature(true, outputs)
    first = fit_temperature(true[300:], outputs[300:])
    # The prior weighs less beside 600 rows.
    assert fit_temperature(true, outputs, weights) == pytest.approx(first, rel=0.05)


def test_few_rows_and_sure_rows_keep_the_temperature_near_1() -> None:
    sure = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert 0.3 < fit_temperature(np.array([0, 1]), sure) <= 1.0
    assert fit_temperature(np.array([], dtype=int), np.empty((0, 2))) == 1.0
    assert temper(sure, 1.0) is sure


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy", "accuracy"])
@pytest.mark.parametrize("positive", [0, 1])
def test_no_other_threshold_is_better(name: str, positive: int) -> None:
    rng = np.random.default_rng(1)
    true = (rng.uniform(size=150) < 0.1).astype(int)
    chance = np.clip(0.1 + 0.25 * true + rng.normal(0, 0.1, 150), 0.001, 0.999)
    outputs = np.column_stack([1 - chance, chance])
    metric = METRICS[name]
    chosen = choose_threshold(metric, true, outputs, None, positive)
    best = metric.of(true, outputs, None, positive, chosen)
    tried = [metric.of(true, outputs, None, positive, t) for t in np.linspace(0, 1, 1001)]
    assert best >= max(tried)
    assert best > metric.of(true, outputs, None, positive, 0.5) or chosen == 0.5


def test_one_half_is_kept_if_nothing_is_better() -> None:
    outputs = np.array([[0.9, 0.1], [0.2, 0.8]])
    for rows in (outputs, outputs[:1], outputs[[0, 0]]):
        true = rows.argmax(axis=1)
        assert choose_threshold(METRICS["accuracy"], true, rows, None, 1) == 0.5


def test_an_ensemble_is_at_least_as_good_as_its_best_member() -> None:
    rng = np.random.default_rng(2)
    true = rng.normal(size=500)
    members = [true + rng.normal(0, s, 500) for s in (1.0, 1.1, 3.0)]
    metric = METRICS["rmse"]
    weights = select_weights(members, metric, true)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] >= weights[1] > weights[2]
    mixed = sum(w * m for w, m in zip(weights, members, strict=True))
    single = [metric.of(true, m, None, 1, 0.5) for m in members]
    assert metric.of(true, mixed, None, 1, 0.5) < min(single)


def test_a_member_that_diverged_has_no_weight() -> None:
    true = np.array([0, 1, 0, 1])
    good, bad = np.eye(2)[true] * 0.8 + 0.1, np.full((4, 2), np.nan)
    assert select_weights([bad, good], METRICS["log_loss"], true).tolist() == [0, 1]
    assert select_weights([bad], METRICS["log_loss"], true).tolist() == [1]
    assert select_weights([bad, bad], METRICS["log_loss"], true).tolist() == [0.5, 0.5]


def test_presets_train_less_on_more_rows() -> None:
    def epochs(preset: str, rows: int, classes: int) -> list[int]:
        plan = plan_of(Settings(preset=preset), rows, classes)
        return [model.epochs for model in plan.models]  # type: ignore[attr-defined]

    for preset, plan in PRESETS.items():
        assert epochs(preset, 500, 2) == [model.epochs for model in plan.models]  # type: ignore[attr-defined]
        assert epochs(preset, 30_000, 3) > epochs(preset, 30_000, 2)
        assert set(epochs(preset, 10**8, 0)) == {FEWEST_EPOCHS}


def test_a_given_model_overrules_the_preset() -> None:
    given = TabM(members=2)
    assert plan_of(Settings(model=given), 10**6, 2).models == (given,)
    plan = plan_of(Settings(model="realmlp", preset="fast", n_members=3), 100, 2)
    of_fast = [model for model in PRESETS["fast"].models if isinstance(model, RealMLP)]
    assert (list(plan.models), plan.members) == (of_fast, 3)
    assert plan_of(Settings(model="mlp"), 100, 2).models == (MLP(),)


def test_an_epoch_is_judged_by_its_calibrated_log_loss() -> None:
    scores, true = drawn(2000, 3)
    none: Any = [None] * 8
    plain = Data(*none, METRICS["log_loss"], 1, calibrate=False, rows=2000)
    calibrated = replace(plain, calibrate=True)
    rows = np.arange(2000)
    sure, unsure = softmax(5 * scores), softmax(scores)
    loss = plain.loss_of(rows)
    assert loss(true, sure) > 1.5 * loss(true, unsure)
    loss = calibrated.loss_of(rows)
    assert loss(true, sure) == pytest.approx(loss(true, unsure), rel=1e-3)
    assert np.isnan(loss(true, np.full_like(sure, np.nan)))
