"""Calls in which requests for memory fail, and the states that they may leave."""

from __future__ import annotations

import copy
import importlib.util
import pickle
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from fastmlp import _core

ROWS, WIDTH, CLASSES, EPOCHS, BATCH = 40, 6, 3, 2, 16
X = np.sin(np.arange(ROWS * WIDTH)).reshape(ROWS, WIDTH).astype(np.float32)
Y = np.arange(ROWS) % CLASSES
DY = np.cos(np.arange(ROWS * CLASSES)).reshape(ROWS, CLASSES).astype(np.float32)


class Cube:
    """A node in Python, with a parameter."""

    def __init__(self) -> None:
        self.parameters = {"a": np.array([0.5])}

    def forward(self, x: Any) -> Any:
        """a x^3"""
        self.x = x
        return self.parameters["a"] * x**3

    def backward(self, upstream: Any) -> Any:
        """Gradients of both."""
        self.gradients = {"a": np.array([(upstream * self.x**3).sum()])}
        return upstream * self.parameters["a"] * 3 * self.x**2


class Half:
    """A loss in Python."""

    def forward(self, scores: Any, y: Any) -> float:
        """Half of the mean square."""
        self.difference = scores - np.eye(CLASSES)[y]
        return float((self.difference**2).sum() / (2 * len(y)))

    def backward(self) -> Any:
        """The gradient of the scores."""
        return self.difference / len(self.difference)


def chain() -> Any:
    """Layers wide enough to pack their products."""
    hidden = fm.Linear(WIDTH, 300)
    return fm.Sequential(hidden, fm.Tanh(), fm.Dropout(0.3), fm.Linear(300, CLASSES), seed=3)


def graph() -> Any:
    """Norms, joins, a maxout and a dropout layer."""
    nodes = [
        ("a", fm.Linear(WIDTH, 8), "x"), ("n", fm.BatchNorm(8), "a"), ("r", fm.ReLU(), "n"),
        ("b", fm.Linear(WIDTH, 8), "x"), ("m", fm.Multiply(), ["r", "b"]),
        ("l", fm.LayerNorm(8), "m"), ("c", fm.Concat(), ["l", "x"]), ("k", fm.Maxout(2), "c"),
        ("d", fm.Dropout(0.2), "k"), ("o", fm.Linear(7, CLASSES), "d"),
    ]  # fmt: skip
    return fm.Graph({"x": WIDTH}, "o", nodes=nodes, seed=4)


def custom() -> Any:
    """A custom node between two layers."""
    return fm.Sequential(fm.Linear(WIDTH, 5), Cube(), fm.Linear(5, CLASSES), seed=5)


State = tuple[bytes, bytes]


def state(net: Any) -> State:
    """Everything that training changes."""
    return net.params.tobytes(), net.state.tobytes()


@dataclass(frozen=True)
class Case:
    """A call on a network: ``prepare(net, folder)`` returns it, and it returns its results.

    ``finished`` returns the states that a failing call may leave, besides the state before it:
    those after each step of a fit.
    """

    name: str
    make: Callable[[], Any]
    prepare: Callable[[Any, Path], Callable[[], Any]]
    finished: Callable[[], set[State]] = set


def as_bytes(value: Any) -> Any:
    """A form of a result that can be compared bit for bit."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, (tuple, list)):
        return [as_bytes(one) for one in value]
    if isinstance(value, dict):
        return {name: as_bytes(one) for name, one in value.items()}
    if isinstance(value, fm.Network):
        return [*state(value), value.step_count]
    return value


def rewind(net: Any, start: State) -> None:
    """Restore the state of a network."""
    net.params[...] = np.frombuffer(start[0], net.dtype)
    net.state[...] = np.frombuffer(start[1], net.dtype)
    net.grads[...] = 0
    net.step_count = 0


# ---- training ----


def _steps(trainer: fm.Trainer) -> set[State]:
    """The states of a network after each step of a fit."""
    found = set()
    for epoch in range(EPOCHS):
        order = _core.permutation(ROWS, trainer.net.seed, epoch)
        for first in range(0, ROWS, BATCH):
            rows = order[first : first + BATCH]
            trainer.step(X[rows], Y[rows])
            found.add(state(trainer.net))
    return found


def _training(name: str, make: Callable[[], Any], *settings: Callable[[], Any]) -> Iterator[Case]:
    """A fit and a step with a loss, an optimizer and penalties."""

    def trainer(net: Any) -> fm.Trainer:
        return fm.Trainer(net, *(setting() for setting in settings))

    def fit(net: Any, folder: Path) -> Callable[[], Any]:
        def call() -> Any:
            fitter = trainer(net)
            stopping = fm.EarlyStopping(patience=9, restore_best=False)
            history = fitter.fit(X, Y, epochs=EPOCHS, batch_size=BATCH, validation=(X, Y),
                                 callbacks=[stopping], progress=False)  # fmt: skip
            return [history.loss, history.val_loss, fitter.state_dict()["slots"]]

        return call

    def one_step(net: Any, folder: Path) -> Callable[[], Any]:
        return lambda: trainer(net).step(X, Y)

    def after_one() -> set[State]:
        net = make()
        trainer(net).step(X, Y)
        return {state(net)}

    yield Case(f"fit, {name}", make, fit, lambda: _steps(trainer(make())))
    yield Case(f"step, {name}", make, one_step, after_one)


_OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "SGD": lambda: fm.SGD(0.1, momentum=0.9), "Adam": lambda: fm.Adam(clip_norm=1.0),
    "AdamW": fm.AdamW, "RMSprop": fm.RMSprop, "Adagrad": lambda: fm.Adagrad(clip_norm=1.0),
}  # fmt: skip


def _all_training() -> Iterator[Case]:
    for name, optimizer in _OPTIMIZERS.items():
        yield from _training(name, chain, fm.CrossEntropyLoss, optimizer,
                             lambda: [fm.L2(0.1), fm.L1(0.01)])  # fmt: skip
    yield from _training("norms and joins", graph, fm.CrossEntropyLoss, fm.Adam, lambda: fm.L2(0.1))
    yield from _training("nodes in Python", custom, Half, fm.Adam)


class _Remember:
    def __init__(self) -> None:
        self.seen: set[State] = set()

    def on_epoch_end(self, now: Any) -> None:
        """Keep the network's state."""
        self.seen.add(state(now.net))


def _lbfgs(net: Any, *hooks: Any) -> Any:
    return fm.fit(net, X, Y, loss=fm.CrossEntropyLoss(), optimizer=fm.LBFGS(), epochs=EPOCHS,
                  callbacks=hooks, progress=False).loss  # fmt: skip


def _lbfgs_iterations() -> set[State]:
    remember = _Remember()
    _lbfgs(chain(), remember)
    return remember.seen


def _estimator() -> Any:
    from fastmlp.sklearn import MLPClassifier

    model = MLPClassifier((5,), max_iter=2, n_iter_no_change=9, random_state=0, tol=0.0)
    with warnings.catch_warnings(action="ignore"):  # the warning that two iterations are few
        return model.fit(X, Y).predict_proba(X)


# ---- calls by hand ----


def _step_by_hand(net: Any) -> Any:
    optimizer = fm.SGD(net, lr=0.1, momentum=0.9, clip_norm=0.1)
    dx = net.backward(DY * (net.forward(X) > 0))
    value = fm.L2(0.1).forward(net)
    optimizer.step()
    return [dx, value]


def _after_step_by_hand(make: Callable[[], Any]) -> set[State]:
    net = make()
    _step_by_hand(net)
    return {state(net)}


def _backward(net: Any, folder: Path) -> Callable[[], Any]:
    net.forward(X)

    def call() -> Any:
        if net.core_net().saved_rows < 0:  # each backward needs its own forward
            net.forward(X)
        return [net.backward(DY), net.grads.copy()]

    return call


def _save(net: Any, folder: Path) -> Callable[[], Any]:
    return lambda: net.save(folder / "net")


def _load(net: Any, folder: Path) -> Callable[[], Any]:
    net.save(folder / "net")
    return lambda: fm.load(folder / "net")


_BY_HAND: dict[str, Callable[[Any, Path], Callable[[], Any]]] = {
    "copy": lambda net, folder: net.copy,
    "copy.copy": lambda net, folder: lambda: copy.copy(net),
    "predict": lambda net, folder: lambda: net.predict(X),
    "predict of other numbers": lambda net, folder: lambda: net.predict(X.astype(np.float64)),
    "forward": lambda net, folder: lambda: net.forward(X),
    "forward that keeps": lambda net, folder: lambda: net.forward(X, keep=True),
    "backward": _backward,
}
_FILES: dict[str, Callable[[Any, Path], Callable[[], Any]]] = {
    "pickle": lambda net, folder: lambda: pickle.loads(pickle.dumps(net)),
    "save": _save,
    "load": _load,
}


def _moments(make: Callable[[], Any]) -> set[State]:
    net = make()
    net.forward(X, training=True)
    return {state(net)}


def _of_network(name: str, make: Callable[[], Any], calls: Any) -> Iterator[Case]:
    for call, prepare in calls.items():
        yield Case(f"{call}, {name}", make, prepare)
    yield Case(f"constructor, {name}", make, lambda net, folder: make)
    yield Case(f"forward in training, {name}", make,
               lambda net, folder: lambda: net.forward(X, training=True),
               lambda: _moments(make))  # fmt: skip
    yield Case(f"step by hand, {name}", make, lambda net, folder: lambda: _step_by_hand(net),
               lambda: _after_step_by_hand(make))  # fmt: skip


def cases() -> list[Case]:
    """All cases, except those of packages that are not installed."""
    found = [*_all_training(), *_of_network("chain", chain, _BY_HAND | _FILES)]
    found += _of_network("norms and joins", graph, _BY_HAND | _FILES)
    found += _of_network("nodes in Python", custom, _BY_HAND)  # no file can hold them
    layer, loss = fm.Linear(WIDTH, 9), fm.MSELoss()
    found.append(Case("layer alone", chain, lambda net, folder: lambda: layer.forward(X)))
    found.append(Case("loss alone", chain, lambda net, folder: lambda: loss.forward(X, X)))
    if importlib.util.find_spec("scipy"):
        found.append(Case("fit, L-BFGS", chain, lambda net, folder: lambda: _lbfgs(net),
                          _lbfgs_iterations))  # fmt: skip
    if importlib.util.find_spec("sklearn"):
        found.append(Case("estimator", chain, lambda net, folder: _estimator))
    return found
