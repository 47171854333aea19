"""Training on a table that is read in pieces."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.tabular import scores
from fastmlp.tabular.columns import ReadTable, TableReader
from fastmlp.tabular.fitting import (
    Data,
    Job,
    Result,
    class_factors,
    in_time,
    rarer_class,
    train_jobs,
)
from fastmlp.tabular.labels import Target
from fastmlp.tabular.members import Share, seed_of
from fastmlp.tabular.models import Member, Model
from fastmlp.tabular.models.head import Head
from fastmlp.tabular.presets import AUTO, Plan, plan_of
from fastmlp.tabular.reading import Frame
from fastmlp.tabular.reporter import Reporter
from fastmlp.tabular.settings import Settings
from fastmlp.tabular.splits import TEST_SHARE
from fastmlp.tabular.streaming.spool import Spool
from fastmlp.tabular.streaming.survey import TEST, VALIDATION, Roles, Survey, survey
from fastmlp.tabular.streaming.table import StreamedTable
from fastmlp.tabular.streaming.targets import TargetReader
from fastmlp.tabular.table_model import TableModel

# Held-out rows: more of them tell hardly more.
MOST_TEST, MOST_VALIDATION = 100_000, 50_000
SHARE_OF_HELD = 16  # of the memory, at most one part in so many, for each
VALUE_BYTES = 16  # of a held-out value, roughly
# Rows that a network is trained on, over all epochs, before there is but one epoch.
VISITS = 20_000_000


@dataclass(frozen=True)
class Streamed:
    """A trained model, with what is needed to test it.

    Attributes
    ----------
    test : Frame
        The rows that were held out as a test.
    true : ndarray
        Their targets.
    baseline : ndarray
        What is predicted for every row without columns.
    notes : list of str
        How exact quantiles are.
    """

    model: TableModel
    test: Frame
    true: Array
    baseline: Array
    notes: list[str]


def fit_streamed(
    table: StreamedTable, settings: Settings, has_test: bool, reporter: Reporter,
    checkpoint: Path | None,
) -> Streamed:  # fmt: skip
    """Train networks on a table that is read in pieces.

    Parameters
    ----------
    has_test : bool
        Whether other rows are tested on: none is held out then.

    Raises
    ------
    TableError
        A file is damaged, or changes meanwhile; a column is not what a sample of it says; or the
        training diverged.
    """
    start, title = time.monotonic(), "training"
    reader = TableReader().fit(table.frame, table.options.among(table.frame.names))
    roles = _roles(table, settings, has_test)
    found = survey(table.files, reader, table.reader, roles, table.memory, reporter.on_bytes)
    target = found.target.target
    assert target is not None
    reporter.on_columns(title, reader, ReadTable(found.rows, (), found.notes))
    data = _data(found, target, settings)
    plan = _plan(settings, found.rows, target.classes)
    whole = Share(np.arange(0), np.arange(len(data.held_y)))
    jobs = [
        Job(model, kind, group, whole, seed_of(settings.seed, group))
        for group in range(plan.members)
        for kind, model in enumerate(plan.models)
    ]
    with _spool(found, plan, target, settings, table.memory) as spool:
        spool.fill(table.files, found, roles, reporter.on_bytes)
        # What is written is trained on, and files may change from now on.
        trainer = _Trainer(spool, data, jobs)
        model = train_jobs(data, plan, jobs, trainer.train, settings, table.options, reporter,
                           checkpoint, title, start)  # fmt: skip
    test = found.held[TEST]
    true = found.target.read(test) if len(test) else np.empty(0)
    return Streamed(model, test, true, _baseline(found.target), _sketch_notes(found))


def _roles(table: StreamedTable, settings: Settings, has_test: bool) -> Roles:
    """Choose how many rows are held out, so that they fit into memory."""
    rows = max(table.rows, 1)
    bytes_of_row = VALUE_BYTES * (len(table.frame.names) + 1)
    most = table.memory // SHARE_OF_HELD // bytes_of_row
    folds = plan_of(settings, rows, 0).folds
    test = 0.0 if has_test else min(TEST_SHARE, min(MOST_TEST, most) / rows)
    validation = min((1.0 - test) / folds, min(MOST_VALIDATION, most) / rows)
    return Roles(validation, test, settings.seed)


def _plan(settings: Settings, rows: int, classes: int) -> Plan:
    plan = plan_of(settings, rows, classes)
    if settings.model != AUTO:
        return plan
    most = max(1, round(VISITS / rows))
    models = [replace(one, epochs=min(one.epochs, most)) for one in plan.models]  # type: ignore
    return replace(plan, models=tuple(models))


def _data(found: Survey, target: Target, settings: Settings) -> Data:
    frame = found.held[VALIDATION]
    y = found.target.read(frame)
    factors = _factors(found.target, target, settings)
    return Data(
        reader=found.reader,
        read=ReadTable(0, (), found.notes),
        y=y[:0],
        weights=None,
        held_read=found.reader.read(frame) if len(frame) else ReadTable(0, ()),
        held_y=y,
        held_weights=None if factors is None else factors[y],
        target=target,
        metric=scores.metric_of(settings.metric, target.task),
        positive=rarer_class(found.target.counts) if target.classes == 2 else 1,
        calibrate=settings.calibrate,
        rows=found.rows,
    )


def _factors(reader: TargetReader, target: Target, settings: Settings) -> Array | None:
    """Return the weight of the rows of each class, with mean 1 over the rows, or None."""
    if settings.class_weight is None:
        return None
    if not target.classes:
        raise ArgumentError("class_weight: got it for a regression; want None")
    factors = class_factors(reader.counts, target, settings.class_weight)
    mean = float((factors * reader.counts).sum() / reader.counts.sum())
    if not mean > 0:
        raise ArgumentError("class_weight: got no class of positive weight; want one at least")
    found: Array = factors / mean
    return found


def _spool(found: Survey, plan: Plan, target: Target, settings: Settings, memory: int) -> Spool:
    encoders = [found.encoder(model.encoder()) for model in plan.models]
    heads = [_head(model, found.target, target.classes) for model in plan.models]
    factors = _factors(found.target, target, settings)
    return Spool(found.rows, plan.models, encoders, heads, memory, factors)


def _head(model: Model, reader: TargetReader, classes: int) -> Head:
    if classes:
        return model.head(np.arange(classes), classes)
    found = model.head(reader.numbers.values(), 0)
    if reader.numbers.is_exact:
        return found
    return replace(found, mean=reader.numbers.mean, scale=reader.numbers.deviation or 1.0)


def _baseline(reader: TargetReader) -> Array:
    if reader.is_class:
        found: Array = reader.counts / reader.counts.sum()
        return found
    return np.asarray(reader.numbers.mean)


def _sketch_notes(found: Survey) -> list[str]:
    inexact = [note for one in found.statistics if (note := one.sketch_note())]
    if not inexact:
        return []
    shown = ", ".join(inexact[:3]) + (f" and {len(inexact) - 3} more" if inexact[3:] else "")
    return [f"quantiles of long columns are exact to a share of the rows: {shown}"]


class _Trainer:
    """Trains members on encoded rows."""

    def __init__(self, spool: Spool, data: Data, jobs: Sequence[Job]) -> None:
        self._spool, self._data, self._jobs = spool, data, jobs

    def train(self, number: int, seconds: float | None, callbacks: Sequence[Any]) -> Result:
        """Train a member; return it with what it predicts for the validation rows."""
        job, data, spool = self._jobs[number], self._data, self._spool
        encoder, head = spool.encoder(job.kind), spool.head(job.kind)
        held = None
        if len(data.held_y):
            # As the network predicts it: all rows here are dense.
            held = encoder.transform(data.held_read, job.model.dtype), data.held_y
        some = spool.some(job.kind)

        def fit(model: Model, more: Sequence[Any]) -> Member:
            return model.fit_encoded(
                encoder, head, some, spool.x(job.kind), spool.target(job.kind), held,
                sample_weight=spool.weights, metric=data.loss_of(job.share.held_out),
                seed=job.seed, callbacks=[*callbacks, *more],
            )  # fmt: skip

        member = in_time(job.model, seconds, fit)
        if held is None:
            return member, np.empty((0, head.classes) if head.classes else 0)
        return member, member.outputs(data.held_read)
