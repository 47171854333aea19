"""A prediction during an update uses the weights before or after it, or is refused."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import fastmlp as fm

ROWS, WIDTH = 8, 300


class Beside:
    """Predicts in a separate thread while the block runs; keeps the outcomes."""

    def __init__(self, net, x):
        self.net, self.x = net, x
        self.found, self.refused, self.errors = set(), 0, []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.predict)

    def predict(self):
        while not self.over.is_set():
            try:
                self.found.add(self.net.predict(self.x).tobytes())
            except fm.StateError as error:
                self.refused += "predict: another thread" in str(error)
            except Exception as error:
                self.errors.append(error)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.over.set()
        self.thread.join()
        assert not self.errors


def network(norm=False):
    middle = [fm.BatchNorm(WIDTH)] if norm else [fm.Tanh()]
    return fm.Sequential(fm.Linear(WIDTH, WIDTH), *middle, fm.Linear(WIDTH, 8), seed=0)


def rows():
    return np.sin(np.arange(ROWS * WIDTH, dtype=np.float32)).reshape(ROWS, WIDTH)


X = rows()
Y = np.cos(np.arange(ROWS * 8, dtype=np.float32)).reshape(ROWS, 8)


def by_steps(net):
    trainer = fm.Trainer(net, fm.MSELoss(), fm.SGD(lr=1e-3, momentum=0.5))
    return (lambda: trainer.step(X, Y),)


def by_clipped_steps(net):
    trainer = fm.Trainer(net, fm.MSELoss(), fm.SGD(lr=1e-2, clip_norm=0.1))
    return (lambda: trainer.step(X, Y),)


def by_epochs(net):
    trainer = fm.Trainer(net, fm.MSELoss(), fm.SGD(lr=1e-3))
    return (lambda: trainer.fit(X, Y, epochs=1, batch_size=ROWS, progress=False),)


def by_hand(net):
    optimizer = fm.SGD(net, lr=1e-3, momentum=0.5)

    def gradient():
        net.backward(Y * 1e-2)

    return lambda: net.forward(X, training=True), gradient, optimizer.step


def by_assignment(net):
    values = np.random.default_rng(0)

    def update():
        net.params = values.standard_normal(net.params.size) * 0.1

    return (update,)


WAYS = {f.__name__: f for f in (by_steps, by_clipped_steps, by_epochs, by_hand, by_assignment)}


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("threads", [1, 2], indirect=True)
def test_predictions_during_updates_use_one_state(way, norm, threads):
    count = 50
    net, other = network(norm), network(norm)
    parts, again = WAYS[way](net), WAYS[way](other)
    with Beside(net, X[:2]) as beside:
        for part in parts * count:
            part()
    possible = {other.predict(X[:2]).tobytes()}
    for part in again * count:
        part()
        possible.add(other.predict(X[:2]).tobytes())
    assert len(possible) > count / 2
    assert beside.found <= possible
    assert beside.found or beside.refused


def test_predictions_during_lbfgs_use_one_state():
    """L-BFGS also sets trial points; a prediction sees each of them whole or not at all."""
    pytest.importorskip("scipy.optimize")
    net = network()
    states = {}

    class Loss:
        def forward(self, scores, y):
            states[net.predict(X[:2]).tobytes()] = True
            self.d = scores - y
            return float((self.d**2).mean())

        def backward(self):
            return 2 * self.d / self.d.size

    states[net.predict(X[:2]).tobytes()] = True
    with Beside(net, X[:2]) as beside:
        fm.fit(net, X, Y, loss=Loss(), optimizer=fm.LBFGS(), epochs=8, progress=False)
    states[net.predict(X[:2]).tobytes()] = True
    assert beside.found <= set(states)


class Slow:
    """An object that becomes an array only after a signal."""

    def __init__(self, numbers):
        self.numbers, self.asked, self.given = numbers, threading.Event(), threading.Event()

    def __array__(self, dtype=None, copy=None):
        self.asked.set()
        assert self.given.wait(60)
        return self.numbers


def test_a_prediction_during_an_endless_update_is_refused():
    net = network()
    numbers = Slow(np.zeros(net.params.size, np.float32))
    core = net.core_net()
    thread = threading.Thread(target=core.assign, args=(numbers, net.state))
    thread.start()
    assert numbers.asked.wait(60)
    with pytest.raises(fm.StateError, match=r"^predict: another thread"):
        net.predict(X)
    numbers.given.set()
    assert not net.predict(X).any()  # after the update, for which it waits
    thread.join()


def predict_until_refused(net, x):
    while True:
        net.predict(x)


def test_a_long_prediction_during_steps_is_refused():
    """It ends soon after the first update, and the steps continue."""
    net = network()
    (update,) = by_steps(net)
    x = np.tile(X, (2000, 1))
    right = net.predict(x)
    over = threading.Event()

    def train():
        while not over.is_set():
            update()

    thread = threading.Thread(target=train)
    thread.start()
    try:
        with pytest.raises(fm.StateError, match=r"^predict: another thread"):
            predict_until_refused(net, x)
    finally:
        over.set()
        thread.join()
    assert net.predict(x).shape == right.shape
