"""Calls that run until an interrupt: ``python -m contract.interruption_calls folder``.

Reads lines ``["name", threads]`` from standard input. For each it writes one line when the call is
running, one with the time at which KeyboardInterrupt arrived, and one with the faults found.
"""

from __future__ import annotations

import itertools
import json
import signal
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from contract.memory_cases import Cube
from fastmlp import _core

MORE = 3  # steps or epochs after the interrupt


def say(what: Any) -> None:
    """Write a line to the calling process."""
    print(json.dumps(what), flush=True)


def data(rows: int, width: int, classes: int) -> tuple[Any, Any]:
    """Rows and labels."""
    x = np.sin(np.arange(rows * width, dtype=np.float64)).reshape(rows, width)
    return x.astype(np.float32), np.arange(rows) % classes


def mlp(*widths: int, after_relu: Callable[[int], Any] | None = None) -> Any:
    """Linear layers with a ReLU between them, and another layer after each ReLU."""
    layers: list[Any] = []
    for a, b in pairwise(widths[:-1]):
        layers += [fm.Linear(a, b), fm.ReLU(), *([after_relu(b)] if after_relu else [])]
    return fm.Sequential(*layers, fm.Linear(*widths[-2:]), seed=1)


@dataclass(frozen=True)
class Fit:
    """A fit that would never end."""

    widths: tuple[int, ...]
    rows: int
    batch: int
    after_relu: Callable[[int], Any] | None = None
    validation: bool = False
    every: int = 0  # epochs between checkpoints

    def trainer(self) -> fm.Trainer:
        """The trainer of a new network."""
        net = mlp(*self.widths, after_relu=self.after_relu)
        return fm.Trainer(net, fm.CrossEntropyLoss(), fm.Adam(lr=1e-4), fm.L2(1e-3))

    def run(self, trainer: fm.Trainer, epochs: int, *hooks: Any) -> None:
        """Fit."""
        x, y = data(self.rows, self.widths[0], self.widths[-1])
        trainer.fit(x, y, epochs=epochs, batch_size=self.batch, callbacks=hooks, progress=False,
                    validation=(x[:200], y[:200]) if self.validation else None)  # fmt: skip


FITS = {
    "fit, many short epochs": Fit((8, 4, 3), 30, 10),
    "fit, one long epoch": Fit((20, 50, 3), 400_000, 8),
    "fit, checkpoints": Fit((20, 50, 3), 2_000, 32, lambda n: fm.Dropout(0.2), True, 1),
    "fit, some checkpoints": Fit((100, 200, 200, 10), 4_000, 128, fm.BatchNorm, True, 3),
    "fit, wide": Fit((784, 1024, 1024, 10), 4_096, 512),
    "fit, long steps": Fit((1024, 1024, 1024, 10), 4_096, 4_096),
    "fit, nodes in Python": Fit((20, 30, 3), 1_000, 50, lambda n: Cube(), True),
}


class Ready:
    """Reports that a fit has begun."""

    def on_fit_start(self, state: Any) -> None:
        """Report it."""
        say("ready")

    def on_epoch_end(self, state: Any) -> None:
        """Do nothing."""


def numbers(trainer: fm.Trainer) -> list[Any]:
    """Everything that a fit continues from, bit for bit."""
    state = trainer.state_dict()
    arrays = [trainer.net.params, trainer.net.state, *state["slots"], state["powers"]]
    return [*(array.tobytes() for array in arrays), state["t"], state["step_count"]]


def steps(fit: Fit, trainer: fm.Trainer, first: int, count: int) -> None:
    """Make single steps of a fit."""
    x, y = data(fit.rows, fit.widths[0], fit.widths[-1])
    a_round = -(-fit.rows // fit.batch)
    order, known = None, -1
    for step in range(first, first + count):
        epoch, place = divmod(step, a_round)
        if epoch != known:
            order, known = _core.permutation(fit.rows, trainer.net.seed, epoch), epoch
        rows = order[place * fit.batch : (place + 1) * fit.batch]
        trainer.step(np.ascontiguousarray(x[rows]), y[rows])


def interrupted_fit(fit: Fit, path: Path) -> list[str]:
    """Fit until the interrupt; return the faults found afterwards."""
    path.unlink(missing_ok=True)
    trainer = fit.trainer()
    saving = [fm.Checkpoint(path, every=fit.every)] if fit.every else []
    try:
        fit.run(trainer, 10**9, Ready(), *saving)
    except KeyboardInterrupt as error:
        say(time.monotonic_ns())
        history = getattr(error, "history", None)
    wrong = [f"{other.name} was left over" for other in path.parent.glob(f".{path.name}.*")]
    return [*wrong, *_is_a_step(fit, trainer, history), *_goes_on(fit, path, history)]


def _is_a_step(fit: Fit, trainer: fm.Trainer, history: Any) -> list[str]:
    """The network is as a finished step left it, and continues from there."""
    wrong = []
    done = trainer.state_dict()["t"]
    epochs = done // -(-fit.rows // fit.batch)
    if not isinstance(history, fm.History) or not epochs - 1 <= len(history.loss) <= epochs:
        wrong.append(f"the history has not {epochs} epochs")
    other = fit.trainer()
    steps(fit, other, 0, done)
    if numbers(trainer) != numbers(other):
        wrong.append(f"the network is not as step {done} left it")
    steps(fit, trainer, done, MORE)
    steps(fit, other, done, MORE)
    if numbers(trainer) != numbers(other):
        wrong.append("steps after the interrupt give other results")
    return wrong


def _goes_on(fit: Fit, path: Path, history: Any) -> list[str]:
    """A fit resumed from the last checkpoint equals the fit without an interrupt."""
    if not fit.every or not isinstance(history, fm.History):
        return []
    epochs = len(history.loss) + MORE
    resumed, whole = fit.trainer(), fit.trainer()
    fit.run(resumed, epochs, fm.Checkpoint(path, every=10**9, resume=True))
    fit.run(whole, epochs)
    same = numbers(resumed) == numbers(whole) and resumed.history.loss == whole.history.loss
    return [] if same else ["the fit resumed from a checkpoint differs"]


def _for_ever(call: Callable[[], Any], again: Callable[[], Any]) -> list[str]:
    """Call until the interrupt; ``again`` returns what must be equal before and after it."""
    right = again()
    try:
        say("ready")
        for _ in itertools.count():
            call()
    except KeyboardInterrupt:
        say(time.monotonic_ns())
    same = all(np.array_equal(a, b) for a, b in zip(right, again(), strict=True))
    return [] if same else ["another result afterwards"]


def interrupted_predict() -> list[str]:
    """Predict many rows until the interrupt."""
    net = mlp(100, 300, 300, 10)
    x, _ = data(100_000, 100, 10)
    return _for_ever(lambda: net.predict(x), lambda: [net.predict(x[:500]), net.params.copy()])


def interrupted_lbfgs() -> list[str]:
    """Minimise with L-BFGS until the interrupt."""
    x, y = data(3_000, 40, 3)

    def fit(epochs: int) -> list[Any]:
        net = mlp(40, 100, 3)
        fm.fit(net, x, y, loss=fm.CrossEntropyLoss(), optimizer=fm.LBFGS(), epochs=epochs,
               progress=False)  # fmt: skip
        return [net.params]

    return _for_ever(lambda: fit(50), lambda: fit(2))


def interrupted_estimator() -> list[str]:
    """Fit an estimator until the interrupt."""
    from fastmlp.sklearn import MLPClassifier

    x, y = data(3_000, 20, 3)
    warnings.simplefilter("ignore")

    def fit(epochs: int) -> list[Any]:
        model = MLPClassifier((50,), max_iter=epochs, n_iter_no_change=10**6, random_state=0)
        return [model.fit(x, y).predict_proba(x[:100])]

    return _for_ever(lambda: fit(200), lambda: fit(2))


OTHERS = {
    "predict": interrupted_predict,
    "L-BFGS": interrupted_lbfgs,
    "estimator": interrupted_estimator,
}


def main(folder: str) -> None:
    """Run the requested calls until the input ends."""
    # A shell makes its background processes ignore interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in sys.stdin:
        name, threads = json.loads(line)
        with fm.threads(threads):
            if name in FITS:
                wrong = interrupted_fit(FITS[name], Path(folder) / "checkpoint")
            else:
                wrong = OTHERS[name]()
        say(wrong)


if __name__ == "__main__":
    main(sys.argv[1])
