"""Losses, optimizers, schedules, Trainer, fit and its callbacks, from Python's side."""

from __future__ import annotations

import json
import math
import pickle
import signal
import sys

import numpy as np
import pytest

import fastmlp as fm

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
REAL = X @ RNG.normal(size=(4, 3))
LOSSES = [
    (fm.CrossEntropyLoss(), LABELS),
    (fm.CrossEntropyLoss(label_smoothing=0.1), LABELS),
    (fm.CrossEntropyLoss(), np.eye(3)[LABELS] * 0.8 + 0.2 / 3),
    (fm.MultiMarginLoss(), LABELS),
    (fm.BCEWithLogitsLoss(), np.eye(3)[LABELS]),
    (fm.MSELoss(), REAL),
    (fm.MSELoss(reduction="sum"), REAL),
    (fm.L1Loss(), REAL),
    (fm.HuberLoss(0.5), REAL),
    (fm.PoissonNLLLoss(), LABELS[:, None].repeat(3, axis=1)),
    (fm.QuantileLoss([0.1, 0.5, 0.9]), REAL[:, 0]),
]
OPTIMIZERS = [
    fm.SGD(lr=0.05),
    fm.SGD(lr=0.05, momentum=0.9),
    fm.SGD(lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    fm.Adam(lr=0.01),
    fm.AdamW(lr=0.01),
    fm.RMSprop(lr=0.01, momentum=0.5),
    fm.Adagrad(lr=0.1, lr_decay=1e-3),
    fm.SGD(lr=0.05, clip_norm=0.1),
]


def make(dtype="float32", dropout=False):
    middle = [fm.Dropout(0.2)] if dropout else []
    return fm.Sequential(fm.Linear(4, 8), fm.Tanh(), *middle, fm.Linear(8, 3), dtype=dtype, seed=0)


def fit(net, y=LABELS, loss=None, **options):
    options = {"epochs": 3, "batch_size": 16, "progress": False, **options}
    return fm.fit(net, X, y, loss=loss or fm.CrossEntropyLoss(), **options)


# ---- losses ----


@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=repr)
def test_gradients(loss, y):
    assert fm.gradcheck(make(), loss, X, y) < 1e-6
    assert fm.gradcheck(make(), loss, X, y, sample_weight=RNG.uniform(size=50)) < 1e-6


@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=repr)
def test_weights_count_rows(loss, y):
    scores = RNG.normal(size=(50, 3))
    counts = RNG.integers(0, 3, size=50)
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
    scores = RNG.normal(size=(1, 3))
    expected, gradient = loss.forward(scores, y[:1]), loss.backward()
    assert loss.forward(scores[0], y[0]) == expected
    assert np.array_equal(loss.backward(), gradient[0])


@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=repr)
def test_loss_objects(loss, y):
    loss.forward(np.ones((50, 3)), y)
    twin = pickle.loads(pickle.dumps(loss))
    assert repr(twin) == repr(loss)
    assert json.loads(json.dumps(loss.describe()))["type"] == type(loss).__name__
    with pytest.raises(fm.StateError, match="no loss has been computed"):
        twin.backward()


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


# ---- optimizers and penalties by hand ----


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_by_hand_equals_trainer(optimizer):
    ours, theirs = make("float64", dropout=True), make("float64", dropout=True)
    loss, penalty = fm.CrossEntropyLoss(), fm.L2(1e-3)
    trainer = fm.Trainer(ours, loss, optimizer, penalty=penalty)
    by_hand = type(optimizer)(theirs, **optimizer.arguments())
    weights = RNG.uniform(size=50)
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
    ids=repr,
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


# ---- schedules ----


def rates(schedule, lr=1.0, epochs=10, steps=3):
    return [schedule.rates(lr, epoch, epochs, steps) for epoch in range(epochs)]


def test_schedules_by_epoch():
    assert [r[0] for r in rates(fm.ConstantLR())] == [1.0] * 10
    assert [r[0] for r in rates(fm.StepLR(3, 0.5))] == [0.5 ** (e // 3) for e in range(10)]
    assert [r[0] for r in rates(fm.ExponentialLR(0.9))] == [0.9**e for e in range(10)]
    cosine = [0.1 + 0.9 * (1 + math.cos(math.pi * e / 10)) / 2 for e in range(10)]
    assert np.allclose([r[0] for r in rates(fm.CosineLR(eta_min=0.1))], cosine)
    warm = np.concatenate(rates(fm.CosineLR(warmup=2)))
    assert np.allclose(warm[:7], [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1])
    assert all(r.shape == (3,) and r.dtype == np.float64 for r in rates(fm.CosineLR()))


def test_one_cycle():
    found = np.concatenate(rates(fm.OneCycleLR(2.0)))
    assert found[0] == pytest.approx(2.0 / 25)
    assert found[8] == pytest.approx(2.0)
    assert found[-1] == pytest.approx(2.0 / 25 / 1e4)
    assert (np.diff(found[:9]) > 0).all()
    assert (np.diff(found[8:]) < 0).all()
    assert np.isfinite(rates(fm.OneCycleLR(1.0), epochs=1, steps=1)[0]).all()


def test_plateau():
    schedule = fm.ReduceLROnPlateau(factor=0.1, patience=1, min_lr=1e-3)
    found = []
    for epoch, loss in enumerate([1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.1, 0.2, 0.2, 0.2, 0.2]):
        found.append(schedule.rates(1.0, epoch, 20, 1)[0])
        schedule.observe(loss)
    assert np.allclose(found, [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01, 1e-3, 1e-3])
    schedule.start()
    assert schedule.rates(1.0, 0, 20, 1)[0] == 1.0


def test_fit_follows_the_schedule():
    net = make()
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.SGD(lr=0.5))
    history = trainer.fit(X, LABELS, epochs=4, schedule=fm.StepLR(2, 0.1), progress=False)
    assert np.allclose(history.lr, [0.5, 0.5, 0.05, 0.05])
    assert trainer.lr == 0.5

    class Own(fm.Schedule):
        def rates(self, lr, epoch, epochs, steps):
            return [0.0] * steps

    before = net.params.copy()
    trainer.fit(X, LABELS, epochs=2, schedule=Own(), progress=False)
    assert np.array_equal(net.params, before)


# ---- fit ----


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


def test_no_epochs():
    net = make()
    before = net.params.copy()
    history = fit(net, epochs=0, callbacks=[fm.EarlyStopping(monitor="loss")])
    assert (history.loss, history.best_epoch, len(history)) == ([], None, 0)
    assert np.array_equal(net.params, before)


def test_validation_is_loss_and_score_of_predictions():
    net = make(dropout=True)
    xv, yv, wv = X[:20], LABELS[:20], RNG.uniform(size=20)
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


# ---- callbacks ----


class Recorder:
    def __init__(self, stop_at=None, fail_at=None):
        self.stop_at, self.fail_at = stop_at, fail_at
        self.seen, self.events = [], []

    def on_fit_start(self, state):
        self.events.append("start")

    def on_epoch_end(self, state):
        self.seen.append((state.epoch, state.epochs, state.loss, state.lr))
        assert state.history.loss[-1] == state.loss
        assert state.history.seconds[-1] == state.seconds >= 0
        if state.epoch == self.fail_at:
            raise RuntimeError("no more")
        if state.epoch == self.stop_at:
            state.stop()

    def on_fit_end(self, state):
        self.events.append(type(state.error).__name__)


def test_callbacks():
    recorder = Recorder(stop_at=2)
    history = fit(make(), epochs=10, callbacks=[recorder])
    assert [epoch for epoch, *_ in recorder.seen] == [0, 1, 2]
    assert recorder.seen[0][1:] == (10, history.loss[0], 1e-3)
    assert recorder.events == ["start", "NoneType"]


def test_an_error_in_a_callback():
    net, recorder = make(), Recorder(fail_at=1)
    with pytest.raises(RuntimeError, match="no more") as caught:
        fit(net, epochs=10, callbacks=[recorder])
    assert recorder.events == ["start", "RuntimeError"]
    assert len(caught.value.history.loss) == 2
    assert np.isfinite(net.predict(X)).all()
    other = make()
    fit(other, epochs=2)
    assert np.array_equal(net.params, other.params)


def test_a_fit_inside_a_callback_keeps_its_history_to_itself():
    trainer = fm.Trainer(fm.Sequential(fm.Linear(2, 2), seed=0), fm.CrossEntropyLoss())
    x, y = np.ones((4, 2)), [0, 1, 0, 1]

    class Fits:
        def on_epoch_end(self, state):
            trainer.fit(x, y, epochs=1)

    assert len(trainer.fit(x, y, epochs=3, callbacks=[Fits()])) == 3
    assert len(trainer.history) == 3


def test_callbacks_may_change_the_learning_rate():
    class Halve:
        def on_epoch_end(self, state):
            state.trainer.lr /= 2

    assert np.allclose(fit(make(), callbacks=[Halve()]).lr, [1e-3, 5e-4, 2.5e-4])


def test_early_stopping_restores_the_best():
    class Spoil:
        """Makes every epoch after the third worse, and keeps the parameters it saw."""

        def __init__(self):
            self.params = []

        def on_epoch_end(self, state):
            self.params.append(state.net.params.copy())
            if state.epoch >= 2:
                state.trainer.lr = 10.0

    net, spoil = make(), Spoil()
    stop = fm.EarlyStopping(patience=2)
    history = fit(net, epochs=50, validation=(X, LABELS), callbacks=[spoil, stop])
    best = int(np.argmin(history.val_loss))
    assert history.best_epoch == best
    assert len(history.loss) == best + 3
    assert np.array_equal(net.params, spoil.params[best])


@pytest.mark.parametrize("monitor", ["loss", "val_loss", "val_score"])
def test_early_stopping_monitors(monitor):
    stop = fm.EarlyStopping(patience=2, min_delta=1e9, monitor=monitor, restore_best=False)
    history = fit(make(), epochs=50, validation=0.5, callbacks=[stop])
    assert (len(history.loss), history.best_epoch) == (3, 0)


def test_early_stopping_needs_validation():
    with pytest.raises(fm.ArgumentError, match="monitor='val_loss' needs fit"):
        fit(make(), callbacks=[fm.EarlyStopping()])


def test_progress(capsys):
    fit(make(), progress=True)
    assert "3/3" in capsys.readouterr().err
    fit(make(), progress=False)
    fit(make())
    assert capsys.readouterr() == ("", "")


def test_progress_without_tqdm(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    fit(make(), progress=True, validation=0.2)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    assert all(word in lines[0] for word in ("loss", "val_loss", "val_score", " s"))


def test_interrupt_leaves_the_network_usable():
    class Interrupt:
        def on_epoch_end(self, state):
            if state.epoch == 2:
                signal.raise_signal(signal.SIGINT)

    net = make()
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(net, epochs=1000, callbacks=[Interrupt()])
    assert len(caught.value.history.loss) == 3
    assert np.isfinite(net.predict(X)).all()
    fit(net)


# ---- L-BFGS ----


def test_lbfgs_finds_least_squares():
    pytest.importorskip("scipy")
    net = fm.Sequential(fm.Linear(4, 3), dtype="float64", seed=0)
    history = fit(net, REAL, fm.MSELoss(), optimizer=fm.LBFGS(), epochs=100, batch_size=None)
    assert history.loss[-1] < 1e-8
    assert 1 < len(history.loss) <= 100
    assert set(history.lr) == {1.0}
    exact = np.linalg.lstsq(np.c_[X, np.ones(50)], REAL, rcond=None)[0]
    assert np.allclose(net[0].W, exact[:4], atol=1e-3)


def test_lbfgs_in_other_ways():
    pytest.importorskip("scipy")
    net = make(dropout=True)
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.LBFGS(max_iter=5), penalty=fm.L2(1e-3))
    first = trainer.step(X, LABELS)
    assert trainer.step(X, LABELS) < first
    recorder = Recorder(stop_at=1)
    assert len(trainer.fit(X, LABELS, callbacks=[recorder], progress=False).loss) == 2
    with pytest.raises(RuntimeError):
        trainer.fit(X, LABELS, callbacks=[Recorder(fail_at=0)], progress=False)
    with pytest.raises(fm.ArgumentError, match="batch_size: got 10; LBFGS takes all 50"):
        trainer.fit(X, LABELS, batch_size=10, progress=False)
    with pytest.raises(fm.ArgumentError, match="schedule: LBFGS"):
        trainer.fit(X, LABELS, schedule=fm.CosineLR(), progress=False)


def test_lbfgs_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(fm.MissingPackageError, match=r"pip install .fastmlp\[sklearn\]"):
        fit(make(), optimizer=fm.LBFGS(), batch_size=None)


# ---- gradcheck, threads ----


def test_gradcheck_sees_wrong_gradients():
    class Wrong(fm.MSELoss):
        def core_spec(self):
            return fm.MSELoss().core_spec()

        def backward(self):
            gradient = super().backward().copy()
            gradient[0, 0] *= 1.01
            return gradient

    assert fm.gradcheck(make(), Wrong(), X, REAL) > 1e-5
    with pytest.raises(fm.ArgumentTypeError, match="net: got"):
        fm.gradcheck(fm.ReLU(), fm.MSELoss(), X, REAL)


def test_gradcheck_leaves_the_network_alone():
    net = make(dropout=True)
    before = net.params.copy()
    assert fm.gradcheck(net, fm.CrossEntropyLoss(), X, LABELS) < 1e-6
    assert np.array_equal(net.params, before)
    assert net.step_count == 0


def test_threads_are_scoped():
    outside = fm.get_num_threads()
    again = fm.threads(3)
    with fm.threads(1):
        assert fm.get_num_threads() == 1
        with again, again:
            assert fm.get_num_threads() == 3
        assert fm.get_num_threads() == 1
    assert fm.get_num_threads() == outside
    fm.set_num_threads(2)
    assert fm.get_num_threads() == 2
    fm.set_num_threads(outside)


def test_config():
    config = fm.show_config()
    assert set(config) == {"version", "isa", "isas", "threads", "openmp", "compiler"}
    assert config["version"] == fm.__version__
    assert config["isa"] in config["isas"]
