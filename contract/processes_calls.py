"""Public calls of every kind, by name; ``processes_state.py`` checks the process between them.

This module imports fastmlp, so it is imported only after the check of the import.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from contract.memory_cases import Cube, Half, custom, graph
from contract.memory_cases import X as ROWS
from contract.memory_cases import Y as LABELS
from fastmlp import _core

Call = Callable[[], object]
Calls = Iterator[tuple[str, Call]]


def calls(folder: Path) -> Calls:
    """The calls that need no other package; each may be repeated."""
    _core.ignore_thread_cost(True)
    yield from _of_settings()
    net = fm.Sequential(
        fm.Linear(20, 30), fm.GELU(), fm.Dropout(0.1), fm.LayerNorm(30), fm.Linear(30, 4)
    )
    # Numbers that underflow.
    x = np.random.RandomState(0).rand(200, 20).astype(np.float32) * np.float32(1e-38)
    y = np.arange(200) % 4
    yield from _of_networks(net, x)
    yield from _of_training(net, x, y)
    yield from _of_callbacks(net, x, y, folder / "checkpoint")
    yield from _of_refusals(net, x, y)
    yield from _of_files(net, folder)
    yield from _of_graphs(folder)
    yield from _of_own_nodes()


def _of_settings() -> Calls:
    yield "set_num_threads", lambda: fm.set_num_threads(2)
    yield "get_num_threads", fm.get_num_threads
    yield "show_config", fm.show_config


# ---- networks ----


def _of_networks(net: fm.Sequential, x: Any) -> Calls:
    yield "build", lambda: fm.Sequential(fm.Linear(3, 2, init="he_normal"))
    yield "forward", lambda: net.forward(x, training=True)
    yield "backward", lambda: net.backward(net.forward(x, training=True))
    yield "predict", lambda: net.predict(x)
    yield "predict on lists", lambda: net.predict(x[:3].tolist())
    yield "threads", lambda: _in_threads(net, x)
    yield "copy and pickle", lambda: pickle.loads(pickle.dumps(net.copy("float64")))
    yield "describe", lambda: fm.Sequential.from_description(net.describe())
    yield "summary and repr", lambda: (net.summary(), repr(net))


def _in_threads(net: fm.Sequential, x: Any) -> None:
    with fm.threads(3):
        net.predict(x)


def _of_training(net: fm.Sequential, x: Any, y: Any) -> Calls:
    trainer = fm.Trainer(net, fm.CrossEntropyLoss())
    data = trainer.checked_data(x, y, None)
    yield "step", lambda: trainer.step(x, y)
    yield "evaluate", lambda: trainer.evaluate(data)
    yield "state of a trainer", lambda: trainer.load_state_dict(trainer.state_dict())
    yield "fit", lambda: fit(net, x, y, epochs=2, validation=0.2)
    yield "fit by L-BFGS", lambda: fit(net, x, y, epochs=2, optimizer=fm.LBFGS())
    small = fm.Sequential(fm.Linear(ROWS.shape[1], 3), dtype="float64")
    yield "gradcheck", lambda: fm.gradcheck(small, fm.CrossEntropyLoss(), ROWS, LABELS)


def fit(net: Any, x: Any, y: Any, **options: Any) -> fm.History:
    return fm.fit(net, x, y, **{"loss": fm.CrossEntropyLoss(), "progress": False} | options)


def _of_callbacks(net: fm.Sequential, x: Any, y: Any, path: Path) -> Calls:
    more = itertools.count(1)  # a resumed fit needs further epochs
    stopping = fm.EarlyStopping(patience=1, monitor="loss")
    writing = fm.ProgressBar(file=io.StringIO())
    yield "Checkpoint", lambda: fit(net, x, y, epochs=2, callbacks=[fm.Checkpoint(path)])
    yield (
        "Checkpoint that is gone on from",
        lambda: fit(net, x, y, epochs=2 + next(more), callbacks=[fm.Checkpoint(path, resume=True)]),
    )
    yield "EarlyStopping", lambda: fit(net, x, y, epochs=5, callbacks=[stopping])
    yield "ProgressBar", lambda: fit(net, x, y, epochs=2, callbacks=[writing])
    yield "progress on standard error", lambda: _shown(net, x, y)
    yield "interrupted fit", lambda: _ended(net, x, y, _interrupt, KeyboardInterrupt)
    yield "fit that a callback ended", lambda: _ended(net, x, y, _raise, ZeroDivisionError)


def _shown(net: fm.Sequential, x: Any, y: Any) -> None:
    with contextlib.redirect_stderr(io.StringIO()):
        fit(net, x, y, epochs=2, progress=True)


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def _raise() -> None:
    raise ZeroDivisionError


def _ended(net: Any, x: Any, y: Any, by: Callable[[], None], error: type[BaseException]) -> None:
    class Ending:
        def on_epoch_end(self, state: Any) -> None:
            by()

    _refused(lambda: fit(net, x, y, epochs=10**6, callbacks=[Ending()]), error)


# ---- errors ----


def _refused(call: Call, error: type[BaseException]) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


def _of_refusals(net: fm.Sequential, x: Any, y: Any) -> Calls:
    yield "wrong argument", lambda: _refused(lambda: net.predict(x[:, :3]), fm.ArgumentError)
    yield "NaN in the data", lambda: _refused(lambda: fit(net, x * np.nan, y), fm.ArgumentError)
    yield "no memory", lambda: _refused(lambda: _without_memory(net), fm.OutOfMemoryError)


def _without_memory(net: fm.Sequential) -> None:
    _core.fail_allocation(1)
    try:
        net.copy()
    finally:
        _core.fail_allocation(0)


# ---- files ----


def _of_files(net: fm.Sequential, folder: Path) -> Calls:
    path, torn = folder / "model.safetensors", folder / "torn.safetensors"
    torn.write_bytes(b"torn")
    yield "save", lambda: net.save(path)
    yield "load", lambda: fm.load(path)
    yield "load of no model", lambda: _refused(lambda: fm.load(torn), ValueError)


# ---- graphs and custom nodes ----


def _of_graphs(folder: Path) -> Calls:
    net = graph()
    a, b = fm.Input(1, "a"), fm.Input(1, "b")
    values = {"a": [[2.0]], "b": [[3.0]]}
    circuit = fm.Graph([a, b], (a + b) * b)
    yield "Graph: build", graph
    yield "Graph: forward", lambda: net.forward(ROWS, training=True)
    yield "Graph: backward", lambda: net.backward(net.forward(ROWS))
    yield "Graph: predict", lambda: net.predict(ROWS)
    yield "Graph: fit", lambda: fit(net, ROWS, LABELS, epochs=2, penalty=fm.L2(0.1))
    yield "Graph: gradcheck", lambda: fm.gradcheck(net, fm.CrossEntropyLoss(), ROWS, LABELS)
    yield "Graph: copy and pickle", lambda: pickle.loads(pickle.dumps(net.copy()))
    yield "Graph: save and load", lambda: (net.save(folder / "g"), fm.load(folder / "g"))
    yield "Graph: summary and repr", lambda: (net.summary(), repr(net))
    yield "Graph: joins, products, parameters", _joined
    yield "Graph: forward that keeps", lambda: circuit.forward(values, keep=True)
    yield "Graph: draw", lambda: (circuit.draw(), circuit.draw(folder / "circuit.svg"))


def _joined() -> None:
    x = fm.Input(2)
    product = fm.MatMul()(fm.Parameter(2, 2), x)
    largest = fm.Maximum()(fm.Copy()(product), fm.Square()(product))
    net = fm.Graph(x, fm.Sum()(fm.Concat()(fm.Softmax()(largest), x)))
    net.backward(net.forward([[1.0, 2.0]]))


def _of_own_nodes() -> Calls:
    net = custom()
    alone = fm.Custom(Cube())
    yield "Custom: forward and backward", lambda: alone.backward(alone.forward(ROWS))
    yield "Custom: predict", lambda: net.predict(ROWS)
    yield "Custom: fit with a loss in Python", lambda: fit(net, ROWS, LABELS, loss=Half())


# ---- calls that need other packages ----


def calls_of_rich(folder: Path) -> Calls:
    """Calls of the command line."""
    from fastmlp import cli

    path = folder / "command.safetensors"
    fm.Sequential(fm.Linear(2, 1)).save(path)

    def info() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            assert cli.main(["info", str(path)]) == 0

    yield "command line", info


def calls_of_sklearn(folder: Path) -> Calls:
    """Calls of the estimators."""
    import fastmlp.sklearn as estimators

    x, y = np.random.RandomState(0).rand(50, 3), np.arange(50) % 2
    for kind in (estimators.MLPClassifier, estimators.MLPRegressor):
        model, name = kind(max_iter=2, random_state=0), kind.__name__
        yield f"{name}.fit", lambda m=model: m.fit(x, y)
        yield f"{name}.partial_fit", lambda m=model: m.partial_fit(x, y)
        yield f"{name}.predict", lambda m=model: m.predict(x)
        yield f"{name}.score", lambda m=model: m.score(x, y)
        yield f"{name}, pickled", lambda m=model: pickle.loads(pickle.dumps(m))


def calls_of_matplotlib(folder: Path) -> Calls:
    """Calls that draw pictures."""
    from fastmlp import plot

    net = fm.Sequential(fm.Linear(2, 4), fm.Tanh(), fm.Linear(4, 3))
    x = ROWS[:, :2]
    history = fit(net, x, LABELS, epochs=3)
    a, b = fm.Input(1, "a"), fm.Input(1, "b")
    circuit = fm.Graph([a, b], a * b)
    yield "plot.loss_curves", lambda: _saved(plot.loss_curves(history), folder)
    yield "plot.histograms", lambda: plot.histograms(net, x, LABELS, fm.CrossEntropyLoss())
    yield "plot.decision_boundary", lambda: plot.decision_boundary(net, x, LABELS, resolution=20)
    yield "plot.confusion_matrix", lambda: plot.confusion_matrix(LABELS, LABELS)
    yield "plot.predicted_against_true", lambda: plot.predicted_against_true(x[:, 0], x[:, 1])
    yield "Graph: draw as PNG", lambda: circuit.draw(folder / "circuit.png")


def _saved(ax: Any, folder: Path) -> None:
    ax.figure.savefig(folder / "picture.png")


OF_PACKAGES = {
    "rich": calls_of_rich,
    "sklearn": calls_of_sklearn,
    "matplotlib": calls_of_matplotlib,
}
