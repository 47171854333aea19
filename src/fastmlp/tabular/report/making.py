"""Make the report of a model: by held-out rows of its training, or by other rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base.errors import StateError
from fastmlp.base.validation import Array
from fastmlp.tabular import scores
from fastmlp.tabular.held_out import calibrated
from fastmlp.tabular.importance import MOST_COLUMNS, Importance, permutation_importance
from fastmlp.tabular.reading import Frame
from fastmlp.tabular.report.content import ColumnReport, Report
from fastmlp.tabular.text import four_digits

if TYPE_CHECKING:
    from fastmlp.tabular.columns import ReadTable
    from fastmlp.tabular.table import TableLike
    from fastmlp.tabular.table_model import TableModel

HELD_OUT = "held-out rows of the training"


def report_of(model: TableModel, table: TableLike | None) -> Report:
    """Report on rows with the target; by default on those that the training held out."""
    if table is not None:
        return _of_table(model, table)
    held = model.held
    if held is None:
        raise StateError("a model from a file, or of few rows, has no held-out rows: give a table")

    def outputs_of(read: ReadTable) -> Array:
        return calibrated(held.outputs_of(read), model.temperature)

    importance = _importance(model, held.read, held.read_true, outputs_of)
    base = _baseline(model, held.true)
    measured = model.score(held.true, held.outputs)
    return _report(model, HELD_OUT, held.true, held.outputs, measured, base, importance)


def report_of_rows(
    model: TableModel, rows: str, test: Frame, true: Array, outputs: Array,
    measured: Mapping[str, float], base: Mapping[str, float],
) -> Report:  # fmt: skip
    """Report on rows whose predictions and scores are known."""
    importance = _importance(model, model.reader.read(test), true, model.outputs)
    return _report(model, rows, true, outputs, measured, base, importance)


def _of_table(model: TableModel, table: TableLike) -> Report:
    from fastmlp.tabular.table import table_like

    rows = table_like(table, model.target.name, model.target.labels.names)
    return report_of_read(model, model.reader.read(rows.frame), rows.y)


def report_of_read(model: TableModel, read: ReadTable, true: Array) -> Report:
    """Report on read rows and their targets, class indices or numbers."""
    outputs = model.outputs(read)
    importance = _importance(model, read, true, model.outputs)
    measured, base = model.score(true, outputs), _baseline(model, true)
    return _report(model, "rows of the table", true, outputs, measured, base, importance)


def _importance(
    model: TableModel, read: ReadTable, true: Array, outputs_of: Any
) -> Importance | None:
    if len(read.columns) > MOST_COLUMNS:
        return None
    metric = next(m for m in scores.METRICS.values() if m.label == _metric(model))
    return permutation_importance(outputs_of, read, true, metric, model.positive, model.threshold)


def _metric(model: TableModel) -> str:
    default = scores.metric_of(None, model.target.task).label
    found = model.training.get("metric", default)
    known = [m.label for m in scores.METRICS.values() if m.task == model.target.task]
    return found if found in known else default


def _baseline(model: TableModel, true: Array) -> dict[str, float]:
    """Score the shares of the classes, or the mean, of the same rows."""
    output = scores.baseline(true, model.target.classes)
    found = scores.repeated(output, len(true))
    return scores.measure(true, found, None, model.positive)


def _report(
    model: TableModel, rows: str, true: Array, outputs: Array, measured: Mapping[str, float],
    base: Mapping[str, float], importance: Importance | None,
) -> Report:  # fmt: skip
    classes = model.target.classes
    predicted = scores.decide(outputs, model.threshold) if classes else outputs
    return Report(
        title=f"{model.metadata.get('data', 'table')}: {model.target.task} of {model.target.name}",
        rows=rows,
        task=model.target.task,
        target=model.target.name,
        facts=facts_of(model),
        scores=dict(measured),
        baseline=dict(base),
        columns=columns_of(model),
        left_out=dict(model.reader.left_out),
        importance=importance,
        labels=model.target.labels.names,
        true=true,
        outputs=outputs,
        predicted=predicted,
        histories=[history for history in model.histories if len(history)],
    )


def facts_of(model: TableModel) -> dict[str, str]:
    """Return what was trained, in words."""
    training = model.training
    names = list(training.get("models", []))
    counts = [f"{names.count(name)} x {name}" for name in dict.fromkeys(names)]
    facts = {"models": ", ".join(counts)} if counts else {}
    if "preset" in training:
        facts["preset"] = str(training["preset"])
    facts["parameters"] = f"{model.n_parameters:,}"
    if "rows" in training:
        facts["training rows"] = f"{training['rows']:,}"
    facts["stopped and ranked by"] = _metric(model)
    epochs = training.get("epochs")
    if epochs:
        facts["epochs"] = _range(epochs)
    best = [epoch + 1 for epoch in training.get("best_epochs", []) if epoch is not None]
    if best:
        facts["best epochs"] = _range(best)
    if model.target.classes:
        facts["calibration"] = f"temperature {four_digits(model.temperature)}"
    if model.target.classes == 2:
        second = model.target.labels.names[1]
        facts["threshold"] = f"{second} above a probability of {four_digits(model.threshold)}"
    return facts


def _range(numbers: list[int]) -> str:
    low, high = int(np.min(numbers)), int(np.max(numbers))
    return str(low) if low == high else f"{low} to {high}"


def columns_of(model: TableModel) -> list[ColumnReport]:
    """Return how each column was read and encoded."""
    encodings = [member.encoder.summary() for member in model.members]
    found = []
    for rule in model.reader.rules:
        # Networks differ in the rows that they learn scalings from; one tells how it is done.
        text = next((e[rule.name] for e in encodings if rule.name in e), "not used")
        found.append(ColumnReport(rule.name, rule.kind, rule.reason, text, rule.warning))
    return found
