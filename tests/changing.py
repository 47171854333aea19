"""Calls during which the caller's code changes every array it can reach, in a separate process.

Callbacks, nodes, losses and threads write wrong values into arrays, and change their shape, dtype
and flags, while a call uses them. Each call must end with a result or an exception and must not
crash. ``python -m tests.changing SEED COUNT`` prints the outcomes. It prints each case before it
begins, so that a crash is attributed to its case.
"""

from __future__ import annotations

import collections
import json
import random
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

import fastmlp as fm
from fastmlp import _core

ROWS, WIDTH, CLASSES = 64, 6, 5
# Numbers that are not a class, a row or an index.
WRONG = (-1, CLASSES, ROWS, 200_000, 2**31, 2**62, -(2**63))
TYPES = ("int8", "float16", "float32", "int64", "complex128")


class Changer:
    """Changes one random array of those that it has been given."""

    def __init__(self, draws: random.Random) -> None:
        self.draws = draws
        self.arrays: list[np.ndarray] = []
        self.lists: list[list[Any]] = []
        self.objects: list[Callable[[], Any]] = []
        self.left = draws.randint(1, 4)  # more would end each call at its beginning

    def reach(self, *values: Any) -> None:
        """Add these arrays, and lists of arrays, to those that may change."""
        for value in values:
            if isinstance(value, np.ndarray):
                self.arrays.append(value)
            elif isinstance(value, list):
                self.lists.append(value)
                self.reach(*value)

    def __call__(self, chance: float = 0.3) -> None:
        if self.left == 0 or self.draws.random() > chance:
            return
        self.left -= 1
        changes = [self.values] * 4 + [self.shape, self.dtype, self.flags]
        changes += ([self.members] if self.lists else []) + ([self.remade] if self.objects else [])
        # NumPy may refuse a change, or the network may be in use.
        refusals = ValueError, TypeError, AttributeError, OverflowError, fm.FastMLPError
        with suppress(*refusals):
            self.draws.choice(changes)()

    def array(self) -> np.ndarray:
        return self.draws.choice(self.arrays)

    def values(self) -> None:
        array = self.array()
        wrong = self.draws.choice(WRONG)
        if self.draws.random() < 0.5:
            array[...] = wrong
        else:
            array[self.draws.randrange(len(array))] = wrong

    def shape(self) -> None:
        array = self.array()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array.shape = self.draws.choice([(-1,), (-1, 1), (1, -1), (-1, 2), (2, -1), (1, 1, -1)])

    def dtype(self) -> None:
        array = self.array()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array.dtype = np.dtype(self.draws.choice(TYPES))

    def flags(self) -> None:
        self.array().setflags(write=self.draws.random() < 0.5)

    def members(self) -> None:
        held = self.draws.choice(self.lists)
        change = self.draws.randrange(4)
        if change == 0:
            held.clear()
        elif change == 1:
            held.extend([np.zeros((1, 1), np.float32)] * 20)
        elif change == 2:
            held[0] = np.zeros((1, 1), np.float32)
        else:
            held[0] = None

    def remade(self) -> None:
        self.draws.choice(self.objects)()


class Node:
    """A custom node that passes its input on, and changes arrays in both directions."""

    def __init__(self, change: Callable[[], None]) -> None:
        self.change = change

    def forward(self, x: Any) -> Any:
        self.change()
        return x

    def backward(self, dy: Any) -> Any:
        self.change()
        return dy

    def __copy__(self) -> Node:
        return self


class Squares:
    """A custom loss that changes arrays."""

    def __init__(self, change: Callable[[], None]) -> None:
        self.change = change

    def forward(self, scores: Any, y: Any) -> float:
        self.change()
        self.scores = scores
        return float((scores**2).mean())

    def backward(self) -> Any:
        self.change()
        return 2 * self.scores / self.scores.size


class Callback:
    """Changes arrays between epochs."""

    def __init__(self, change: Callable[[], None]) -> None:
        self.change = change

    def on_epoch_end(self, state: Any) -> None:
        self.change()

    def on_fit_start(self, state: Any) -> None:
        self.change()


class Rates(fm.ConstantLR):
    """A schedule that keeps the array that it returned."""

    changer: Changer

    def rates(self, *arguments: Any) -> Any:
        found = np.array(super().rates(*arguments))
        self.changer.reach(found)
        self.changer()
        return found


class Case:
    """One call; the changer can reach everything that it uses."""

    def __init__(self, seed: int) -> None:
        self.draws = random.Random(seed)
        self.change = Changer(self.draws)
        numbers = np.random.default_rng(seed)
        self.dtype = self.draws.choice(["float32", "float64"])
        self.x = numbers.standard_normal((ROWS, WIDTH)).astype(self.dtype)
        self.labels = numbers.integers(0, CLASSES, ROWS)
        self.values = numbers.standard_normal((ROWS, CLASSES)).astype(self.dtype)
        self.weights = np.ones(ROWS, self.dtype)
        self.order = np.arange(ROWS)
        self.change.reach(self.x, self.labels, self.values, self.weights, self.order)

    def network(self, node: bool) -> fm.Network:
        layers: list[Any] = [fm.Linear(WIDTH, 8), fm.BatchNorm(8), fm.Dropout(0.2), fm.ReLU()]
        layers += [Node(self.change)] if node else []
        net = fm.Sequential(*layers, fm.Linear(8, CLASSES), dtype=self.dtype, seed=0)
        return self.reached(net)

    def two_ends(self) -> fm.Network:
        a, b = fm.Input(WIDTH, name="a"), fm.Input(WIDTH, name="b")
        h = fm.Tanh()(fm.Linear(WIDTH, 8)(a) + fm.Linear(WIDTH, 8)(b))
        outputs = {"label": fm.Linear(8, CLASSES)(h), "value": fm.Linear(8, CLASSES)(h)}
        return self.reached(fm.Graph({"a": a, "b": b}, outputs, dtype=self.dtype, seed=0))

    def reached(self, net: fm.Network) -> fm.Network:
        self.change.reach(net.params, net.grads, net.state)
        self.change.objects.append(
            lambda: net.__init__(fm.Linear(2, 2), seed=1)  # type: ignore[misc]
        )
        return net

    def trainer(self, net: fm.Network, loss: Any) -> fm.Trainer:
        trainer = fm.Trainer(net, loss, self.draws.choice([fm.Adam(), fm.SGD(momentum=0.9)]))
        self.change.objects.append(lambda: trainer.__init__(net, fm.MSELoss()))  # type: ignore[misc]
        return trainer

    def loss_and_target(self) -> tuple[Any, np.ndarray]:
        return self.draws.choice([
            (fm.CrossEntropyLoss(), self.labels), (fm.CrossEntropyLoss(0.1), self.labels),
            (fm.MultiMarginLoss(), self.labels), (fm.CrossEntropyLoss(), abs(self.values)),
            (fm.MSELoss(), self.values), (fm.QuantileLoss([0.5] * CLASSES), self.values),
            (Squares(self.change), self.values),
        ])  # fmt: skip

    # ---- calls ----

    def fit(self) -> None:
        loss, target = self.loss_and_target()
        own = isinstance(loss, Squares)
        schedule = None
        if self.draws.random() < 0.3:
            schedule = Rates()
            schedule.changer = self.change
        self.trainer(self.network(self.draws.random() < 0.5), loss).fit(
            self.x, target, sample_weight=None if own else self.weights, epochs=4,
            batch_size=self.draws.choice([1, 10, ROWS]), shuffle=self.draws.random() < 0.5,
            validation=(self.x, target) if self.draws.random() < 0.5 else None,
            callbacks=[Callback(self.change)], schedule=schedule, progress=False,
        )  # fmt: skip

    def fit_two_ends(self) -> None:
        losses = {"label": fm.CrossEntropyLoss(), "value": fm.MSELoss()}
        inputs = {"a": self.x, "b": self.x.copy()}
        self.change.reach(inputs["b"])
        self.trainer(self.two_ends(), losses).fit(
            inputs, {"label": self.labels, "value": self.values}, epochs=4, batch_size=10,
            callbacks=[Callback(self.change)], progress=False,
        )  # fmt: skip

    def fit_by_lbfgs(self) -> None:
        loss, target = self.loss_and_target()
        net = self.network(node=True)
        fm.fit(net, self.x, target, loss=loss, optimizer=fm.LBFGS(), epochs=3, progress=False,
               callbacks=[Callback(self.change)])  # fmt: skip

    def epochs(self) -> None:
        loss, target = self.loss_and_target()
        trainer = self.trainer(self.network(node=True), loss)
        data = trainer.checked_data(self.x, target, None)
        rates, losses = np.full(7, 0.01), np.zeros((7, 2))
        self.change.reach(data.x, data.target, rates, losses)
        for _ in range(4):
            self.change()
            trainer.epoch(data, self.order, 10, rates, losses=losses)
            self.change()
            trainer.evaluate(data)

    def steps(self) -> None:
        loss, target = self.loss_and_target()
        trainer = self.trainer(self.network(self.draws.random() < 0.5), loss)
        for _ in range(8):
            self.change()
            trainer.step(self.x, target)

    def passes(self) -> None:
        net = self.network(node=True)
        out = np.empty((ROWS, CLASSES), self.dtype)
        self.change.reach(out)
        for _ in range(4):
            net.predict(self.x, out)
            net.forward(self.x, training=True, keep=self.draws.random() < 0.5)
            net.backward(self.values)

    def losses(self) -> None:
        loss, target = self.loss_and_target()
        if isinstance(loss, Squares):
            return
        for _ in range(8):
            self.change()
            loss.forward(self.values, target, self.weights)
            loss.backward()

    def run(self) -> str:
        """Make the call, with or without a second thread; return how it ended."""
        call = self.draws.choice([
            self.fit, self.fit, self.fit_two_ends, self.fit_by_lbfgs, self.epochs, self.steps,
            self.passes, self.losses,
        ])  # fmt: skip
        print(json.dumps(call.__name__), flush=True)
        over = threading.Event()
        thread = threading.Thread(target=self._change_until, args=(over,))
        beside = self.draws.random() < 0.5
        if beside:
            thread.start()
        try:
            call()
        except Exception as error:
            return f"{call.__name__}: {type(error).__name__}"
        finally:
            over.set()
            if beside:
                thread.join()
        return f"{call.__name__}: result"

    def _change_until(self, over: threading.Event) -> None:
        while not over.is_set():
            self.change(1e-3)


def main(first: int, count: int) -> None:
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    sys.setswitchinterval(1e-5)
    _core.ignore_thread_cost(True)
    fm.set_num_threads(2)
    outcomes = collections.Counter[str]()
    for seed in range(first, first + count):
        print(seed, flush=True)
        outcomes[Case(seed).run()] += 1
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
