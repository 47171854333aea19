"""Ctrl-C ends a fit soon, after the last finished step, and everything can still be used."""

from __future__ import annotations

import os
import signal
import threading
import time
from itertools import pairwise

import numpy as np
import pytest

import fastmlp as fm

TRIES = 5
SOON = 0.1


class Interruption:
    """Sends SIGINT to this process after some seconds, and records the time."""

    def __init__(self, seconds):
        self.sent = self.busy = float("nan")
        self.timer = threading.Timer(seconds, self.send)

    def send(self):
        self.sent, self.busy = time.perf_counter(), time.process_time()
        os.kill(os.getpid(), signal.SIGINT)

    def waited(self):
        """Seconds since then, minus those in which this process had no processor."""
        return min(time.perf_counter() - self.sent, time.process_time() - self.busy)

    def __enter__(self):
        self.timer.start()
        return self

    def __exit__(self, *error):
        self.timer.cancel()


def data(rows, width, classes):
    x = np.sin(np.arange(rows * width, dtype=np.float64)).reshape(rows, width)
    return x.astype(np.float32), np.arange(rows) % classes


def network(*widths):
    layers = [fm.Linear(*pair) for pair in pairwise(widths)]
    activations = [fm.ReLU() for _ in layers]
    chain = [part for pair in zip(layers, activations, strict=True) for part in pair]
    return fm.Sequential(*chain[:-1], seed=1)


def interrupted(net, x, y, seconds=0.15, **options):
    """Fit until the interrupt; return the trainer and the seconds until the end."""
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.Adam(lr=1e-4))
    # In this order, because on a busy machine the signal may come before fit begins.
    with pytest.raises(KeyboardInterrupt) as caught, Interruption(seconds) as interruption:
        trainer.fit(x, y, epochs=10**6, progress=False, **options)
    waited = interruption.waited()
    assert isinstance(caught.value.history, fm.History)
    return trainer, waited


# A product always runs to its end: its time is the least delay, and it is long without vectors.
MANY_ROWS = 512 if fm.show_config()["isa"] == "portable" else 4096
SIZES = {
    "many epochs": ((8, 4, 3), 30, 10),
    "one long epoch": ((20, 50, 3), 400_000, 8),
    "long steps": ((1024, 1024, 1024, 10), MANY_ROWS, MANY_ROWS),
}


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("name", SIZES)
def test_an_interrupt_ends_a_fit_soon(name, threads):
    widths, rows, batch_size = SIZES[name]
    x, y = data(rows, widths[0], widths[-1])
    net = network(*widths)
    waits = []
    with fm.threads(threads):
        for attempt in range(TRIES):
            # At another moment of a step in each attempt.
            options = {"seconds": 0.05 + 0.007 * attempt, "batch_size": batch_size}
            waits.append(interrupted(net, x, y, **options)[1])
            assert np.isfinite(net.params).all()
    assert max(waits) < SOON, waits
    small = slice(0, 50)
    history = fm.fit(net, x[small], y[small], loss=fm.CrossEntropyLoss(), epochs=1, progress=False)
    assert np.isfinite(history.loss[0])


def test_the_network_is_as_the_last_finished_step_left_it():
    x, y = data(300, 20, 3)
    net, other = network(20, 50, 3), network(20, 50, 3)
    trainer, _ = interrupted(net, x, y, batch_size=25, shuffle=False)
    steps = trainer.state_dict()["t"]
    assert steps > 0
    replay = fm.Trainer(other, fm.CrossEntropyLoss(), fm.Adam(lr=1e-4))
    for step in range(steps):
        rows = slice(25 * (step % 12), 25 * (step % 12) + 25)
        replay.step(x[rows], y[rows])
    assert np.array_equal(net.params, other.params)
    for ours, theirs in zip(
        trainer.state_dict()["slots"], replay.state_dict()["slots"], strict=True
    ):
        assert np.array_equal(ours, theirs)
    assert net.step_count == other.step_count


def test_an_exception_of_any_signal_handler_ends_the_fit():
    x, y = data(2000, 20, 3)

    def handler(number, frame):
        raise RuntimeError("alarm")

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(RuntimeError, match="alarm"):
            fm.fit(network(20, 50, 3), x, y, loss=fm.CrossEntropyLoss(), epochs=10**6,
                   progress=False)  # fmt: skip
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def test_a_handler_that_returns_lets_the_fit_go_on():
    x, y = data(3000, 20, 3)
    signals = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: signals.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        history = fm.fit(network(20, 50, 3), x, y, loss=fm.CrossEntropyLoss(), epochs=200,
                         batch_size=50, progress=False)  # fmt: skip
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert len(history.loss) == 200
    assert signals


def test_lbfgs_ends_with_the_last_finished_iteration():
    pytest.importorskip("scipy.optimize")  # otherwise the interrupt may hit this import
    x, y = data(3000, 40, 3)

    class Remember:
        def __init__(self):
            self.finished = []

        def on_epoch_end(self, state):
            self.finished.append(state.net.params.copy())

    def run(net, epochs):
        seen = Remember()
        seen.finished.append(net.params.copy())
        try:
            fm.fit(net, x, y, loss=fm.CrossEntropyLoss(), optimizer=fm.LBFGS(), epochs=epochs,
                   callbacks=[seen], progress=False)  # fmt: skip
        except KeyboardInterrupt:
            assert epochs == 10**6
        else:
            assert epochs < 10**6
        return seen.finished

    net = network(40, 100, 3)
    with Interruption(0.2):
        seen = run(net, 10**6)
    # The interrupt may come after an iteration but before its callback.
    again = run(network(40, 100, 3), len(seen))
    assert len(again) == len(seen) + 1
    assert any(np.array_equal(net.params, params) for params in again[-3:])
