"""The state of the process before and after import and every kind of public call.

Runs in a process of its own, see ``report``.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tests import host_state

Call = Callable[[], object]


def _interrupted(fit: Callable[..., object]) -> Call:
    """A fit that Ctrl-C ends."""

    class Interrupt:
        def on_epoch_end(self, state: Any) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    def call() -> None:
        try:
            fit(epochs=10**6, callbacks=[Interrupt()])
        except KeyboardInterrupt:
            return
        raise AssertionError("the fit was not interrupted")

    return call


def _refused(call: Call, error: type[Exception]) -> Call:
    def refused() -> None:
        try:
            call()
        except error:
            return
        raise AssertionError("no error")

    return refused


def _calls(folder: Path) -> Iterator[tuple[str, Call]]:
    """Public calls by name, on a network whose numbers underflow."""
    import fastmlp as fm
    from fastmlp import _core

    _core.ignore_thread_cost(True)
    x = np.random.RandomState(0).rand(200, 20).astype(np.float32) * np.float32(1e-38)
    y = np.arange(200) % 4
    layers = (fm.Linear(20, 30), fm.GELU(), fm.Dropout(0.1), fm.LayerNorm(30), fm.Linear(30, 4))
    net = fm.Sequential(*layers)
    trainer = fm.Trainer(net, fm.CrossEntropyLoss())

    def fit(**options: Any) -> object:
        return fm.fit(net, x, y, loss=fm.CrossEntropyLoss(), progress=False, **options)

    path = folder / "model.safetensors"
    yield "build", lambda: fm.Sequential(fm.Linear(3, 2, init="he_normal"))
    yield "forward", lambda: net.forward(x, training=True)
    yield "backward", lambda: net.backward(net.forward(x, training=True))
    yield "predict", lambda: net.predict(x)
    yield "predict on lists", lambda: net.predict(x[:3].tolist())
    yield "step", lambda: trainer.step(x, y)
    yield "fit", lambda: fit(epochs=2, validation=0.2)
    yield "fit by L-BFGS", lambda: fit(epochs=2, optimizer=fm.LBFGS())
    yield "interrupted fit", _interrupted(fit)
    yield "wrong argument", _refused(lambda: net.predict(x[:, :3]), fm.ArgumentError)
    yield (
        "NaN in the data",
        _refused(
            lambda: fm.fit(net, x * np.nan, y, loss=fm.CrossEntropyLoss(), progress=False),
            fm.ArgumentError,
        ),
    )
    yield "no memory", _refused(lambda: _without_memory(net), fm.OutOfMemoryError)
    yield "save", lambda: net.save(path)
    yield "load", lambda: fm.load(path)
    yield "copy and pickle", lambda: pickle.loads(pickle.dumps(net.copy("float64")))
    yield "threads", lambda: _in_threads(net, x)
    yield "show_config", fm.show_config
    yield "repr", lambda: repr(net)


def _without_memory(net: Any) -> None:
    from fastmlp import _core

    _core.fail_allocation(1)
    try:
        net.copy()
    finally:
        _core.fail_allocation(0)


def _in_threads(net: Any, x: Any) -> None:
    import fastmlp as fm

    with fm.threads(3):
        net.predict(x)


def _estimator_calls(kind: str) -> Iterator[tuple[str, Call]]:
    import fastmlp.sklearn

    model = getattr(fastmlp.sklearn, kind)(max_iter=2, random_state=0)
    x, y = np.random.RandomState(0).rand(50, 3), np.arange(50) % 2
    yield f"{kind}.fit", lambda: model.fit(x, y)
    yield f"{kind}.predict", lambda: model.predict(x)
    yield f"{kind}.score", lambda: model.score(x, y)


def _flags() -> dict[str, list[str]]:
    """Exception flags that calls on ready arrays raised or cleared: the core does neither."""
    import fastmlp as fm

    net = fm.Sequential(fm.Linear(4, 8), fm.Sigmoid(), fm.Linear(8, 4), seed=0)
    trainer = fm.Trainer(net, fm.MSELoss())
    x = np.full((300, 4), 1e38, np.float32)
    x[::3] = 1e-40
    net.predict(x)
    trainer.step(x, x)
    changed = {
        "predict": host_state.changed_flags(lambda: net.predict(x)),
        "step": host_state.changed_flags(lambda: trainer.step(x, x)),
    }
    return {
        name: [f"flags raised {raised:#x}, cleared {cleared:#x}"]
        for name, (raised, cleared) in changed.items()
        if raised or cleared
    }


def report(estimators: tuple[str, ...]) -> None:
    """Print how many calls there were, and what each changed of the process."""
    # What the import of others changes is not ours to answer for.
    for name in ("scipy.optimize", *(("sklearn.base",) if estimators else ())):
        importlib.import_module(name)
    changed: dict[str, Any] = {}
    before = host_state.read()
    import fastmlp

    changed["import"] = host_state.changes(before)
    fastmlp.set_num_threads(2)
    count = 1
    with tempfile.TemporaryDirectory() as folder:
        calls = [*_calls(Path(folder))]
        for kind in estimators:
            calls += _estimator_calls(kind)
        before = host_state.read()
        for name, call in calls:
            for _ in range(2):
                call()
            changed[name] = host_state.changes(before)
            count += 1
    changed |= {f"{name} (flags)": found for name, found in _flags().items()}
    print(json.dumps({"calls": count, "changed": {k: v for k, v in changed.items() if v}}))
