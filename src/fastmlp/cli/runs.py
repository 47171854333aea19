"""What `fastmlp train` runs: one hold-out, or a cross-validation and a fit on all rows."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from fastmlp.cli.progress import EpochLines
from fastmlp.cli.settings import Settings
from fastmlp.cli.tables import Row
from fastmlp.tabular import scores
from fastmlp.tabular.model_file import TableDescription, TableModel
from fastmlp.tabular.models.mlp import fit_network
from fastmlp.tabular.plan import Plan
from fastmlp.tabular.reading import TableError
from fastmlp.tabular.splits import HOLD_OUT, Preparation, folds, hold_out, split_off
from fastmlp.tabular.table import Array, Table
from fastmlp.tabular.text import four_digits


@dataclass(frozen=True)
class Run:
    """A trained model, and how good it is on rows that it, or its likes, were not trained on."""

    model: TableModel
    history: fm.History
    true: Array
    outputs: Array  # of the rows of `true`
    score_rows: list[tuple[str, list[float]]]  # by name: scores.NAMES
    summary: list[Row]  # the first one is the headline
    epochs: str
    seconds: float


def run_hold_out(settings: Settings, table: Table) -> Run:
    """Train on 70 % of the rows, stop by 15 % and test on 15 %."""
    train, validation, test = hold_out(table, settings.seed)
    preparation = Preparation.fit(table, train)
    parts = preparation.parts(train, validation, settings.dtype)
    plan = settings.plan(len(train))
    callbacks = _callbacks(settings, table, settings.checkpoint, "training", lines=True)
    start = time.perf_counter()
    net, history = fit_network(settings, plan, len(table.classes), *parts, callbacks)
    seconds = time.perf_counter() - start
    model = _model(net, preparation)
    outputs = model.outputs(preparation.part(test, settings.dtype).x)
    measured = scores.measure(table, table.y[test], outputs)
    rows = [
        ("fastmlp", measured),
        (scores.BASELINES[table.task], scores.baseline(table, train, test)),
    ]
    summary = _headline(table, table.y[test], outputs, measured)
    return Run(model, history, table.y[test], outputs, rows, summary, _epochs(history), seconds)


def run_cross_validation(settings: Settings, table: Table, count: int) -> Run:
    """Train and test `count` times, then train on all rows.

    That goes through the whole cycle of rates; at a constant one, through as many epochs as was
    best in the median of the folds.
    """
    if 2 * count > len(table.y):
        raise TableError(f"{len(table.y)} rows are too few for {count} folds")
    plan = settings.plan(len(table.y) * (count - 1) // count)
    start = time.perf_counter()
    outputs = np.zeros((len(table.y), len(table.classes)) if table.classes else len(table.y))
    rows, baselines, best = [], [], []
    for number, (rest, test) in enumerate(folds(table, count, settings.seed), 1):
        title = f"fold {number} of {count}"
        callbacks = _callbacks(settings, table, settings.checkpoint_of(number), title)
        model, history = _fit_fold(settings, plan, table, rest, title, callbacks)
        outputs[test] = model.predict(table.frame.iloc[test])
        rows.append((title, scores.measure(table, table.y[test], outputs[test])))
        baselines.append(scores.baseline(table, rest, test))
        best.append((history.best_epoch or 0) + 1)
    if not plan.one_cycle:
        plan = replace(plan, epochs=round(statistics.median(best)))
    model, history = _fit_all(settings, plan, table)
    spread = _with_spread(rows, baselines, scores.BASELINES[table.task])
    summary = _cross_validated(table, spread, count)
    words = f"{plan.epochs} on all rows"
    seconds = time.perf_counter() - start
    return Run(model, history, table.y, outputs, rows + spread, summary, words, seconds)


def _fit_fold(
    settings: Settings, plan: Plan, table: Table, rows: Array, title: str, callbacks: list[Any]
) -> tuple[TableModel, fm.History]:
    train, validation = split_off(table, rows, HOLD_OUT, settings.seed)
    preparation = Preparation.fit(table, train)
    parts = preparation.parts(train, validation, settings.dtype)
    net, history = fit_network(settings, plan, len(table.classes), *parts, callbacks)
    if settings.progress:
        best = history.best_epoch or 0
        print(f"{title}: validation {_score_name(table)} {history.val_score[best]:.4f}, "
              f"loss {history.val_loss[best]:.4f} in epoch {best + 1} of {len(history)}",
              flush=True)  # fmt: skip
    return _model(net, preparation), history


def _fit_all(settings: Settings, plan: Plan, table: Table) -> tuple[TableModel, fm.History]:
    rows = np.arange(len(table.y))
    preparation = Preparation.fit(table, rows)
    part = preparation.part(rows, settings.dtype)
    callbacks = _callbacks(settings, table, settings.checkpoint, "all rows")
    net, history = fit_network(settings, plan, len(table.classes), part, None, callbacks)
    return _model(net, preparation), history


def _callbacks(
    settings: Settings, table: Table, checkpoint: Path | None, title: str, lines: bool = False
) -> list[Any]:
    callbacks: list[Any] = []
    if checkpoint is not None:
        callbacks.append(fm.Checkpoint(checkpoint, resume=True))
    if settings.progress:
        callbacks.append(EpochLines(_score_name(table), title, lines))
    return callbacks


def _score_name(table: Table) -> str:
    return scores.NAMES[table.task][0]


def _model(net: fm.Sequential, preparation: Preparation) -> TableModel:
    table = preparation.table
    description = TableDescription(
        table.target_name, table.classes, preparation.target, preparation.encoder
    )
    return TableModel(net, description)


def _epochs(history: fm.History) -> str:
    if history.best_epoch is None:
        return f"{len(history)} (no epoch had a finite loss)"
    return f"{len(history)} (kept the weights of epoch {history.best_epoch + 1})"


def _headline(table: Table, true: Array, outputs: Array, measured: list[float]) -> list[Row]:
    if not table.classes:
        r2, rmse, _ = measured
        return [("test R2", f"{r2:.4f}"), ("test RMSE", four_digits(rmse))]
    right = int((true == outputs.argmax(axis=1)).sum())
    return [("test accuracy", f"{100 * right / true.size:.2f} % ({right} of {true.size})")]


def _with_spread(
    rows: list[tuple[str, list[float]]], baselines: list[list[float]], baseline: str
) -> list[tuple[str, list[float]]]:
    values = np.array([measured for _, measured in rows])
    return [
        ("mean", values.mean(axis=0).tolist()),
        ("standard deviation", values.std(axis=0, ddof=1).tolist()),
        (baseline, np.mean(baselines, axis=0).tolist()),
    ]


def _cross_validated(table: Table, spread: list[tuple[str, list[float]]], count: int) -> list[Row]:
    (_, means), (_, deviations), _ = spread
    text = f"{means[0]:.4f} +- {deviations[0]:.4f} ({count} folds)"
    return [(f"test {_score_name(table)}", text)]
