"""Trains one configuration and returns the hash of its results.

``python -m contract.bits_training`` reads a list of configurations, instruction sets and thread
counts as JSON and prints the hashes, so that another build of the package can be asked.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from tests import harness
from tests.golden import runs

import fastmlp as fm
from contract.bits_configurations import (
    ACTIVATIONS,
    BATCHES,
    LOSSES,
    OPTIMIZERS,
    PENALTIES,
    SCHEDULES,
    STEPS,
    Configuration,
)
from contract.bits_networks import ARCHITECTURES
from fastmlp import _core

RATE = 0.01


class Outcome(NamedTuple):
    """The outcome of a training run.

    ``moved``: the parameters are finite and differ from the initial ones. ``predictions``: in how
    many ways the rows were divided and ordered. ``wrong``: how many of these gave other bits.
    """

    hash: str
    steps: int
    moved: bool
    predictions: int
    wrong: int


def trained(configuration: Configuration) -> Outcome:
    """Train on the current instruction set and number of threads."""
    run, schedule = _run(configuration)
    net = runs.network(run, configuration.dtype)
    first = net.params.copy()
    x, y, weight = runs.data(run, net)
    trainer = fm.Trainer(net, run.loss, run.optimizer, list(run.penalty))
    history = trainer.fit(x, y, epochs=run.epochs, batch_size=run.batch_size, schedule=schedule,
                          sample_weight=weight, progress=False)  # fmt: skip
    predicted = net.predict(x)
    state = net.core_net().state
    found = runs.digest(net.params, state, predicted, np.array(history.loss))
    tried = list(_other_predictions(net, x, predicted))
    finite = bool(np.isfinite(net.params).all() and np.isfinite(history.loss).all())
    return Outcome(
        found, int(trainer.state_dict()["t"]), finite and not np.array_equal(first, net.params),
        len(tried), sum(ours.tobytes() != whole.tobytes() for ours, whole in tried),
    )  # fmt: skip


def _run(c: Configuration) -> tuple[runs.Run, fm.Schedule | None]:
    rows, batch = BATCHES[c.batches]
    loss = LOSSES[c.loss](reduction=c.reduction)
    lr = RATE / batch if c.reduction == "sum" else RATE
    optimizer = OPTIMIZERS[c.optimizer](lr=lr, clip_norm=0.5 if c.clip == "clipping" else None)
    activation, make = ACTIVATIONS[c.activation], ARCHITECTURES[c.architecture]
    outputs = 12 if c.outputs == "many" else _few(loss)
    steps = -(-rows // batch)
    run = runs.Run(
        lambda: make(activation, outputs), rows, batch, loss, optimizer, PENALTIES[c.penalty],
        c.weights == "weights", -(-STEPS // steps),
    )  # fmt: skip
    return run, SCHEDULES[c.schedule](lr)


def _few(loss: fm.Loss) -> int:
    """1 output if the loss allows it; otherwise 3 classes or quantiles."""
    of_classes = harness.LOSSES[type(loss).__name__][1]["target"] == "class"
    return 3 if of_classes or len(getattr(loss, "quantiles", ())) == 3 else 1


def _other_predictions(net: fm.Network, x: Any, whole: Any) -> Iterable[tuple[Any, Any]]:
    """Predictions of parts and of reordered rows, paired with those of all rows together."""
    for size in (1, 3, 16, 17):
        some = range(0, min(len(x), 51), size)
        parts = [net.predict(x[at : at + size]) for at in some]
        yield np.concatenate(parts), whole[: some[-1] + size]
    order = _core.permutation(len(x), 3, 0)
    yield net.predict(x[order]), whole[order]
    yield net.predict(x[::-1]), whole[::-1]


def outcomes(
    configurations: list[Configuration], isa: str, threads: int
) -> dict[Configuration, Outcome]:
    """Train each configuration on this instruction set and number of threads."""
    before = _core.config()["isa"]
    _core.use_isa(isa)
    try:
        with harness.using_threads(threads):
            return {configuration: trained(configuration) for configuration in configurations}
    finally:
        _core.use_isa(before)


def main() -> None:
    asked = json.load(sys.stdin)
    configurations = [Configuration(*values) for values in asked["configurations"]]
    found = {
        f"{isa} {threads}": list(outcomes(configurations, isa, threads).values())
        for isa in asked["isas"]
        for threads in asked["threads"]
    }
    json.dump({"compiler": fm.show_config()["compiler"], "outcomes": found}, sys.stdout)


if __name__ == "__main__":
    main()
