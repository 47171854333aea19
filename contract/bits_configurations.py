"""Configurations of training, drawn so that every pair of choices occurs in one of them.

Activations, losses and optimizers come from the core's registries, each with its defaults and with
other parameters, so that a new row is covered without a change here.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from tests import harness, loss_problems
from tests.golden import runs

import fastmlp as fm
from contract.bits_networks import ARCHITECTURES
from fastmlp import _core

STEPS = 50


class Configuration(NamedTuple):
    """One choice of each kind, by name."""

    architecture: str
    activation: str
    loss: str
    reduction: str
    outputs: str
    optimizer: str
    clip: str
    penalty: str
    schedule: str
    batches: str
    weights: str
    dtype: str


def _named(makers: list[Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    return {repr(make()): make for make in makers}


def _activations() -> dict[str, Callable[..., Any]]:
    makers: list[Callable[..., Any]] = []
    for row in _core.activations():
        if row["name"] == "GELUTanh":
            makers.append(partial(fm.GELU, approximate="tanh"))
            continue
        names = [name for name, _ in row["params"]]
        for values in harness.parameter_choices(row):
            makers.append(
                partial(getattr(fm, row["name"]), **dict(zip(names, values, strict=True)))
            )
    return _named(makers)


def _losses() -> dict[str, Callable[..., Any]]:
    makers: list[Callable[..., Any]] = []
    for row in _core.losses():
        cls = getattr(fm, row["name"])
        if row["target"] == "fields":  # of other widths; tests/golden has their bits
            continue
        makers += [partial(cls, **given) for given in loss_problems.arguments(row["name"])]
    return _named(makers)


OTHER_HYPERPARAMETERS = {
    "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3, "betas": (0.8, 0.99), "eps": 1e-5,
    "alpha": 0.9, "lr_decay": 0.05,
}  # fmt: skip


def _optimizers() -> dict[str, Callable[..., Any]]:
    makers: list[Callable[..., Any]] = []
    for row in _core.optimizers():
        cls = getattr(fm, row["name"])
        names = [
            name for name in OTHER_HYPERPARAMETERS if name in inspect.signature(cls).parameters
        ]
        makers += [cls, partial(cls, **{name: OTHER_HYPERPARAMETERS[name] for name in names})]
    return _named(makers)


ACTIVATIONS, LOSSES, OPTIMIZERS = _activations(), _losses(), _optimizers()

PENALTIES: dict[str, tuple[fm.Penalty, ...]] = {
    "none": (), "L1": (fm.L1(1e-3),), "L2": (fm.L2(1e-3),),
    "all": (fm.L2(1e-3), fm.L1(1e-3), fm.Lp(1.5, 1e-3)),
}  # fmt: skip

# One schedule needs a top rate that is not a multiple of the optimizer's rate.
SCHEDULES: dict[str, Callable[[float], fm.Schedule | None]] = {
    "none": lambda lr: None,
    "StepLR": lambda lr: fm.StepLR(3, 0.5),
    "ExponentialLR": lambda lr: fm.ExponentialLR(0.95),
    "CosineLR": lambda lr: fm.CosineLR(lr / 100, warmup=1),
    "OneCycleLR": lambda lr: fm.OneCycleLR(2 * lr),
    "ReduceLROnPlateau": lambda lr: fm.ReduceLROnPlateau(0.5, 1),
}

# (rows, rows in a step): one row, odd numbers, a whole batch, more rows than a chunk of a sum.
BATCHES = {
    "1 of 26": (26, 1), "7 of 33": (33, 7), "32 of 100": (100, 32), "61 of 61": (61, 61),
    "1051 of 1100": (1100, 1051),
}  # fmt: skip

CHOICES = Configuration(
    architecture=tuple(ARCHITECTURES), activation=tuple(ACTIVATIONS), loss=tuple(LOSSES),
    reduction=("mean", "sum"), outputs=("few", "many"), optimizer=tuple(OPTIMIZERS),
    clip=("no clipping", "clipping"), penalty=tuple(PENALTIES), schedule=tuple(SCHEDULES),
    batches=tuple(BATCHES), weights=("no weights", "weights"), dtype=runs.DTYPES,
)  # type: ignore[arg-type]  # fmt: skip

Pair = tuple[int, str, int, str]


def pairs_of(configuration: Configuration) -> set[Pair]:
    """Each pair of choices in a configuration, with their positions."""
    together = itertools.combinations(enumerate(configuration), 2)
    return {(i, a, j, b) for (i, a), (j, b) in together}


def every_pair() -> set[Pair]:
    """Every pair of choices that can occur."""
    return {
        (i, a, j, b)
        for (i, some), (j, others) in itertools.combinations(enumerate(CHOICES), 2)
        for a in some
        for b in others
    }


def configurations(least: int, tries: int = 20) -> Iterator[Configuration]:
    """``least`` different configurations, and more until every pair of choices has occurred.

    Of some random candidates, which all contain a new pair, each step takes the one with the most
    new pairs.
    """
    rng = harness.generator("configurations")
    missing, seen = every_pair(), set[Configuration]()
    in_order = sorted(missing)
    waiting = iter([in_order[i] for i in rng.permutation(len(in_order))])
    while missing or len(seen) < least:
        pair = next((pair for pair in waiting if pair in missing), None)
        found = max(
            (_random(rng, pair) for _ in range(tries)),
            key=lambda configuration: len(pairs_of(configuration) & missing),
        )
        if found in seen:
            continue
        seen.add(found)
        missing -= pairs_of(found)
        yield found


def _random(rng: Any, pair: Pair | None) -> Configuration:
    chosen = [options[rng.integers(len(options))] for options in CHOICES]
    if pair is not None:
        i, a, j, b = pair
        chosen[i], chosen[j] = a, b
    return Configuration(*chosen)
