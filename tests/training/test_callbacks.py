"""Callbacks of a fit, early stopping, progress and interrupts."""

from __future__ import annotations

import signal
import sys

import numpy as np
import pytest
from tests.small_training import LABELS, Recorder, X, fit, make

import fastmlp as fm


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
        """Makes every epoch after the third worse, and records the parameters."""

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
