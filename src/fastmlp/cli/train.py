"""`fastmlp train`: fit a network on a table, tell how it goes, write the model and a picture."""

from __future__ import annotations

import io
import shutil
from contextlib import nullcontext
from pathlib import Path

from matplotlib.axes import Axes

import fastmlp as fm
from fastmlp import plot
from fastmlp.base.errors import ArgumentError
from fastmlp.cli.paths import check_output
from fastmlp.cli.runs import Run, run_cross_validation, run_hold_out
from fastmlp.cli.settings import Settings
from fastmlp.cli.tables import column_lines, print_lines, print_table
from fastmlp.io import write_atomically
from fastmlp.tabular import scores
from fastmlp.tabular.encoder import Encoder
from fastmlp.tabular.table import BUILT_IN, Table, load_table

DOTS_PER_INCH = 150
PIPED = 120  # columns where there is no terminal


def train(settings: Settings) -> None:
    """Train on a table; write the model file and the picture; print scores."""
    _check_outputs(settings)
    table = _table(settings)
    threads = nullcontext() if settings.threads is None else fm.threads(settings.threads)
    with threads:
        if settings.cv is None:
            run = run_hold_out(settings, table)
        else:
            run = run_cross_validation(settings, table, settings.cv)
        used = fm.get_num_threads()
    more = {"data": table.name, "task": table.task, **dict(run.summary)}
    run.model.save(settings.model_path, more)
    write_atomically(settings.picture_path, [_picture(table, run)])
    _print_scores(table, run)
    print_table(f"{table.name}: {table.task}", [
        *run.summary,
        ("training time", f"{run.seconds:.2f} s, {used} thread{'s' * (used > 1)}"),
        ("epochs", run.epochs),
        ("parameters", f"{run.model.net.params.size:,}"),
        ("model", str(settings.model_path)),
        ("picture", str(settings.picture_path)),
    ])  # fmt: skip


def _table(settings: Settings) -> Table:
    if not settings.is_file:
        return BUILT_IN[settings.data]()
    table = load_table(Path(settings.data), settings.target, settings.task)
    # Of all rows, to tell what is in the file; what is trained on is encoded by its own rows.
    encoder = Encoder().fit(table.frame)
    print_lines([_what_it_is(table), *table.notes, *encoder.notes(table.frame)])
    if encoder.left_out:
        names = [f"{name} ({why})" for name, why in encoder.left_out.items()]
        print_lines([f"columns left out: {', '.join(names)}"])
    return table


def _what_it_is(table: Table) -> str:
    rows, columns = table.frame.shape
    what = f"{len(table.classes)} classes" if table.classes else "numbers"
    return f"{rows:,} rows, {columns} columns; {table.target_name} ({what}): {table.task}"


def _check_outputs(settings: Settings) -> None:
    """Refuse paths that cannot be written before time goes into training, not after."""
    check_output(settings.model_path, {})  # first: "." has no name to call the picture after
    if settings.model_path == settings.picture_path:
        raise ArgumentError(f"output {settings.model_path} must not end in .png: the picture does")
    taken = {"the data file": Path(settings.data)} if settings.is_file else {}
    outputs: dict[str, Path | None] = {
        "the model file": settings.model_path,
        "the picture": settings.picture_path,
    }
    for count in range(settings.cv or 0):
        outputs[f"the checkpoint of fold {count + 1}"] = settings.checkpoint_of(count + 1)
    outputs["the checkpoint"] = settings.checkpoint
    for what, path in outputs.items():
        if path is not None:
            check_output(path, taken)
            taken[what] = path


def _print_scores(table: Table, run: Run) -> None:
    rows = [(name, scores.cells(values)) for name, values in run.score_rows]
    width = shutil.get_terminal_size((PIPED, 24)).columns
    print("", *column_lines(scores.NAMES[table.task], rows, width), sep="\n")


def _picture(table: Table, run: Run) -> bytes:
    """Loss curves beside the confusion matrix or the predictions, as the bytes of a PNG."""
    # Room for the counts of many classes, up to as many as are written.
    height = min(max(4.8, 2.0 + 0.28 * len(table.classes)), 10.5)
    figure = plot.figure(height * 11.0 / 4.8, height)
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    plot.loss_curves(run.history, ax=left)
    _draw_predictions(table, run, right)
    unit = "cross-entropy (nats)" if table.classes else "mean squared error (target scaled)"
    left.set_ylabel(unit)
    name, value = run.summary[0]
    figure.suptitle(f"{table.name}: {name} {value}", fontweight="bold")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return buffer.getvalue()


def _draw_predictions(table: Table, run: Run, ax: Axes) -> None:
    if table.classes:
        predicted = run.outputs.argmax(axis=1)
        plot.confusion_matrix(run.true, predicted, labels=table.classes, ax=ax)
    else:
        plot.predicted_against_true(run.true, run.outputs, ax=ax)
