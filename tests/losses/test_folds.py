"""Losses with a fold: members predict the same targets, or each member targets of its own."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from tests.harness import LOSSES as ROWS
from tests.harness import check, column, generator, loss_reference, same_bits, using_threads
from tests.small_training import LABELS, LOSSES, REAL

import fastmlp as fm
from fastmlp import _core

FOLDS = (2, 7)


def folded(loss, fold):
    return type(loss)(**{**loss.arguments(), "fold": fold})


def scores_for(loss, fold, rows=50):
    return generator("folds", repr(loss), fold).normal(size=(rows, 3 * fold))


def of_member(scores, member):
    return np.ascontiguousarray(scores[:, 3 * member : 3 * member + 3])


@pytest.mark.parametrize("fold", FOLDS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=repr)
def test_the_loss_is_the_mean_of_the_members_losses(loss, y, weighted, fold):
    both, scores = folded(loss, fold), scores_for(loss, fold)
    w = generator("weights").uniform(size=50) if weighted else None
    value, gradient = both.forward(scores, y, w), both.backward()
    parts = []
    for member in range(fold):
        parts.append(loss.forward(of_member(scores, member), y, w))
        expected = loss.backward() / fold
        np.testing.assert_allclose(of_member(gradient, member), expected, rtol=1e-14, atol=1e-17)
    np.testing.assert_allclose(both.values, parts, rtol=1e-14)
    assert value == pytest.approx(np.mean(parts), rel=1e-14)
    each = [loss.score(of_member(scores, member), y, w) for member in range(fold)]
    assert both.member_scores(scores, y, w).tolist() == each
    assert both.score(scores, y, w) == pytest.approx(np.mean(each))


@pytest.mark.parametrize("fold", [5])
@pytest.mark.parametrize("rows", [0, 3, 40])
@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=repr)
def test_folded_losses_equal_their_reference(loss, y, rows, fold, isa, dtype):
    ours = folded(loss, fold)
    reference = loss_reference(ours)
    scores = 2 * scores_for(loss, fold, rows).astype(dtype)
    value, expected = ours.forward(scores, y[:rows]), reference.forward(scores, y[:rows])
    tolerance = column(ROWS[type(loss).__name__][1], dtype)
    factor = 1 if loss.reduction == "sum" else 1 / max(rows, 1)
    check(np.float64(value), expected, tolerance, abs(expected) + 1 + rows * factor)
    slope = reference.backward()
    check(ours.backward(), slope, tolerance, np.abs(slope) + 2 * factor)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("name", ["CrossEntropyLoss", "MSELoss", "QuantileLoss", "MultiMarginLoss"])
@pytest.mark.usefixtures("isa")
def test_a_member_has_the_bits_of_a_loss_of_its_own(name, own, dtype):
    """Folds of powers of two scale gradients exactly."""
    kind, row = ROWS[name]
    params = (0.1, 0.5, 0.9) if row["target"] == "quantile" else tuple(v for _, v in row["params"])
    fold, rows = 4, 37
    rng = generator("bits", name)
    scores = rng.normal(size=(rows, 3 * fold)).astype(dtype)
    count = rows * fold if own else rows
    target, weight = (
        rng.normal(size=(count, 3)).astype(dtype),
        rng.uniform(size=count).astype(dtype),
    )
    if row["target"] == "class":
        target = rng.integers(0, 3, count)
    members = np.empty(fold)
    value, gradient = _core.loss_forward(
        kind, params, "mean", scores, target, weight, fold, members
    )
    assert value == pytest.approx(members.mean(), rel=1e-15)
    for member in range(fold):
        part = slice(member, None, fold) if own else slice(None)
        alone, slope = _core.loss_forward(
            kind, params, "mean", of_member(scores, member), np.ascontiguousarray(target[part]),
            np.ascontiguousarray(weight[part]),
        )  # fmt: skip
        assert members[member] == alone
        assert same_bits(of_member(gradient, member) * fold, slope)


def test_values_of_members_and_copies():
    loss = fm.MSELoss(fold=3)
    with pytest.raises(fm.StateError, match=r"^values: .*call forward"):
        loss.values  # noqa: B018
    loss.forward([[1.0, 2.0, 3.0]], [0.0])
    assert loss.values.tolist() == [1.0, 4.0, 9.0]
    other = pickle.loads(pickle.dumps(loss))
    assert repr(other) == "MSELoss(fold=3)"
    assert other.forward([1.0, 2.0, 3.0], [0.0]) == pytest.approx(14 / 3)
    for method in ("forward", "score", "member_scores"):
        with pytest.raises(fm.ArgumentError, match=r"^scores: got 4 columns; want a multiple of f"):
            getattr(loss, method)(np.ones((2, 4)), [0.0, 1.0])


def network(fold, dtype="float64"):
    return fm.Sequential(fm.Linear(4, 6), fm.Tanh(), fm.Linear(6, 3 * fold), dtype=dtype, seed=0)


@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=repr)
def test_gradients_of_folded_losses(loss, y):
    x = generator("x").normal(size=(50, 4))
    assert fm.gradcheck(network(2), folded(loss, 2), x, y) < 1e-6


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "MSELoss"])
def test_training_records_each_member(name):
    """One step of a trainer, and the values in the history, are those of the loss by hand."""
    y = LABELS if name == "CrossEntropyLoss" else REAL
    x, fold = generator("x").normal(size=(50, 4)), 5
    loss = getattr(fm, name)(fold=fold)
    found = set()
    for threads in (1, 2, 3, 4, 7):
        net = network(fold)
        before = net.predict(x)
        with using_threads(threads):
            history = fm.fit(net, x, y, loss=getattr(fm, name)(fold=fold), epochs=1, batch_size=50,
                             validation=(x, y), progress=False)  # fmt: skip
        found.add(net.params.tobytes())
        assert history.loss[0] == pytest.approx(loss.forward(before, y), rel=1e-12)
        np.testing.assert_allclose(history.member_loss, [loss.values], rtol=1e-12)
        after = net.predict(x)
        assert history.val_loss == [loss.forward(after, y)]
        assert history.val_member_loss == [loss.values.tolist()]
        assert history.val_member_score == [loss.member_scores(after, y).tolist()]
        assert history.val_score == [loss.score(after, y)]
        assert history.best_epochs == [0] * fold
    assert len(found) == 1


def test_each_member_has_its_own_best_epoch():
    history = fm.History("r2", 3)
    history.val_member_loss = [[3.0, 1.0, np.nan], [1.0, 2.0, np.nan], [2.0, 1.0, np.nan]]
    assert history.best_epochs == [1, 0, None]
    assert fm.History().best_epochs == [None]


def test_steps_check_the_targets_of_one_member():
    x, net = np.ones((5, 4)), network(4)
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(fold=4))
    with pytest.raises(fm.ArgumentError, match=r"^y: got label 3 at row 2; want 0 to 2"):
        trainer.step(x, np.array([0, 1, 3, 2, 0]))
    trainer = fm.Trainer(net, fm.MSELoss(fold=4))
    with pytest.raises(fm.ArgumentError, match=r"^y: got .*want"):
        trainer.step(x, np.ones((5, 12)))
    assert trainer.step(x, np.ones((5, 3))) > 0
    with pytest.raises(fm.ArgumentError, match=r"^loss: got fold=5 for 12 columns of scores; want"):
        fm.Trainer(net, fm.MSELoss(fold=5))


def test_label_smoothing_can_have_a_schedule_with_a_fold():
    x, y = generator("x").normal(size=(50, 4)), LABELS
    nets = [network(2), network(2)]
    for net, smoothing in zip(nets, (0.3, 0.0), strict=True):
        schedules = {} if smoothing else {"label_smoothing": Fixed()}
        loss = fm.CrossEntropyLoss(label_smoothing=smoothing, fold=2)
        fm.fit(net, x, y, loss=loss, epochs=1, schedules=schedules, progress=False)
    assert same_bits(nets[0].params, nets[1].params)


class Fixed(fm.Schedule):
    def rates(self, lr, epoch, epochs, steps):
        return np.full(steps, 0.3)
