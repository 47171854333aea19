"""Optimizers and penalties by hand, and their states and arguments."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from tests.small_training import LABELS, OPTIMIZERS, REAL, X, make

import fastmlp as fm


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_steps_by_hand_equal_the_trainer(optimizer):
    ours, theirs = make("float64", dropout=True), make("float64", dropout=True)
    loss, penalty = fm.CrossEntropyLoss(), fm.L2(1e-3)
    trainer = fm.Trainer(ours, loss, optimizer, penalty=penalty)
    by_hand = type(optimizer)(theirs, **optimizer.arguments())
    weights = np.random.default_rng(1).uniform(size=50)
    for _ in range(5):
        value = trainer.step(X, LABELS, sample_weight=weights)
        expected = loss.forward(theirs.forward(X, training=True), LABELS, weights)
        theirs.backward(loss.backward())
        assert value == pytest.approx(expected + penalty.forward(theirs), rel=1e-12)
        penalty.backward(theirs)
        by_hand.step()
    assert np.allclose(ours.params, theirs.params, rtol=1e-10, atol=1e-14)


def test_first_step_of_sgd_and_adam():
    for optimizer, change in ((fm.SGD, 0.5 * 4.0), (fm.Adam, 0.5)):
        lin = fm.Linear(1, 1, bias=False, init=fm.initializers.Constant(3.0), dtype="float64")
        opt = optimizer(lin, lr=0.5)
        lin.forward([[4.0]])
        lin.backward([[1.0]])
        opt.step()
        assert lin.W[0, 0] == pytest.approx(3.0 - change)
        opt.zero_grad()
        assert not lin.dW.any()


def test_optimizer_arguments():
    assert fm.SGD(0.1, momentum=0.9).lr == 0.1
    assert fm.SGD().lr == fm.Adam().lr == fm.AdamW().lr == 1e-3
    assert fm.RMSprop().lr == fm.Adagrad().lr == 1e-2
    assert (fm.Adam().weight_decay, fm.AdamW().weight_decay) == (0.0, 0.01)
    assert repr(fm.SGD(0.1, momentum=0.9)) == "SGD(lr=0.1, momentum=0.9)"
    assert repr(pickle.loads(pickle.dumps(fm.Adam(betas=(0.5, 0.9))))) == (
        "Adam(lr=0.001, betas=(0.5, 0.9))"
    )
    with pytest.raises(fm.StateError, match="has no network"):
        fm.Adam().step()
    net = make()
    with pytest.raises(fm.ArgumentError, match=r"optimizer: .*by hand"):
        fm.Trainer(net, fm.MSELoss(), fm.Adam(net))
    with pytest.raises(fm.ArgumentError, match="belongs to a network"):
        fm.Adam(net[0]).step()


def test_learning_rate_may_change():
    net = make()
    opt = fm.SGD(net, lr=1.0)
    net.grads[...] = 1.0
    before = net.params.copy()
    opt.step()
    opt.lr = 0.0
    opt.step()
    assert np.allclose(net.params, before - 1.0)
    trainer = fm.Trainer(net, fm.MSELoss(), fm.SGD(lr=0.5))
    assert trainer.lr == 0.5
    trainer.lr = 0.0
    before = net.params.copy()
    trainer.step(X, REAL)
    assert np.array_equal(net.params, before)
    with pytest.raises(fm.ArgumentError, match="lr: got -1"):
        trainer.lr = -1.0


@pytest.mark.parametrize(
    ("penalty", "value", "slope"),
    [
        (fm.L2(0.1), lambda w: 0.1 * w**2, lambda w: 0.2 * w),
        (fm.L1(0.1), lambda w: 0.1 * abs(w), lambda w: 0.1 * np.sign(w)),
        (fm.Lp(3, 0.1), lambda w: 0.1 * abs(w) ** 3, lambda w: 0.3 * w * abs(w)),
    ],
    ids=["L2", "L1", "Lp"],
)
def test_penalties(penalty, value, slope):
    net = make("float64")
    net[0].b[...] = 5.0
    weights = [net[0].W, net[2].W]
    assert penalty.forward(net) == pytest.approx(sum(value(w).sum() for w in weights))
    net.zero_grad()
    penalty.backward(net)
    penalty.backward(net)
    assert np.allclose(net[0].dW, 2 * slope(net[0].W))
    assert not net[0].db.any()


def test_penalties_are_part_of_the_loss():
    plain = fm.Trainer(make(), fm.MSELoss()).step(X, REAL)
    both = fm.Trainer(make(), fm.MSELoss(), penalty=[fm.L2(0.5), fm.L1(0.5)]).step(X, REAL)
    expected = fm.L2(0.5).forward(make()) + fm.L1(0.5).forward(make())
    assert both - plain == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_optimizer_state_resumes(optimizer):
    def start():
        net = make(dropout=True)
        return net, fm.Trainer(net, fm.CrossEntropyLoss(), optimizer)

    net, trainer = start()
    trainer.fit(X, LABELS, epochs=2, batch_size=16, progress=False)
    saved, params = trainer.state_dict(), net.params.copy()
    trainer.fit(X, LABELS, epochs=2, batch_size=16, progress=False)

    other_net, other = start()
    other_net.params = params
    other.load_state_dict(pickle.loads(pickle.dumps(saved)))
    other.fit(X, LABELS, epochs=2, batch_size=16, progress=False)
    assert np.array_equal(other_net.params, net.params)

    whole_net, whole = start()
    whole.fit(X, LABELS, epochs=4, batch_size=16, progress=False)
    assert np.array_equal(whole_net.params, net.params)


def test_unfit_state():
    trainer = fm.Trainer(make(), fm.CrossEntropyLoss(), fm.Adam())
    state = trainer.state_dict()
    for change in ({"t": -1}, {"slots": []}, {"lr": "high"}, {"step_count": None}):
        with pytest.raises(fm.FastMLPError):
            trainer.load_state_dict({**state, **change})
    with pytest.raises(fm.ArgumentError, match="state"):
        trainer.load_state_dict({})
