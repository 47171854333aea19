"""More calls for ``processes_state.py``: one for each class, and calls that other items list."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from tests import loss_problems
from tests.bad_values import NEEDED, subclasses

import fastmlp as fm
from contract import bad_input_entries, bits_configurations, bits_training, memory_cases
from contract.memory_cases import X as ROWS
from contract.memory_cases import Y as LABELS
from contract.processes_calls import Calls, fit
from fastmlp import initializers, reference
from fastmlp.layers import ACTIVATIONS

FITS = 60  # each has thirteen choices; the first fits contain most pairs of choices


def calls(folder: Path, estimators: bool) -> Calls:
    """Calls of every class, every entry point that takes an array, and more."""
    yield from _of_public_classes()
    for name, entry in bad_input_entries.entries().items():
        if estimators or not name.startswith("MLP"):
            yield f"entry {name}", lambda e=entry: e.call(e.make("float64"), e.good)
    for case in memory_cases.cases():
        if estimators or case.name != "estimator":
            yield f"case {case.name}", lambda c=case: c.prepare(c.make(), folder)()
    for configuration in itertools.islice(bits_configurations.configurations(0), FITS):
        yield f"fit of {configuration}", lambda c=configuration: bits_training.trained(c)


def _of_public_classes() -> Calls:
    """Every optimizer, schedule, penalty, loss, activation and initializer."""
    chain = fm.Sequential(fm.Linear(ROWS.shape[1], 4), fm.Tanh(), fm.Linear(4, 3))
    for argument, base in {
        "optimizer": fm.Optimizer, "schedule": fm.Schedule, "penalty": fm.Penalty,
    }.items():  # fmt: skip
        for name, made in _each(base):
            options = {"epochs": 2, argument: made}
            yield name, lambda options=options: fit(chain, ROWS, LABELS, **options)
    for name, loss in _each(fm.Loss):
        scores = np.full((len(LABELS), loss_problems.width_of(loss, 3)), 0.5, np.float32)
        y = loss_problems.targets(loss, *scores.shape, np.random.default_rng(0))
        given = scores, y
        yield name, lambda loss=loss, given=given: (loss.forward(*given), loss.backward())
    for name, kind in ACTIVATIONS.items():
        layer = kind()
        yield name, lambda layer=layer: layer.backward(layer.forward(ROWS))
    x = ROWS[:, :3]
    for name in initializers.NAMES:
        yield (
            f"initializer {name}",
            lambda name=name: fm.Linear(3, 2, init=name).forward(x),
        )
    gelu = reference.Activation("GELU")
    yield "reference", lambda: gelu.backward(gelu.forward(ROWS))


def _each(base: type) -> list[tuple[str, Any]]:
    """One object of each public class of a kind, by name."""
    named = {cls.__name__: cls for cls in subclasses(base)}
    return [(name, named[name](**NEEDED.get(name, {}))) for name in sorted(named)]
