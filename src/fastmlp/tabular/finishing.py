"""From trained members to one model: their weights, calibration and threshold, by held-out rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.tabular import scores
from fastmlp.tabular.calibration import fit_temperature, temper
from fastmlp.tabular.ensembling import select_weights
from fastmlp.tabular.held_out import MOST_COPIED, MOST_ROWS, FoldSums, HeldOut, weighted
from fastmlp.tabular.models import Member
from fastmlp.tabular.presets import AUTO, Plan
from fastmlp.tabular.reading import ReadOptions
from fastmlp.tabular.settings import Settings
from fastmlp.tabular.table_model import TableModel
from fastmlp.tabular.thresholds import choose_threshold

if TYPE_CHECKING:
    from fastmlp.tabular.fitting import Data, Job

FEWEST_TO_CHOOSE = 20  # held-out rows: by fewer, nothing is chosen
CHOSEN_THRESHOLDS = ("f1", "balanced_accuracy")  # metrics that "auto" chooses a threshold for

Result = tuple[Member, Array] | None


def finished_model(
    data: Data, plan: Plan, jobs: Sequence[Job], results: Sequence[Result], settings: Settings,
    options: ReadOptions,
) -> TableModel:  # fmt: skip
    """Choose weights, temperature and threshold by the rows that members have not seen."""
    done = [(job, *result) for job, result in zip(jobs, results, strict=True) if result]
    sums = [FoldSums(len(data.held_y), data.target.classes) for _ in plan.models]
    for job, _, outputs in done:
        sums[job.kind].add(job.share.held_out, outputs)
    kinds = sorted({job.kind for job, *_ in done})
    rows = np.flatnonzero(np.logical_and.reduce([sums[kind].known for kind in kinds]))
    means = [sums[kind].means(rows) for kind in kinds]
    # Each model is calibrated before it is compared with others: smoothed labels, for one, make
    # its log loss large, which a temperature mends.
    first = {
        kind: _temperature(data, rows, m, settings) for kind, m in zip(kinds, means, strict=True)
    }
    if data.target.classes:
        means = [temper(m, first[kind]) for kind, m in zip(kinds, means, strict=True)]
    of_kinds = _kind_weights(data, means, rows, plan.prior_rows)
    counts = {kind: sum(job.kind == kind for job, *_ in done) for kind in kinds}
    shares = [of_kinds[kinds.index(job.kind)] / counts[job.kind] for job, *_ in done]
    kept = [(job, member, w) for (job, member, _), w in zip(done, shares, strict=True) if w > 0]
    outputs = weighted(means, of_kinds)
    temperature = _temperature(data, rows, outputs, settings)
    if data.target.classes:
        outputs = temper(outputs, temperature)
    threshold = _threshold(data, rows, outputs, settings)
    return TableModel(
        target=data.target,
        reader=data.reader,
        members=tuple(member for _, member, _ in kept),
        weights=tuple(weight for *_, weight in kept),
        temperatures=tuple(first[job.kind] for job, *_ in kept),
        temperature=temperature,
        threshold=threshold,
        positive=data.positive,
        training=_facts(data, kept, rows, outputs, threshold, settings),
        keep=tuple(options.keep),
        held=_held(data, kept, first, rows, outputs) if len(rows) else None,
        read_notes=data.read.notes,
    )


def _kind_weights(data: Data, means: Sequence[Array], rows: Array, prior_rows: int) -> list[float]:
    if len(means) == 1 or len(rows) < FEWEST_TO_CHOOSE:
        return [1 / len(means)] * len(means)
    weights = None if data.held_weights is None else data.held_weights[rows]
    found = select_weights(means, data.metric, data.held_y[rows], weights, data.positive)
    # What few rows say is worth little: it is drawn towards equal weights.
    usable = np.array([float(np.isfinite(outputs).all()) for outputs in means])
    if usable.sum():
        share = len(rows) / (len(rows) + prior_rows)
        found = share * found + (1.0 - share) * usable / usable.sum()
    return [float(value) for value in found]


def _temperature(data: Data, rows: Array, outputs: Array, settings: Settings) -> float:
    if not data.target.classes or not settings.calibrate or len(rows) < FEWEST_TO_CHOOSE:
        return 1.0
    weights = None if data.held_weights is None else data.held_weights[rows]
    return fit_temperature(data.held_y[rows], outputs, weights)


def _threshold(data: Data, rows: Array, outputs: Array, settings: Settings) -> float:
    two = data.target.classes == 2
    if not isinstance(settings.threshold, str):
        if not two:
            raise ArgumentError(
                "threshold: got a number; want 'auto', as there are not two classes"
            )
        return float(settings.threshold)
    assert settings.threshold == AUTO
    if not two or settings.metric not in CHOSEN_THRESHOLDS or len(rows) < FEWEST_TO_CHOOSE:
        return 0.5
    weights = None if data.held_weights is None else data.held_weights[rows]
    return choose_threshold(data.metric, data.held_y[rows], outputs, weights, data.positive)


def _facts(
    data: Data, kept: Sequence[tuple[Job, Member, float]], rows: Array, outputs: Array,
    threshold: float, settings: Settings,
) -> dict[str, Any]:  # fmt: skip
    """Return what was done, as values that JSON can hold; equal for equal trainings."""
    facts: dict[str, Any] = {
        "preset": settings.preset,
        "models": [type(job.model).__name__ for job, *_ in kept],
        "epochs": [len(member.history) for _, member, _ in kept],
        "best_epochs": [member.history.best_epoch for _, member, _ in kept],
        "metric": data.metric.label,
        "rows": data.rows,
        "seed": settings.seed,
        "held_out_rows": len(rows),
    }
    if len(rows):
        found = scores.measure(data.held_y[rows], outputs, None, data.positive, threshold)
        facts["held_out"] = {k: v if np.isfinite(v) else None for k, v in found.items()}
    return facts


def _held(
    data: Data, kept: Sequence[tuple[Job, Member, float]], temperatures: Mapping[int, float],
    rows: Array, outputs: Array,
) -> HeldOut:  # fmt: skip
    """Keep a sample of the held-out rows for a report."""
    owners = np.zeros(len(data.held_y), dtype=np.int64)
    # Rows of their own are unknown to all members, which then are one group.
    of_member = [0 if data.held_read is not data.read else job.group for job, *_ in kept]
    groups: list[list[tuple[Member, float, float]]] = [[] for _ in range(1 + max(of_member))]
    for (job, member, weight), group in zip(reversed(kept), reversed(of_member), strict=True):
        owners[job.share.held_out] = group
        groups[group].insert(0, (member, weight, temperatures[job.kind]))
    some, copied = _sample(rows, MOST_ROWS), rows[_sample(rows, MOST_COPIED)]
    return HeldOut(
        data.held_y[rows[some]], outputs[some], data.held_read.rows(copied), data.held_y[copied],
        owners[copied], groups,
    )  # fmt: skip


def _sample(rows: Array, most: int) -> Array:
    """Return the places of at most so many of the rows, at random."""
    if len(rows) <= most:
        return np.arange(len(rows))
    return np.sort(np.random.RandomState(0).choice(len(rows), most, replace=False))
