"""One fit of one network, from hyperparameters and encoded rows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

import fastmlp as fm
from fastmlp import _core
from fastmlp.base.errors import ArgumentError
from fastmlp.tabular.plan import Hyperparameters, Plan
from fastmlp.tabular.splits import Part

PATIENCE = 20  # epochs without a better validation loss (or accuracy) before training stops


def fit_network(
    options: Hyperparameters,
    plan: Plan,
    classes: int,
    train: Part,
    validation: Part | None,
    callbacks: Sequence[Any] = (),
) -> tuple[fm.Sequential, fm.History]:
    """Train a network; with a validation part, until it no longer gets better there.

    Parameters
    ----------
    options : Hyperparameters
    plan : Plan
        What `options` plan for the rows.
    classes : int
        0 for a regression.
    train, validation : Part
        Without validation, all the epochs are trained.
    callbacks : sequence of objects with ``on_epoch_end(state)``
        Called after the one that stops the training early.
    """
    net = make_network(options, train.x.shape[1], classes)
    stopping = [_early_stopping(plan, classes)] if validation else []
    with warnings.catch_warnings():
        # That the loss is no longer finite: what came of it is looked at below.
        warnings.simplefilter("ignore", RuntimeWarning)
        history = _fit(options, plan, net, classes, train, validation, [*stopping, *callbacks])
    if not np.isfinite(net.params).all():
        raise ArgumentError(
            f"training diverged: some weights are no longer finite after {len(history)} epochs; "
            "try a smaller --lr"
        )
    return net, history


def _fit(
    options: Hyperparameters, plan: Plan, net: fm.Sequential, classes: int, train: Part,
    validation: Part | None, callbacks: Sequence[Any],
) -> fm.History:  # fmt: skip
    return fm.fit(
        net,
        train.x,
        train.y,
        loss=fm.CrossEntropyLoss() if classes else fm.MSELoss(),
        optimizer=fm.Adam(lr=plan.lr),
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        validation=(validation.x, validation.y) if validation else None,
        callbacks=callbacks,
        seed=options.seed,
        progress=False,
        schedule=fm.OneCycleLR(plan.lr) if plan.one_cycle else None,
    )


def _early_stopping(plan: Plan, classes: int) -> fm.EarlyStopping:
    # On few rows the accuracy is too coarse to choose an epoch by; on many, a few rows far off the
    # others, of which some class is wrongly held certain, can rule the cross-entropy.
    by_accuracy = plan.one_cycle and classes > 0
    return fm.EarlyStopping(PATIENCE, monitor="val_score" if by_accuracy else "val_loss")


def make_network(options: Hyperparameters, inputs: int, classes: int) -> fm.Sequential:
    """A chain of hidden layers, each with its activation and dropout, and a linear output."""
    activation = _find_activation(options.activation)
    dropout = options.dropped_share("classification" if classes else "regression")
    layers: list[Any] = []
    width = inputs
    for hidden in options.hidden:
        layers += [fm.Linear(width, hidden), activation()]
        if dropout:
            layers.append(fm.Dropout(dropout))
        width = hidden
    layers.append(fm.Linear(width, classes or 1))
    return fm.Sequential(*layers, dtype=options.dtype, seed=options.seed)


def _find_activation(name: str) -> Any:
    """Find an activation by its class name in any case, ``leaky_relu`` or ``LeakyReLU``."""
    known = {row["name"].lower(): row["name"] for row in _core.activations()}
    key = name.lower().replace("_", "").replace("-", "")
    if key not in known:
        raise ArgumentError(f"activation {name!r} is unknown, expected one of {', '.join(known)}")
    return getattr(fm, known[key])
