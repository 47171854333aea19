"""`fastmlp train`: train on a table, tell what the model is worth, and write it to a file."""

from __future__ import annotations

import io
import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp import tabular
from fastmlp.cli.overwriting import DATA_KEY, check_replacing, fingerprint_of
from fastmlp.cli.paths import check_output
from fastmlp.cli.progress import TrainProgress
from fastmlp.cli.tables import column_lines, print_lines, print_table
from fastmlp.cli.train_settings import TrainSettings
from fastmlp.io import write_atomically
from fastmlp.tabular import Table, TrainedTable
from fastmlp.tabular.report.content import finite, shown
from fastmlp.tabular.report.making import facts_of
from fastmlp.tabular.scores import BASELINES, decide

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastmlp.tabular.report import Report

DOTS_PER_INCH = 150
PIPED = 120  # columns where there is no terminal
SHOWN = 10  # columns whose importance is printed


def train(settings: TrainSettings) -> None:
    """Train on a table, write the model file, and print scores."""
    _check_packages(settings)
    check_outputs(settings)
    table = load_data(settings)
    fingerprint = fingerprint_of(table, settings.data if settings.is_file else ())
    if not settings.force:
        check_replacing(settings.model_path, fingerprint)
    trained = _trained(table, settings)
    trained.model.save(settings.model_path, {**trained.model.metadata, DATA_KEY: fingerprint})
    report = trained.report()
    if settings.report is not None:
        report.save(settings.report)
    if settings.picture is not None:
        write_atomically(settings.picture, [picture(trained)])
    if settings.json:
        print(json.dumps(values_of(trained, report, settings), ensure_ascii=True, allow_nan=False))
    else:
        _print_results(trained, report, settings)


def _trained(table: Table, settings: TrainSettings) -> TrainedTable:
    reporter = TrainProgress(not settings.json, settings.verbose, settings.progress)
    try:
        return tabular.train(
            table,
            test=settings.test,
            cv=settings.cv,
            n_threads=settings.threads,
            checkpoint=settings.checkpoint,
            reporter=reporter,
            **settings.training,
        )
    finally:
        reporter.clear()


def _check_packages(settings: TrainSettings) -> None:
    """Refuse to start if a package is missing that is imported later."""
    needed = [] if settings.is_file else ["sklearn"]
    needed += ["matplotlib"] if settings.report or settings.picture else []
    for name in needed:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def load_data(settings: TrainSettings) -> Table:
    """Read the table."""
    if not settings.is_file:
        return tabular.load_dataset(settings.data[0])
    files: Any = list(settings.data)
    return tabular.load_table(files, settings.target, settings.task, settings.reading,
                              settings.memory)  # fmt: skip


def check_outputs(settings: TrainSettings) -> None:
    """Refuse paths that cannot be written, before the training and not after it."""
    paths = settings.data if settings.is_file else ()
    names = ["the data file", *(f"the data file {path}" for path in paths[1:])]
    taken = dict(zip(names, map(Path, paths), strict=False))
    outputs = {"the model file": settings.model_path}
    outputs |= {"the report": settings.report} if settings.report else {}
    outputs |= {"the picture": settings.picture} if settings.picture else {}
    for what, path in {**outputs, **settings.checkpoints}.items():
        check_output(path, taken)
        taken[what] = path


def values_of(trained: TrainedTable, report: Report, settings: TrainSettings) -> dict[str, Any]:
    """Return the results as values that JSON can hold."""
    return {
        **report.to_dict(),
        "data": trained.table.name,
        "classes": trained.model.classes,
        "notes": list(trained.notes),
        "folds": [finite(fold) for fold in trained.folds],
        "seconds": round(trained.seconds, 3),
        "threads": trained.n_threads,
        "model": str(settings.model_path),
        "report": None if settings.report is None else str(settings.report),
    }


def _print_results(trained: TrainedTable, report: Report, settings: TrainSettings) -> None:
    print_scores(trained)
    if report.importance is not None:
        print()
        print_lines(report.importance.lines(SHOWN))
    print()
    used = trained.n_threads
    rows = [
        *trained.summary.items(),
        *facts_of(trained.model).items(),
        ("training time", f"{trained.seconds:.2f} s, {used} thread{'s' * (used > 1)}"),
        ("model", str(settings.model_path)),
    ]
    rows += [("report", str(settings.report))] if settings.report else []
    rows += [("picture", str(settings.picture))] if settings.picture else []
    print_table(f"{trained.table.name}: {trained.task}", rows)


def print_scores(trained: TrainedTable) -> None:
    """Print the scores of the test beside the baseline's."""
    if trained.folds:
        count = len(trained.folds)
        rows = {f"fold {i} of {count}": fold for i, fold in enumerate(trained.folds, 1)}
        rows |= {"mean": trained.scores, "standard deviation": trained.deviations}
    else:
        rows = {"fastmlp": trained.scores}
    rows[BASELINES[trained.task]] = trained.baseline
    cells = [(name, [shown(value) for value in row.values()]) for name, row in rows.items()]
    width = shutil.get_terminal_size((PIPED, 24)).columns
    print("", *column_lines(list(trained.scores), cells, width), sep="\n")


def picture(trained: TrainedTable) -> bytes:
    """Loss curves beside the confusion matrix or the predictions, as the bytes of a PNG."""
    from fastmlp import plot
    from fastmlp.tabular.report.pictures import without_glyph_warnings

    classes = trained.model.target.labels.names
    # Room for the counts in the cells of a confusion matrix of many classes.
    height = min(max(4.8, 2.0 + 0.28 * len(classes)), 10.5)
    figure = plot.figure(height * 11.0 / 4.8, height)
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    plot.loss_curves(trained.history, ax=left)
    _draw_predictions(trained, right)
    left.set_ylabel("loss")
    name, value = next(iter(trained.summary.items()))
    figure.suptitle(f"{trained.table.name}: {name} {value}", fontweight="bold")
    buffer = io.BytesIO()
    with without_glyph_warnings():
        figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return buffer.getvalue()


def _draw_predictions(trained: TrainedTable, ax: Axes) -> None:
    from fastmlp import plot

    model = trained.model
    if model.classes:
        predicted = decide(trained.outputs, model.threshold)
        plot.confusion_matrix(trained.true, predicted, labels=model.target.labels.names, ax=ax)
    else:
        plot.predicted_against_true(trained.true, trained.outputs, ax=ax)
