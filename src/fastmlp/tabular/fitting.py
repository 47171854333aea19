"""The one way that networks are trained on a table: members, their weights, and calibration."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.tabular import scores
from fastmlp.tabular.calibration import fit_temperature, temper
from fastmlp.tabular.columns import ReadTable, TableReader
from fastmlp.tabular.finishing import finished_model
from fastmlp.tabular.labels import Target
from fastmlp.tabular.members import Share, run_members, seed_of, shares
from fastmlp.tabular.models import Encoded, Member, Model
from fastmlp.tabular.pace import Pace, TooSlow
from fastmlp.tabular.presets import Plan, plan_of
from fastmlp.tabular.reading import Frame, ReadOptions
from fastmlp.tabular.reporter import Reporter
from fastmlp.tabular.settings import Settings
from fastmlp.tabular.table_model import TableModel

# A member, and what it predicts for its held-out rows.
Result = tuple[Member, Array]


@dataclass(frozen=True)
class Rows:
    """Rows of a table with their targets, class indices or numbers, and weights or None."""

    frame: Frame
    y: Array
    weights: Array | None = None


@dataclass(frozen=True)
class Job:
    """One member to train.

    Attributes
    ----------
    kind : int
        Index of its model among those of the plan.
    group : int
        Members of a group are trained on the same rows.
    """

    model: Model
    kind: int
    group: int
    share: Share
    seed: int


@dataclass(frozen=True)
class Data:
    """Read rows: those to train on, and those that are held out, which may be the same."""

    reader: TableReader
    read: ReadTable
    y: Array
    weights: Array | None
    held_read: ReadTable
    held_y: Array
    held_weights: Array | None
    target: Target
    metric: scores.Metric
    positive: int
    calibrate: bool
    rows: int  # that are trained on

    def loss_of(self, rows: Array) -> Callable[[Array, Array], float]:
        """Return the metric of some held-out rows, the less the better.

        A log loss is that of calibrated probabilities, as the finished model's are. Otherwise the
        training would end when the network gets too sure, long before its ranking of the classes
        is best (Berta, Holzmüller, Jordan and Bach, Rethinking Early Stopping, 2025).
        """
        weights = None if self.held_weights is None else self.held_weights[rows]
        calibrates = self.calibrate and self.metric is scores.METRICS["log_loss"]

        def loss(true: Array, outputs: Array) -> float:
            if calibrates and np.isfinite(outputs).all():
                outputs = temper(outputs, fit_temperature(true, outputs, weights))
            return -self.metric.sign * self.metric.of(true, outputs, weights, self.positive, 0.5)

        return loss


def fit_model(
    rows: Rows, target: Target, settings: Settings, options: ReadOptions | None = None,
    validation: Rows | None = None, reporter: Reporter | None = None,
    checkpoint: Path | None = None, title: str = "training",
) -> TableModel:  # fmt: skip
    """Train networks on the rows of a table.

    Parameters
    ----------
    rows : Rows
    target : Target
    settings : Settings
    options : ReadOptions, optional
        How columns are to be read.
    validation : Rows, optional
        Rows to stop and to rank by. By default each member holds out a fold of `rows`.
    reporter : Reporter, optional
    checkpoint : Path, optional
        File that the training is saved to and resumed from; see `member_checkpoint`.
    title : str
        Name of the training, for the reporter.

    Raises
    ------
    TableError
        The training diverged.
    ArgumentError
        No usable column is left, or a setting does not suit the target.
    """
    start = time.monotonic()
    options = options or ReadOptions()
    if checkpoint is not None and settings.time_budget is not None:
        raise ArgumentError("time_budget: got one beside a checkpoint; want only one of them")
    reporter = reporter or Reporter()
    data = read_data(rows, target, settings, options, validation)
    reporter.on_columns(title, data.reader, data.read)
    plan = plan_of(settings, len(data.y), target.classes)
    jobs = _jobs(plan, data, validation is not None, settings.seed)

    def train(number: int, seconds: float | None, callbacks: Sequence[Any]) -> Result:
        return trained_member(data, jobs[number], seconds, callbacks)

    return train_jobs(
        data, plan, jobs, train, settings, options, reporter, checkpoint, title, start
    )


def train_jobs(
    data: Data, plan: Plan, jobs: Sequence[Job],
    train: Callable[[int, float | None, Sequence[Any]], Result], settings: Settings,
    options: ReadOptions, reporter: Reporter, checkpoint: Path | None, title: str, start: float,
) -> TableModel:  # fmt: skip
    """Train members side by side; choose their weights, temperature and threshold.

    ``train(number, seconds, callbacks)`` trains one of `jobs` and returns it with what it predicts
    for its held-out rows; `start` is when the fit began.
    """
    deadline = None if settings.time_budget is None else start + settings.time_budget
    threads = settings.n_threads or fm.get_num_threads()

    def run(number: int, seconds: float | None, stop: Sequence[Any]) -> Result:
        one = title if len(jobs) == 1 else f"{title}, member {number + 1} of {len(jobs)}"
        path = None if checkpoint is None else member_checkpoint(checkpoint, number)
        saving = [] if path is None else [fm.Checkpoint(path, resume=True)]
        return train(number, seconds, [*stop, *saving, *reporter.callbacks(one)])

    reporter.on_members(title, len(jobs))
    with warnings.catch_warnings():
        # Of a loss that is not finite; members check their weights. Not in their threads, which
        # share the filters of the process.
        warnings.simplefilter("ignore", RuntimeWarning)
        results = run_members(len(jobs), run, threads, deadline)
    model = finished_model(data, plan, jobs, results, settings, options)
    reporter.on_trained(title, model)
    return model


def member_checkpoint(path: Path, member: int) -> Path:
    """Return the checkpoint file of a member: `path`, then that with ".member2", ... at its end."""
    return path if member == 0 else path.with_name(f"{path.name}.member{member + 1}")


def read_data(
    rows: Rows, target: Target, settings: Settings, options: ReadOptions,
    validation: Rows | None,
) -> Data:  # fmt: skip
    """Read the columns of the rows to train on, and of those to validate by."""
    metric = scores.metric_of(settings.metric, target.task)
    reader = TableReader()
    # A table to learn from has lost the columns that are not learnt.
    read = reader.fit_read(rows.frame, options.among(rows.frame.names))
    weights = row_weights(rows.y, rows.weights, target, settings.class_weight)
    held_read, held_y, held_weights = read, rows.y, weights
    if validation is not None:
        held_read, held_y = reader.read(validation.frame), validation.y
        held_weights = row_weights(held_y, validation.weights, target, settings.class_weight)
    return Data(
        reader, read, rows.y, weights, held_read, held_y, held_weights, target, metric,
        positive_class(rows.y, target.classes), settings.calibrate, len(rows.y),
    )  # fmt: skip


def _jobs(plan: Plan, data: Data, is_given: bool, seed: int) -> list[Job]:
    """Members in the order of their training: all models of a group, then those of the next."""
    classes = data.target.classes
    if is_given:
        whole = Share(np.arange(len(data.y)), np.arange(len(data.held_y)))
        dealt = [whole] * plan.members
    else:
        dealt = shares(data.y, classes, plan.members, plan.folds, seed)
    return [
        Job(model, kind, group, share, seed_of(seed, group))
        for group, share in enumerate(dealt)
        for kind, model in enumerate(plan.models)
    ]


def trained_member(
    data: Data, job: Job, seconds: float | None, callbacks: Sequence[Any],
    encoded: Encoded | None = None,
) -> Result:  # fmt: skip
    """Train a member; return it with what it predicts for its held-out rows.

    Parameters
    ----------
    data : Data
    job : Job
    seconds : float or None
        What it may take: it then has fewer epochs.
    callbacks : sequence
    encoded : Encoded, optional
        The job's rows, if they are encoded already.
    """
    train, held_out = job.share.train, job.share.held_out
    validation = data.held_read.rows(held_out) if len(held_out) else None

    def fit(model: Model, more: Sequence[Any]) -> Member:
        return model.fit_member(
            data.read.rows(train), data.y[train], validation,
            data.held_y[held_out] if len(held_out) else None,
            classes=data.target.classes,
            sample_weight=None if data.weights is None else data.weights[train],
            metric=data.loss_of(held_out), seed=job.seed, callbacks=[*callbacks, *more],
            encoded=encoded,
        )  # fmt: skip

    member = in_time(job.model, seconds, fit)
    empty = np.empty((0, data.target.classes) if data.target.classes else 0)
    return member, empty if validation is None else member.outputs(validation)


def in_time(
    model: Model, seconds: float | None, fit: Callable[[Model, Sequence[Any]], Member]
) -> Member:
    """Train a member with so many epochs that it takes at most so many seconds."""
    if seconds is None:
        return fit(model, [])
    start = time.monotonic()
    try:
        return fit(model, [Pace(seconds, may_restart=True)])
    except TooSlow as slow:
        left = max(0.0, seconds - (time.monotonic() - start))
        fewer = replace(model, epochs=slow.epochs)  # type: ignore[call-arg]
        return fit(fewer, [Pace(left, may_restart=False)])


def positive_class(y: Array, classes: int) -> int:
    """Return the rarer of two classes, whose F1 and average precision count; else 1."""
    if classes != 2:
        return 1
    return rarer_class(np.bincount(y, minlength=2))


def rarer_class(counts: Array) -> int:
    """Return the rarer of two classes, by their numbers of rows."""
    return 0 if counts[0] < counts[1] else 1


def row_weights(
    y: Array, given: Array | None, target: Target, class_weight: str | Mapping[Any, float] | None
) -> Array | None:
    """Return the weight of each row, with mean 1, or None if all are equal."""
    if class_weight is None and given is None:
        return None
    weights = np.ones(len(y)) if given is None else given.astype(np.float64)
    if class_weight is not None:
        if not target.classes:
            raise ArgumentError("class_weight: got it for a regression; want None")
        counts = np.bincount(y, minlength=target.classes)
        weights = weights * class_factors(counts, target, class_weight)[y]
    with np.errstate(over="ignore"):
        mean = weights.mean()
    if np.isinf(mean):
        weights = weights / weights.max()
        mean = weights.mean()
    if not np.isfinite(mean) or mean <= 0:
        raise ArgumentError("sample_weight: got no row of positive weight; want one at least")
    found: Array = weights / mean
    return found


def class_factors(counts: Array, target: Target, class_weight: str | Mapping[Any, float]) -> Array:
    """Return the factor of each class, which has so many rows."""
    if isinstance(class_weight, str):
        balanced: Array = counts.sum() / (target.classes * np.maximum(counts, 1.0))
        return balanced
    known = target.labels.values.tolist()
    # Text of the command line also names numbers.
    names = {**{str(label): i for i, label in enumerate(known)},
             **{label: i for i, label in enumerate(known)}}  # fmt: skip
    factors = np.ones(len(known))
    for label, factor in class_weight.items():
        key = label.item() if isinstance(label, np.generic) else label
        if key not in names:
            raise ArgumentError(f"class_weight: got the class {label!r}; want one of {known}")
        factors[names[key]] = factor
    return factors
