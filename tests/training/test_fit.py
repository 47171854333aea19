"""The results of fit: sums of its steps, order, validation, history."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from tests.small_training import LABELS, LOSSES, OPTIMIZERS, REAL, X, fit, make

import fastmlp as fm
from fastmlp import _core


@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=repr)
def test_every_loss_falls(loss, y):
    lr = 1e-3 if loss.reduction == "sum" else 0.02
    history = fit(make(), y, loss, epochs=15, optimizer=fm.Adam(lr=lr))
    assert history.loss[-1] < history.loss[0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_fit_is_the_sum_of_its_steps(optimizer):
    net, other = make(dropout=True), make(dropout=True)
    history = fit(net, optimizer=optimizer, epochs=2, shuffle=False)
    trainer = fm.Trainer(other, fm.CrossEntropyLoss(), optimizer)
    for epoch in range(2):
        losses = [trainer.step(X[i : i + 16], LABELS[i : i + 16]) for i in (0, 16, 32, 48)]
        assert history.loss[epoch] == pytest.approx(
            np.average(losses, weights=[16, 16, 16, 2]), rel=1e-6
        )
    assert np.array_equal(net.params, other.params)


def test_seeds_decide_the_order():
    runs = {}
    for name, options in {
        "default": {},
        "again": {},
        "net's": {"seed": 0},
        "other": {"seed": 1},
        "unshuffled": {"shuffle": False},
    }.items():
        net = make()
        fit(net, **options)
        runs[name] = net.params.copy()
    assert np.array_equal(runs["default"], runs["again"])
    assert np.array_equal(runs["default"], runs["net's"])
    assert not np.array_equal(runs["default"], runs["other"])
    assert not np.array_equal(runs["default"], runs["unshuffled"])


def test_large_batches_are_full_batches():
    nets = [make(), make()]
    for net, size in zip(nets, (50, 1000), strict=True):
        fit(net, batch_size=size)
    assert np.array_equal(nets[0].params, nets[1].params)


@pytest.mark.parametrize("held", [None, 0.2])
def test_drop_last_leaves_out_the_rest(held):
    net, other = make(), make()
    fit(net, drop_last=True, batch_size=15, shuffle=False, validation=held)
    fit(other, drop_last=True, batch_size=15, validation=held)
    assert not np.array_equal(net.params, other.params)
    kept = make()
    if held is None:
        fm.fit(kept, X[:45], LABELS[:45], loss=fm.CrossEntropyLoss(), epochs=3, batch_size=15,
               shuffle=False, progress=False)  # fmt: skip
        assert np.array_equal(net.params, kept.params)


def test_drop_last_leaves_out_other_rows_in_each_epoch():
    net, by_hand, seen = make(), make(), []
    fit(net, drop_last=True, batch_size=40, seed=5, epochs=3)
    trainer = fm.Trainer(by_hand, fm.CrossEntropyLoss())
    for epoch in range(3):
        order = _core.permutation(50, 5, epoch)
        trainer.step(X[order[:40]], LABELS[order[:40]])
        seen.append(frozenset(order[40:]))
    assert np.array_equal(net.params, by_hand.params)
    assert len(set(seen)) == 3
    whole, others = make(), make()
    assert fit(whole, drop_last=True, batch_size=100).loss == fit(others, batch_size=100).loss


def test_no_epochs():
    net = make()
    before = net.params.copy()
    history = fit(net, epochs=0, callbacks=[fm.EarlyStopping(monitor="loss")])
    assert (history.loss, history.best_epoch, len(history)) == ([], None, 0)
    assert np.array_equal(net.params, before)


def test_validation_is_loss_and_score_of_predictions():
    net = make(dropout=True)
    xv, yv, wv = X[:20], LABELS[:20], np.random.default_rng(1).uniform(size=20)
    history = fit(net, validation=(xv, yv, wv), penalty=fm.L2(1.0))
    loss = fm.CrossEntropyLoss()
    assert history.val_loss[-1] == pytest.approx(loss.forward(net.predict(xv), yv, wv))
    assert history.val_score[-1] == pytest.approx(loss.score(net.predict(xv), yv, wv))
    assert history.score_name == "accuracy"


def test_validation_fraction():
    class Rows:
        def on_epoch_end(self, state):
            self.net = state.net

    net, rows = make(), Rows()
    history = fit(net, validation=0.2, sample_weight=np.ones(50), callbacks=[rows])
    assert rows.net is net
    assert len(history.val_loss) == 3
    assert round(history.val_score[0] * 10) == pytest.approx(history.val_score[0] * 10)
    other = make()
    fit(other, validation=0.2, sample_weight=np.ones(50))
    assert np.array_equal(net.params, other.params)


def test_history():
    history = fit(make(), validation=(X, LABELS), epochs=4)
    columns = (history.loss, history.val_loss, history.val_score, history.lr, history.seconds)
    assert all(len(column) == 4 for column in columns)
    assert history.best_epoch == int(np.argmin(history.val_loss))
    assert json.loads(json.dumps(history.to_dict()))["loss"] == history.loss
    assert repr(history).startswith("History(epochs=4, loss=")
    assert pickle.loads(pickle.dumps(history)).to_dict() == history.to_dict()
    assert fit(make()).val_loss == []


def test_diverging_warns_once():
    net = make()
    with pytest.warns(RuntimeWarning, match="the training loss is .*smaller learning") as caught:
        history = fit(net, REAL, fm.MSELoss(), optimizer=fm.SGD(lr=1e20), epochs=5)
    assert len(caught) == 1
    assert len(history.loss) == 5
