"""The reference's losses and penalties: gradients against differences, weights, extreme scores."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from tests.reference.problems import (
    COLUMNS,
    LOSS_PARAMS,
    OTHER_LOSSES,
    ROWS,
    make_target,
    other_problem,
)

from fastmlp import reference as ref


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("name", "params", "probabilities"),
    [(*row, False) for row in LOSS_PARAMS]
    + [(*row, True) for row in LOSS_PARAMS if row[0] == "CrossEntropyLoss"],
)
def test_loss_gradient_equals_central_differences(
    name, params, probabilities, weighted, reduction, rng
):
    loss = ref.LOSSES[name](*params, reduction=reduction)
    scores = rng.normal(size=(ROWS, COLUMNS))
    target = make_target(loss, rng, probabilities)
    weight = rng.uniform(0.1, 2.0, size=ROWS) if weighted else None
    loss.forward(scores, target, weight)
    gradient = loss.backward()
    differences = ref.central_difference(lambda: loss.forward(scores, target, weight), scores)
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("row", OTHER_LOSSES, ids=lambda row: f"{row[0]}{row[1] or ''}")
def test_other_losses_equal_central_differences(row, rng):
    loss, scores, target = other_problem(row, rng)
    for weight in (None, rng.uniform(0.1, 2.0, size=ROWS)):
        loss.forward(scores, target, weight)
        gradient = loss.backward()
        # Bound by default arguments, because the loop changes the weight.
        value = lambda weight=weight: loss.forward(scores, target, weight)  # noqa: E731
        np.testing.assert_allclose(gradient, ref.central_difference(value, scores), 1e-6, 1e-8)


@pytest.mark.parametrize("row", OTHER_LOSSES, ids=lambda row: f"{row[0]}{row[1] or ''}")
def test_other_losses_count_rows_by_their_weights(row, rng):
    loss, scores, target = other_problem(row, rng)
    repeats = np.array([1, 3, 0, 2, 1])
    rows = np.repeat(np.arange(ROWS), repeats)
    expected = loss.forward(scores[rows], target[rows])
    np.testing.assert_allclose(loss.forward(scores, target, repeats), expected)
    assert loss.forward(scores, target, np.zeros(ROWS)) == 0.0
    assert not loss.backward().any()
    scores[1] = np.nan
    assert np.isnan(loss.forward(scores, target))


@pytest.mark.parametrize(("name", "params"), LOSS_PARAMS)
def test_an_integer_weight_is_a_repeated_row(name, params, rng):
    scores, repeats = rng.normal(size=(ROWS, COLUMNS)), np.array([1, 3, 0, 2, 1])
    for reduction in ("mean", "sum"):
        loss = ref.LOSSES[name](*params, reduction=reduction)
        target = make_target(loss, rng)
        rows = np.repeat(np.arange(ROWS), repeats)
        np.testing.assert_allclose(
            loss.forward(scores, target, repeats), loss.forward(scores[rows], target[rows])
        )


@pytest.mark.parametrize(("name", "params"), LOSS_PARAMS)
def test_weights_that_sum_to_zero_give_zero(name, params, rng):
    loss = ref.LOSSES[name](*params)
    scores = rng.normal(size=(ROWS, COLUMNS))
    assert loss.forward(scores, make_target(loss, rng), np.zeros(ROWS)) == 0.0
    assert not loss.backward().any()


@pytest.mark.parametrize(("name", "params"), LOSS_PARAMS)
def test_loss_of_nan_is_nan_and_of_huge_scores_warns_not(name, params, rng):
    loss = ref.LOSSES[name](*params)
    scores = rng.normal(size=(ROWS, COLUMNS))
    target = make_target(loss, rng)
    with warnings.catch_warnings(), np.errstate(all="warn"):
        warnings.simplefilter("error")
        assert loss.forward(scores * 1e4, target) >= 0.0
    scores[1] = np.nan
    assert np.isnan(loss.forward(scores, target))
    assert np.isnan(loss.backward()[1]).any()


def test_every_loss_is_tested():
    assert {row[0] for row in (*LOSS_PARAMS, *OTHER_LOSSES)} == set(ref.LOSSES)


def test_labels_are_one_hot_probabilities(rng):
    scores, labels = rng.normal(size=(ROWS, COLUMNS)), rng.integers(COLUMNS, size=ROWS)
    loss = ref.CrossEntropyLoss(label_smoothing=0.2)
    by_label = loss.forward(scores, labels)
    assert by_label == loss.forward(scores, ref.one_hot(labels, COLUMNS))


def test_a_masked_class_does_not_spoil_cross_entropy():
    loss = ref.CrossEntropyLoss()
    assert loss.forward([[0.0, -np.inf, 0.0]], [0]) == pytest.approx(np.log(2.0))
    np.testing.assert_allclose(loss.backward(), [[-0.5, 0.0, 0.5]])


def test_confident_binary_loss_keeps_its_tail():
    value = ref.BCEWithLogitsLoss().forward([[50.0], [-50.0]], [1.0, 0.0])
    assert value == pytest.approx(np.exp(-50.0), rel=1e-14)


def test_quantile_columns():
    scores, narrow = np.zeros((1, 4)), np.array([[1.0, -2.0]])
    loss = ref.QuantileLoss([0.1, 0.9], reduction="sum")
    assert loss.forward(scores, narrow) == pytest.approx(0.1 + 0.9 + 2 * 0.9 + 2 * 0.1)
    np.testing.assert_allclose(loss.backward(), [[-0.1, -0.9, 0.9, 0.1]])
    assert loss.forward(scores, np.repeat(narrow, 2, axis=1)) == loss.forward(scores, narrow)
    with pytest.raises(ValueError, match="3 columns for 2 quantiles"):
        loss.forward(np.zeros((1, 3)), narrow)


@pytest.mark.parametrize("name", ["L1Loss", "HuberLoss", "MSELoss", "QuantileLoss"])
def test_gradient_is_zero_on_the_target(name):
    loss = ref.LOSSES[name]((0.3,)) if name == "QuantileLoss" else ref.LOSSES[name]()
    assert loss.forward([[1.5]], [[1.5]]) == 0.0
    assert not loss.backward().any()


def test_hinge_margin_of_exactly_zero_has_no_gradient():
    loss = ref.MultiMarginLoss()
    assert loss.forward([[2.0, 1.0, 2.0]], [0]) == 1.0
    np.testing.assert_array_equal(loss.backward(), [[-1.0, 0.0, 1.0]])


def test_unknown_reduction_is_an_error():
    with pytest.raises(ValueError, match="reduction"):
        ref.MSELoss(reduction="none")


@pytest.mark.parametrize(
    "penalty", [ref.L2(0.3), ref.L1(0.3), ref.Lp(3, 0.3), ref.Lp(1.5, 0.3), ref.Lp(0.5, 0.3)]
)
def test_penalty_gradient_equals_central_differences(penalty, rng):
    W = rng.uniform(0.1, 1.0, size=(3, 4)) * rng.choice([-1.0, 1.0], size=(3, 4))
    differences = ref.central_difference(lambda: penalty.value(W), W)
    np.testing.assert_allclose(penalty.gradient(W), differences, rtol=1e-7)
    np.testing.assert_array_equal(penalty.gradient(np.zeros((2, 2))), np.zeros((2, 2)))


def test_lp_contains_l1_and_l2(rng):
    W = rng.normal(size=(3, 4))
    for p, same in [(1, ref.L1(0.3)), (2, ref.L2(0.3))]:
        assert ref.Lp(p, 0.3).value(W) == pytest.approx(same.value(W), rel=1e-14)
        np.testing.assert_allclose(ref.Lp(p, 0.3).gradient(W), same.gradient(W), rtol=1e-14)
    assert set(ref.PENALTIES) == {"L1", "L2", "Lp"}
