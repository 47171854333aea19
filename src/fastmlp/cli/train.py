"""`fastmlp train`: train on a table, print the progress, write the model and a picture."""

from __future__ import annotations

import io
import shutil
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fastmlp import plot, tabular
from fastmlp.base.errors import ArgumentError
from fastmlp.cli.paths import check_output
from fastmlp.cli.progress import TrainProgress
from fastmlp.cli.tables import column_lines, print_table
from fastmlp.cli.train_settings import Settings
from fastmlp.io import write_atomically
from fastmlp.tabular import Table, TrainedTable
from fastmlp.tabular.scores import BASELINES
from fastmlp.tabular.text import four_digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOTS_PER_INCH = 150
PIPED = 120  # columns where there is no terminal


def train(settings: Settings) -> None:
    """Train on a table; write the model file and the picture; print scores."""
    _check_packages(settings)
    _check_outputs(settings)
    trained = tabular.train(
        _table(settings),
        model=settings.model,
        cv=settings.cv,
        seed=settings.seed,
        n_threads=settings.threads,
        checkpoint=settings.checkpoint,
        reporter=TrainProgress(settings.is_file, settings.progress),
    )
    trained.save(settings.model_path)
    write_atomically(settings.picture_path, [_picture(trained)])
    _print_scores(trained)
    used = trained.n_threads
    print_table(f"{trained.table.name}: {trained.task}", [
        *trained.summary.items(),
        ("training time", f"{trained.seconds:.2f} s, {used} thread{'s' * (used > 1)}"),
        ("epochs", _epochs(trained)),
        ("parameters", f"{trained.model.net.params.size:,}"),
        ("model", str(settings.model_path)),
        ("picture", str(settings.picture_path)),
    ])  # fmt: skip


def _check_packages(settings: Settings) -> None:
    """Refuse to start if a package is missing that is imported later."""
    needed = ["pandas", "matplotlib"]
    needed += [] if settings.is_file else ["sklearn"]
    needed += ["tqdm"] if settings.progress else []
    for name in needed:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _table(settings: Settings) -> Table:
    if not settings.is_file:
        return tabular.load_dataset(settings.data[0])
    files = list(settings.data)
    return tabular.load_table(files, settings.target, settings.task, settings.reading)


def _check_outputs(settings: Settings) -> None:
    """Refuse paths that cannot be written, before the training and not after it."""
    check_output(settings.model_path, {})  # first: "." has no suffix to replace by ".png"
    if settings.model_path == settings.picture_path:
        raise ArgumentError(f"output {settings.model_path} must not end in .png like the picture")
    files = settings.data if settings.is_file else ()
    taken: dict[str, Path] = {}
    outputs = {"the model file": settings.model_path, "the picture": settings.picture_path}
    for what, path in {**outputs, **settings.checkpoints}.items():
        for file in files:
            check_output(path, {"the data file": Path(file)})
        check_output(path, taken)
        taken[what] = path


def _epochs(trained: TrainedTable) -> str:
    """Number of epochs, and the epoch whose weights the model has."""
    history = trained.history
    if trained.folds:
        return f"{len(history)} on all rows"
    if history.best_epoch is None:
        return f"{len(history)} (no epoch had a finite loss)"
    return f"{len(history)} (kept the weights of epoch {history.best_epoch + 1})"


def _print_scores(trained: TrainedTable) -> None:
    if trained.folds:
        count = len(trained.folds)
        rows = {f"fold {i} of {count}": fold for i, fold in enumerate(trained.folds, 1)}
        rows |= {"mean": trained.scores, "standard deviation": trained.deviations}
    else:
        rows = {"fastmlp": trained.scores}
    rows[BASELINES[trained.task]] = trained.baseline
    cells = [(name, [_cell(value) for value in row.values()]) for name, row in rows.items()]
    width = shutil.get_terminal_size((PIPED, 24)).columns
    print("", *column_lines(list(trained.scores), cells, width), sep="\n")


def _cell(score: float) -> str:
    return four_digits(score) if abs(score) >= 10 else f"{score:.4f}"


def _picture(trained: TrainedTable) -> bytes:
    """Loss curves beside the confusion matrix or the predictions, as the bytes of a PNG."""
    classes = trained.table.classes
    # Room for the counts in the cells of a confusion matrix of many classes.
    height = min(max(4.8, 2.0 + 0.28 * len(classes)), 10.5)
    figure = plot.figure(height * 11.0 / 4.8, height)
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    plot.loss_curves(trained.history, ax=left)
    _draw_predictions(trained, right)
    left.set_ylabel("cross-entropy (nats)" if classes else "mean squared error (target scaled)")
    name, value = next(iter(trained.summary.items()))
    figure.suptitle(f"{trained.table.name}: {name} {value}", fontweight="bold")
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The font lacks the letters of many languages, and draws boxes for them.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return buffer.getvalue()


def _draw_predictions(trained: TrainedTable, ax: Axes) -> None:
    classes = trained.table.classes
    if classes:
        predicted = trained.outputs.argmax(axis=1)
        plot.confusion_matrix(trained.true, predicted, labels=classes, ax=ax)
    else:
        plot.predicted_against_true(trained.true, trained.outputs, ax=ax)
