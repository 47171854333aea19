"""Training of a table's model with a test: one hold-out, other rows, or a cross-validation."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import fastmlp as fm
from fastmlp.base import validation
from fastmlp.base.errors import ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.tabular import scores
from fastmlp.tabular.fitting import Rows, fit_model
from fastmlp.tabular.labels import Labels, Target
from fastmlp.tabular.models import Model
from fastmlp.tabular.presets import AUTO
from fastmlp.tabular.reading import Frame, ReadOptions, TableError
from fastmlp.tabular.reporter import Reporter
from fastmlp.tabular.settings import Settings
from fastmlp.tabular.splits import TEST_SHARE, folds, split_off
from fastmlp.tabular.streaming.fitting import fit_streamed
from fastmlp.tabular.streaming.table import StreamedTable
from fastmlp.tabular.table import Table, load_table, table_like
from fastmlp.tabular.table_model import TableModel
from fastmlp.tabular.target import Task
from fastmlp.tabular.text import four_digits

if TYPE_CHECKING:
    from fastmlp.tabular.report import Report
    from fastmlp.tabular.table import TableLike

Scores = dict[str, float]


@dataclass(frozen=True)
class TrainedTable:
    """A trained model with its test scores.

    Attributes
    ----------
    model : TableModel
        The model; its ``predict`` takes new rows.
    table : Table
        The table that it was trained on.
    notes : tuple of str
        Rows and columns that the model does not use, and values that it takes as missing, one line
        each.
    scores : dict of str to float
        Scores on the test rows: log loss, ROC-AUC, average precision, accuracy, balanced accuracy
        and F1; or R2, RMSE and MAE. After a cross-validation, their means over the folds.
    baseline : dict of str to float
        The same scores for predicting the classes' shares, or the mean, in every row.
    folds : tuple of dict of str to float
        Scores of each fold of a cross-validation.
    test : Frame
        The test rows; after a cross-validation, all rows.
    true, outputs : ndarray
        Targets of the test rows and the predictions for them: probabilities or numbers.
    seconds : float
        Wall-clock time of the training.
    n_threads : int
        Number of threads used.
    """

    model: TableModel
    table: Table
    notes: tuple[str, ...]
    scores: Scores
    baseline: Scores
    folds: tuple[Scores, ...]
    test: Frame = field(repr=False)
    true: Array = field(repr=False)
    outputs: Array = field(repr=False)
    seconds: float
    n_threads: int

    @property
    def task(self) -> Task:
        """``"classification"`` or ``"regression"``."""
        return self.table.task

    @property
    def history(self) -> fm.History:
        """Losses and scores of each epoch of the first network's training."""
        found: fm.History = self.model.histories[0]
        return found

    @property
    def deviations(self) -> Scores:
        """Standard deviations of the scores over the folds; empty without folds."""
        found = self.folds
        return {k: float(np.std([f[k] for f in found], ddof=1)) for k in found[0]} if found else {}

    @property
    def summary(self) -> dict[str, str]:
        """The main scores as text, by name: the metric of the training, and a familiar one."""
        names = [self.model.training["metric"], "accuracy" if self.table.classes else "R2"]
        return {f"test {name}": self._text(name) for name in dict.fromkeys(names)}

    def _text(self, name: str) -> str:
        value = self.scores[name]
        if self.folds:
            return f"{value:.4f} +- {self.deviations[name]:.4f} ({len(self.folds)} folds)"
        if name != "accuracy":
            return four_digits(value) if abs(value) >= 10 else f"{value:.4f}"
        right = round(value * len(self.true))
        return f"{100 * value:.2f} % ({right} of {len(self.true)})"

    def report(self) -> Report:
        """Tell what the model is worth and what it looks at, by the test rows."""
        from fastmlp.tabular.report.making import report_of_rows

        rows = "rows, each predicted by its fold" if self.folds else "test rows"
        return report_of_rows(self.model, rows, self.test, self.true, self.outputs,
                              self.scores, self.baseline)  # fmt: skip

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one file, atomically; `fastmlp.tabular.load` reads it."""
        self.model.save(path)


def train(
    table: Table | TableLike,
    target: str | None = None,
    *,
    task: Task | None = None,
    test: Table | TableLike | None = None,
    cv: int | None = None,
    model: str | Model = AUTO,
    preset: str = "balanced",
    n_members: int | None = None,
    time_budget: float | None = None,
    metric: str | None = None,
    class_weight: str | Mapping[Any, float] | None = None,
    threshold: str | float = AUTO,
    calibrate: bool = True,
    compute: str | None = None,
    seed: int = 0,
    n_threads: int | None = None,
    options: ReadOptions | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    reporter: Reporter | None = None,
    memory: int | str | None = None,
) -> TrainedTable:
    """Train networks on a table and test them.

    A part of the rows, 15 %, is held out as test rows, or those of `test` are used. With `cv`,
    each fold is tested with networks trained on the other folds; the model is then trained on all
    rows.

    Parameters
    ----------
    table : Table, data frame, dict of str to array_like, str or path-like
        A data frame of pandas, polars or pyarrow, columns by name, the path of a file, or the
        result of `load_table`.
    target : str, optional
        Column to predict; by default the one called target, label, class or y.
    task : {"classification", "regression"}, optional
        By default a classification for text, truth values and few different whole numbers.
    test : Table or as `table`, optional
        Rows to test on; all rows of `table` are then for training.
    cv : int, optional
        Number of folds, at least 2.
    model, preset, n_members, time_budget, metric, class_weight, threshold, calibrate, compute
        How to train, see `Settings`.
    seed : int
        Seed of the splits, the weights, the batches and the dropout.
    n_threads : int, optional
        Number of threads; by default that of `fastmlp.get_num_threads`.
    options : ReadOptions, optional
        How to read the table.
    checkpoint : path-like, optional
        File to save the training to after each epoch, and to resume from if it exists. Members
        beyond the first have files of their own, see `member_checkpoint`. With `cv` it holds the
        training on all rows; each fold has its own file, see `fold_checkpoint`.
    reporter : Reporter, optional
        Object that receives the progress of the training.
    memory : int or str, optional
        Bytes that the training may take, such as ``"2GB"``; by default half of the machine's
        memory. Files that need more are read in pieces, see docs/scaling.md: at most 100,000 rows
        are then held out as a test.

    Returns
    -------
    TrainedTable

    Raises
    ------
    TableError
        The table cannot be read, its target is unsuitable, or the training diverged.
    ArgumentError
        No usable column is left, or an argument has a wrong value.

    Examples
    --------
    >>> import fastmlp.tabular
    >>> sizes = [float(size) for size in range(100)]
    >>> table = {"size": sizes, "grade": ["dear" if size > 50 else "cheap" for size in sizes]}
    >>> trained = fastmlp.tabular.train(table, target="grade")
    >>> trained.scores["accuracy"] > 0.9
    True
    >>> trained.model.predict({"size": [10.0, 90.0]}).tolist()
    ['cheap', 'dear']
    """
    settings = Settings(
        model=model, preset=preset, n_members=n_members, time_budget=time_budget, metric=metric,
        class_weight=class_weight, threshold=threshold, calibrate=calibrate, compute=compute,
        seed=seed, n_threads=n_threads,
    )  # fmt: skip
    path = None if checkpoint is None else Path(validation.path(checkpoint, "checkpoint"))
    reporter = _checked_reporter(reporter)
    if not isinstance(table, Table):
        table = load_table(table, target, task, options, memory)
    elif any(given is not None for given in (target, task, options, memory)):
        raise TableError("a Table has its own: leave out `target`, `task`, `options` and `memory`")
    run = TableRun(table, settings, path, reporter)
    with nullcontext() if n_threads is None else fm.threads(n_threads):
        if isinstance(table, StreamedTable):
            if cv is not None:
                raise TableError("`cv`: got folds of a table that is read in pieces; want None")
            return run.pieces(table, test)
        if cv is None:
            return run.hold_out() if test is None else run.other_rows(test)
        if test is not None:
            raise TableError("`cv` and `test` are two ways to test: leave out one")
        return run.cross_validation(_checked_folds(cv, len(table.y)))


def fold_checkpoint(path: Path, fold: int) -> Path:
    """Return the checkpoint file of a fold: `path` with ".fold1", ".fold2", ... at its end."""
    return path.with_name(f"{path.name}.fold{fold}")


class TableRun:
    """The checked arguments of `train`, and the ways to run it."""

    def __init__(
        self, table: Table, settings: Settings, checkpoint: Path | None, reporter: Reporter
    ) -> None:
        self.table, self.settings = table, settings
        self.checkpoint, self.reporter = checkpoint, reporter
        self.target = Target(table.target_name, Labels.of(table.classes))
        self.start = time.perf_counter()
        reporter.on_table(table)

    def hold_out(self) -> TrainedTable:
        """Train on 85 % of the rows and test on 15 %."""
        y = self.table.y
        train, test = split_off(y, self.target.classes, TEST_SHARE, self.settings.seed)
        return self._tested(train, self.table.frame.take(test), y[test])

    def other_rows(self, test: Table | TableLike) -> TrainedTable:
        """Train on all rows and test on those of another table."""
        if isinstance(test, Table):
            other = test
        else:
            table = self.table
            other = table_like(test, table.target_name, table.classes, table.options)
        return self._tested(np.arange(len(self.table.y)), other.frame, other.y)

    def pieces(self, table: StreamedTable, other: Table | TableLike | None) -> TrainedTable:
        """Train on a table that is read in pieces, and test on other rows or some of its own."""
        found = fit_streamed(table, self.settings, other is not None, self.reporter,
                             self.checkpoint)  # fmt: skip
        model, test, true = found.model, found.test, found.true
        seconds = time.perf_counter() - self.start
        if other is not None:
            rows = other if isinstance(other, Table) else table_like(
                other, table.target_name, model.target.labels.names, table.options)  # fmt: skip
            test, true = rows.frame, rows.y
        outputs = model.outputs(model.reader.read(test))
        base = scores.measure(true, scores.repeated(found.baseline, len(true)), None,
                              model.positive)  # fmt: skip
        return self._trained(model, found.notes, model.score(true, outputs), base, (), test, true,
                             outputs, seconds)  # fmt: skip

    def _tested(self, train: Array, test: Frame, true: Array) -> TrainedTable:
        model = self.fit(train, "training", self.checkpoint)
        seconds = time.perf_counter() - self.start
        read = model.reader.read(test)
        outputs = model.outputs(read)
        more = [note for name, note in read.notes.items() if name not in model.read_notes]
        measured = model.score(true, outputs)
        base = self._baseline(model, train, true)
        return self._trained(model, more, measured, base, (), test, true, outputs, seconds)

    def cross_validation(self, count: int) -> TrainedTable:
        """Train and test `count` times, then train on all rows."""
        y, classes = self.table.y, self.target.classes
        outputs = np.zeros((len(y), classes) if classes else len(y))
        measured, baselines = [], []
        for number, (rest, test) in enumerate(folds(y, classes, count, self.settings.seed), 1):
            path = None if self.checkpoint is None else fold_checkpoint(self.checkpoint, number)
            model = self.fit(rest, f"fold {number} of {count}", path)
            outputs[test] = model.outputs(model.reader.read(self.table.frame.take(test)))
            measured.append(model.score(y[test], outputs[test]))
            baselines.append(self._baseline(model, rest, y[test]))
        model = self.fit(np.arange(len(y)), "all rows", self.checkpoint)
        seconds = time.perf_counter() - self.start
        return self._trained(
            model, [], _means(measured), _means(baselines), tuple(measured), self.table.frame, y,
            outputs, seconds,
        )  # fmt: skip

    def fit(self, rows: Array, title: str, checkpoint: Path | None) -> TableModel:
        """Train on some rows of the table."""
        train = Rows(self.table.frame.take(rows), self.table.y[rows])
        return fit_model(train, self.target, self.settings, self.table.options, None,
                         self.reporter, checkpoint, title)  # fmt: skip

    def _baseline(self, model: TableModel, train: Array, true: Array) -> Scores:
        output = scores.baseline(self.table.y[train], self.target.classes)
        return scores.measure(true, scores.repeated(output, len(true)), None, model.positive)

    def _trained(
        self, model: TableModel, test_notes: Sequence[str], measured: Scores, base: Scores,
        of_folds: tuple[Scores, ...], test: Frame, true: Array, outputs: Array, seconds: float,
    ) -> TrainedTable:  # fmt: skip
        notes = (*self.table.notes, *model_notes(model), *test_notes)
        found = TrainedTable(
            model, self.table, notes, measured, base, of_folds, test, true, outputs, seconds,
            self.settings.n_threads or fm.get_num_threads(),
        )  # fmt: skip
        return replace(found, model=model.with_metadata({"data": self.table.name, **found.summary}))


def model_notes(model: TableModel) -> list[str]:
    """List the columns that a model does not use, and what its columns hold beside their kind."""
    left_out = model.reader.left_out_line()
    lines = [f"columns left out: {left_out}"] if left_out else []
    return [*lines, *model.reader.warnings, *model.read_notes.values()]


def _checked_reporter(reporter: Any) -> Reporter:
    if reporter is not None and not isinstance(reporter, Reporter):
        wanted = "an object of a subclass of fastmlp.tabular.Reporter"
        raise ArgumentTypeError(f"reporter: got {validation.shown(reporter)}; want {wanted}")
    return reporter or Reporter()


def _checked_folds(cv: Any, rows: int) -> int:
    count = validation.integer(cv, "cv", -(2**63))
    if count < 2:
        raise TableError(f"`cv`: got {count}; want at least 2 folds")
    if 2 * count > rows:
        raise TableError(f"{rows} rows are too few for {count} folds")
    return count


def _means(rows: Sequence[Scores]) -> Scores:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
