"""Losses by hand: gradients, weights, scores, dtypes."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from tests.small_training import LOSSES, X, make

import fastmlp as fm


@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=repr)
def test_gradients(loss, y):
    assert fm.gradcheck(make(), loss, X, y) < 1e-6
    assert (
        fm.gradcheck(make(), loss, X, y, sample_weight=np.random.default_rng(1).uniform(size=50))
        < 1e-6
    )


@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=repr)
def test_weights_count_rows(loss, y):
    scores = np.random.default_rng(1).normal(size=(50, 3))
    counts = np.random.default_rng(1).integers(0, 3, size=50)
    repeated = loss.forward(scores.repeat(counts, axis=0), np.repeat(y, counts, axis=0))
    assert loss.forward(scores, y, counts) == pytest.approx(repeated, rel=1e-10)
    assert loss.score(scores, y, counts) == pytest.approx(
        loss.score(scores.repeat(counts, axis=0), np.repeat(y, counts, axis=0)), rel=1e-10
    )
    assert loss.forward(scores, y, np.ones(50)) == pytest.approx(loss.forward(scores, y))


@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=repr)
def test_no_weight_is_no_loss(loss, y):
    assert loss.forward(np.ones((50, 3)), y, np.zeros(50)) == 0.0
    assert not loss.backward().any()
    assert math.isnan(loss.score(np.ones((50, 3)), y, np.zeros(50)))
    assert loss.forward(np.ones((0, 3)), y[:0]) == 0.0


@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=repr)
def test_loss_of_one_row(loss, y):
    scores = np.random.default_rng(1).normal(size=(1, 3))
    expected, gradient = loss.forward(scores, y[:1]), loss.backward()
    assert loss.forward(scores[0], y[0]) == expected
    assert np.array_equal(loss.backward(), gradient[0])


@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=repr)
def test_loss_objects(loss, y):
    loss.forward(np.ones((50, 3)), y)
    other = pickle.loads(pickle.dumps(loss))
    assert repr(other) == repr(loss)
    assert json.loads(json.dumps(loss.describe()))["type"] == type(loss).__name__
    with pytest.raises(fm.StateError, match="no loss has been computed"):
        other.backward()


def test_loss_dtype_follows_the_scores():
    loss = fm.MSELoss()
    loss.forward(np.ones((2, 1), np.float32), [0.0, 0.0])
    assert loss.backward().dtype == np.float32
    loss.forward(np.ones((2, 1)), [0.0, 0.0])
    assert loss.backward().dtype == np.float64


def test_scores():
    scores = np.array([[2.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    loss = fm.CrossEntropyLoss()
    assert (loss.score_name, loss.score(scores, [0, 2])) == ("accuracy", 0.5)
    assert loss.score(scores, [0, 2], [3.0, 1.0]) == 0.75
    assert loss.score(scores, np.eye(3)[[0, 2]]) == 0.5
    bce = fm.BCEWithLogitsLoss()
    assert (bce.score_name, bce.score([[1.0], [-1.0]], [1, 1])) == ("accuracy", 0.5)
    mse = fm.MSELoss()
    assert mse.score_name == "r2"
    assert mse.score([[1.0], [2.0], [3.0]], [1, 2, 3]) == 1.0
    assert mse.score([[2.0], [2.0], [2.0]], [1, 2, 3]) == 0.0
    assert mse.score([[5.0], [5.0]], [5, 5]) == 1.0
    assert mse.score([[5.0], [6.0]], [5, 5]) == 0.0
    poisson = fm.PoissonNLLLoss()
    assert poisson.score(np.log([[1.0], [3.0]]), [1, 3]) == pytest.approx(1.0)
    assert poisson.score(np.log([[2.0], [2.0]]), [1, 3]) == pytest.approx(0.0)
    pinball = fm.QuantileLoss([0.25, 0.75])
    assert pinball.score([[1.0, 3.0]] * 4, [1, 1, 3, 3]) == pytest.approx(0.0)
    assert pinball.score([[1.0, 1.0], [3.0, 3.0]], [1, 3]) == pytest.approx(1.0)
