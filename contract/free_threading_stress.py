"""Threads do random operations on the same objects: each gets the right result or a StateError.

Runs in a separate process, see ``report``. A forward pass and its backward are two calls, and other
calls may come between them. So all threads use the same batch, and every order has the same result.
"""

from __future__ import annotations

import collections
import json
import pickle
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from fastmlp import _core

THREADS = 8
ROWS, WIDTH, CLASSES = 96, 24, 5

_draws = np.random.default_rng(0)
X = _draws.normal(size=(ROWS, WIDTH)).astype(np.float32)
Y = np.arange(ROWS) % CLASSES
DY = _draws.normal(size=(ROWS, CLASSES)).astype(np.float32)


class Wrong(AssertionError):
    """A result that is neither right nor a StateError."""


def _network(seed: int) -> fm.Sequential:
    return fm.Sequential(
        fm.Linear(WIDTH, 64), fm.GELU(), fm.Dropout(0.1), fm.LayerNorm(64), fm.Linear(64, CLASSES),
        seed=seed,
    )  # fmt: skip


def _trainer(net: fm.Sequential) -> fm.Trainer:
    return fm.Trainer(net, fm.CrossEntropyLoss(), fm.Adam(clip_norm=1.0), penalty=fm.L2(1e-4))


def _same(found: Any, wanted: Any) -> None:
    if np.asarray(found).tobytes() != np.asarray(wanted).tobytes():
        raise Wrong("other bits")


class Shared:
    """A network that no thread trains, one that all train, and their known results."""

    def __init__(self, folder: Path) -> None:
        self.still, self.trainer = _network(1), _trainer(_network(2))
        self.steps = 0
        self.predictions = set[bytes]()  # made between the steps
        self.count = threading.Lock()
        self.folder = folder
        other = self.still.copy()
        self.output = other.forward(X)
        self.dx = other.backward(DY)
        self.hidden = other.forward(X, keep=True) is not None and other.layers[0].output.copy()
        self.own = self._trained_alone()
        self.optimizer = fm.SGD(self.still, lr=0.0)
        self.layer = fm.Linear(WIDTH, CLASSES, seed=4)
        self.layer_output = fm.Linear(WIDTH, CLASSES, seed=4).forward(X)

    def _trained_alone(self) -> bytes:
        net = _network(3)
        history = fm.fit(
            net, X, Y, loss=fm.CrossEntropyLoss(), epochs=2, batch_size=32, progress=False
        )
        return net.params.tobytes() + np.asarray(history.loss).tobytes()

    # ---- operations ----

    def predict(self) -> None:
        _same(self.still.predict(X), self.output)

    def predict_rows(self) -> None:
        first = random.randrange(ROWS)
        _same(self.still.predict(X[first:]), self.output[first:])

    def forward(self) -> None:
        _same(self.still.forward(X), self.output)

    def forward_and_backward(self) -> None:
        self.still.forward(X)
        _same(self.still.backward(DY), self.dx)

    def look_inside(self) -> None:
        _same(self.still.forward(X, keep=True), self.output)
        hidden = self.still.layers[0].output
        if hidden is not None:  # otherwise another forward without keep came in between
            _same(hidden, self.hidden)

    def copy(self) -> None:
        _same(self.still.copy().predict(X), self.output)

    def pickle(self) -> None:
        _same(pickle.loads(pickle.dumps(self.still)).predict(X), self.output)

    def save_and_load(self) -> None:
        path = self.folder / f"{threading.get_ident()}.safetensors"
        self.still.save(path)
        _same(fm.load(path).predict(X), self.output)

    def step(self) -> None:
        value = self.trainer.step(X, Y)
        with self.count:
            self.steps += 1
        if not np.isfinite(value):
            raise Wrong("loss")

    def predict_amid_steps(self) -> None:
        found = self.trainer.net.predict(X).tobytes()
        with self.count:
            self.predictions.add(found)

    def update_by_nothing(self) -> None:
        self.optimizer.step()

    def penalty(self) -> None:
        fm.L2(1e-4).backward(self.trainer.net)  # the next step overwrites it

    def count_steps(self) -> None:
        self.still.step_count = 0

    def train_alone(self) -> None:
        if self._trained_alone() != self.own:
            raise Wrong("training alone")

    def new_layer(self) -> None:
        self.layer = fm.Linear(WIDTH, CLASSES, seed=4)

    def first_use(self) -> None:
        """The first use of a layer, which creates its parameters."""
        _same(self.layer.forward(X), self.layer_output)

    def settings(self) -> None:
        with fm.threads(random.choice((1, 2, 3))):
            _same(self.still.predict(X), self.output)
        fm.show_config()
        fm.set_num_threads(2)

    def operations(self) -> list[Callable[[], None]]:
        often = [self.predict, self.step, self.forward_and_backward, self.forward]
        return often * 3 + [
            self.predict_rows, self.look_inside, self.copy, self.pickle, self.save_and_load,
            self.predict_amid_steps, self.update_by_nothing, self.penalty, self.count_steps,
            self.train_alone, self.settings, self.new_layer, self.first_use, self.first_use,
        ]  # fmt: skip

    def steps_were_lost(self) -> bool:
        """Whether the same number of steps in one thread gives other parameters.

        Each prediction must belong to the parameters between two steps.
        """
        alone = _trainer(_network(2))
        self.predictions.discard(alone.net.predict(X).tobytes())
        for _ in range(self.steps):
            alone.step(X, Y)
            self.predictions.discard(alone.net.predict(X).tobytes())
        same = alone.net.params.tobytes() == self.trainer.net.params.tobytes()
        return not same or self.trainer._core.t != self.steps


def _work(shared: Shared, thread: int, until: float) -> collections.Counter[str]:
    draws, found = random.Random(thread), collections.Counter[str]()
    operations = shared.operations()
    while time.monotonic() < until:
        operation = draws.choice(operations)
        try:
            operation()
            found["right"] += 1
        except fm.StateError:
            found["refused"] += 1
        except Exception as error:
            found[f"{operation.__name__}: {type(error).__name__}: {error}"] += 1
    return found


def report(seconds: float) -> None:
    """Run the stress test and print its outcome."""
    sys.setswitchinterval(1e-5)
    _core.ignore_thread_cost(True)
    fm.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(THREADS) as pool:
        shared = Shared(Path(folder))
        until = time.monotonic() + seconds
        work = [pool.submit(_work, shared, thread, until) for thread in range(THREADS)]
        found = sum((one.result() for one in work), collections.Counter[str]())
    outcome = {
        "right": found.pop("right", 0),
        "refused": found.pop("refused", 0),
        "steps": shared.steps,
        "lost": shared.steps_were_lost(),
        "mixed": len(shared.predictions),
        "other": dict(found),
    }
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    print(json.dumps(outcome | {"gil": gil}))
