"""Training of a table's model: one hold-out, or a cross-validation and a fit on all rows."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import fastmlp as fm
from fastmlp.base import validation
from fastmlp.base.errors import ArgumentTypeError
from fastmlp.base.threads import MAX_THREADS
from fastmlp.base.validation import Array
from fastmlp.tabular import scores
from fastmlp.tabular.description import TableDescription
from fastmlp.tabular.model_file import TableModel
from fastmlp.tabular.models.old_base import Model, Plan
from fastmlp.tabular.models.old_mlp import find_model
from fastmlp.tabular.preparation import Preparation
from fastmlp.tabular.reading import ReadOptions, TableError
from fastmlp.tabular.splits import TEST_SHARE, folds, split_off
from fastmlp.tabular.table import Table, load_table
from fastmlp.tabular.target import Task
from fastmlp.tabular.text import four_digits

if TYPE_CHECKING:
    from fastmlp.tabular.table import TableLike

Scores = dict[str, float]


class Reporter:
    """Receives the progress of `train`. Subclass it and override the methods that you need."""

    def on_table(self, table: Table, notes: Sequence[str]) -> None:
        """Take the table and the model's notes on it, before the first training."""

    def callbacks(self, title: str) -> Sequence[Any]:
        """Return the callbacks of a fit; titles are "training", "fold 1 of 5", ..., "all rows"."""
        return ()

    def on_fold_end(self, title: str, history: fm.History) -> None:
        """Take the history of a fold of a cross-validation."""


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
    history : History
        Losses and scores of each epoch of the model's training.
    scores : dict of str to float
        Scores on the test rows: accuracy, macro F1 and log loss, or R2, RMSE and MAE. After a
        cross-validation, their means over the folds.
    baseline : dict of str to float
        The same scores for predicting the most frequent class, or the mean, in every row.
    folds : tuple of dict of str to float
        Scores of each fold of a cross-validation.
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
    history: fm.History
    scores: Scores
    baseline: Scores
    folds: tuple[Scores, ...]
    true: Array
    outputs: Array
    seconds: float
    n_threads: int

    @property
    def task(self) -> Task:
        """``"classification"`` or ``"regression"``."""
        return self.table.task

    @property
    def deviations(self) -> Scores:
        """Standard deviations of the scores over the folds; empty without folds."""
        found = self.folds
        return {k: float(np.std([f[k] for f in found], ddof=1)) for k in found[0]} if found else {}

    @property
    def summary(self) -> dict[str, str]:
        """The main scores as text, by name."""
        name = "accuracy" if self.table.classes else "R2"
        if self.folds:
            mean, deviation = self.scores[name], self.deviations[name]
            return {f"test {name}": f"{mean:.4f} +- {deviation:.4f} ({len(self.folds)} folds)"}
        if self.task == "regression":
            r2, rmse = self.scores["R2"], self.scores["RMSE"]
            return {"test R2": f"{r2:.4f}", "test RMSE": four_digits(rmse)}
        right, count = int((self.true == self.outputs.argmax(axis=1)).sum()), self.true.size
        return {"test accuracy": f"{100 * right / count:.2f} % ({right} of {count})"}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one file, atomically; `fastmlp.tabular.load` reads it."""
        self.model.save(path, {"data": self.table.name, "task": self.task, **self.summary})


def train(
    table: Table | TableLike,
    target: str | None = None,
    *,
    task: Task | None = None,
    model: str | Model = "mlp",
    cv: int | None = None,
    seed: int = 0,
    n_threads: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    reporter: Reporter | None = None,
    options: ReadOptions | None = None,
) -> TrainedTable:
    """Train a network on a table and test it.

    The rows are split 70/15/15 into training, validation and test rows. With `cv`, each fold is
    tested with a network trained on the other folds; the model is then trained on all rows.

    Parameters
    ----------
    table : Table, pandas.DataFrame, dict of str to array_like, str or path-like
        A data frame, a dict of columns, the path of a file (see `load_table`), or the result of
        `load_table`.
    target : str, optional
        Column to predict; by default the one called target, label, class or y.
    task : {"classification", "regression"}, optional
        By default a classification for text, truth values and few different whole numbers.
    model : str or Model
        A name of `MODELS`, or hyperparameters such as ``fastmlp.tabular.MLP(hidden=(64,))``.
    cv : int, optional
        Number of folds, at least 2.
    seed : int
        Seed of the split, the weights, the batches and the dropout.
    n_threads : int, optional
        Number of threads; by default that of `fastmlp.get_num_threads`.
    checkpoint : path-like, optional
        File to save the training to after each epoch, and to resume from if it exists. With `cv`
        it holds the training on all rows; each fold has its own file, see `fold_checkpoint`.
    reporter : Reporter, optional
        Object that receives the progress of the training.
    options : ReadOptions, optional
        How the table is read, and which columns are left out.

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
    if not isinstance(table, Table):
        table = load_table(table, target, task, options)
    elif target is not None or task is not None or options is not None:
        own = "a Table has its own target, task and options"
        raise TableError(f"{own}: leave out `target`, `task` and `options`")
    run = _Run(
        table,
        find_model(model),
        validation.integer(seed, "seed", 0, 2**32 - 1),
        None if checkpoint is None else Path(validation.path(checkpoint, "checkpoint")),
        _checked_reporter(reporter),
    )
    count = None if cv is None else _checked_folds(cv, len(table.y))
    if n_threads is not None:
        n_threads = validation.integer(n_threads, "n_threads", 1, MAX_THREADS)
    with nullcontext() if n_threads is None else fm.threads(n_threads):
        return run.hold_out() if count is None else run.cross_validation(count)


def fold_checkpoint(path: Path, fold: int) -> Path:
    """Return the checkpoint file of a fold: `path` with ".fold1", ".fold2", ... at its end."""
    return path.with_name(f"{path.name}.fold{fold}")


@dataclass(frozen=True)
class _Run:
    """The checked arguments of `train`, and the two ways to run it."""

    table: Table
    model: Model
    seed: int
    checkpoint: Path | None
    reporter: Reporter

    def hold_out(self) -> TrainedTable:
        """Train on 70 % of the rows, stop by 15 % and test on 15 %."""
        table = self.table
        train, validation, test = hold_out(table, self.seed)
        preparation, notes = self._prepared(train)
        plan = self.model.plan(len(train), len(table.classes))
        parts = preparation.parts(train, validation, plan.dtype)
        callbacks = self._callbacks("training", self.checkpoint)
        start = time.perf_counter()
        net, history = plan.fit(*parts, self.seed, callbacks)
        seconds = time.perf_counter() - start
        model = _model(net, preparation)
        outputs = model.outputs(preparation.part(test, plan.dtype).x)
        measured = scores.measure(table.y[test], outputs)
        baseline = _baseline(table, train, test)
        return TrainedTable(
            model, table, notes, history, measured, baseline, (), table.y[test], outputs,
            seconds, fm.get_num_threads(),
        )  # fmt: skip

    def cross_validation(self, count: int) -> TrainedTable:
        """Train and test `count` times, then train on all rows."""
        table = self.table
        rows = np.arange(len(table.y))
        preparation, notes = self._prepared(rows)
        plan = self.model.plan(len(rows) * (count - 1) // count, len(table.classes))
        start = time.perf_counter()
        outputs = np.zeros((len(rows), len(table.classes)) if table.classes else len(rows))
        measured, baselines, best = [], [], []
        for number, (rest, test) in enumerate(
            folds(table.y, len(table.classes), count, self.seed), 1
        ):
            title = f"fold {number} of {count}"
            path = None if self.checkpoint is None else fold_checkpoint(self.checkpoint, number)
            outputs[test], history = self._fold(plan, rest, test, self._callbacks(title, path))
            self.reporter.on_fold_end(title, history)
            measured.append(scores.measure(table.y[test], outputs[test]))
            baselines.append(_baseline(table, rest, test))
            best.append((history.best_epoch or 0) + 1)
        callbacks = self._callbacks("all rows", self.checkpoint)
        part = preparation.part(rows, plan.dtype)
        net, history = plan.after_folds(best).fit(part, None, self.seed, callbacks)
        seconds = time.perf_counter() - start
        return TrainedTable(
            _model(net, preparation), table, notes, history, _means(measured), _means(baselines),
            tuple(measured), table.y, outputs, seconds, fm.get_num_threads(),
        )  # fmt: skip

    def _fold(
        self, plan: Plan, rest: Array, test: Array, callbacks: Sequence[Any]
    ) -> tuple[Array, fm.History]:
        """Train on the rest of the rows; return what is predicted for the test rows."""
        train, validation = _split(self.table, rest, TEST_SHARE, self.seed)
        preparation = Preparation.fit(self.table, train, self.model.encoder(self.table))
        parts = preparation.parts(train, validation, plan.dtype)
        net, history = plan.fit(*parts, self.seed, callbacks)
        part = preparation.part(test, plan.dtype)
        return _model(net, preparation).outputs(part.x), history

    def _prepared(self, rows: Array) -> tuple[Preparation, tuple[str, ...]]:
        """Fit the encoder of the model that is returned, and report its notes."""
        preparation = Preparation.fit(self.table, rows, self.model.encoder(self.table))
        notes = (*self.table.notes, *preparation.notes())
        self.reporter.on_table(self.table, notes)
        return preparation, notes

    def _callbacks(self, title: str, checkpoint: Path | None) -> list[Any]:
        saving = [] if checkpoint is None else [fm.Checkpoint(checkpoint, resume=True)]
        return [*saving, *self.reporter.callbacks(title)]


def hold_out(table: Table, seed: int) -> tuple[Array, Array, Array]:
    """Split the rows 70/15/15 into training, validation and test, classes in equal shares."""
    train, rest = _split(table, np.arange(len(table.y)), 2 * TEST_SHARE, seed)
    validation, test = _split(table, rest, 0.5, seed)
    return train, validation, test


def _split(table: Table, rows: Array, share: float, seed: int) -> tuple[Array, Array]:
    first, second = split_off(table.y[rows], len(table.classes), share, seed)
    return rows[first], rows[second]


def _baseline(table: Table, train: Array, test: Array) -> Scores:
    output = scores.baseline(table.y[train], len(table.classes))
    return scores.measure(table.y[test], scores.repeated(output, len(test)))


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


def _model(net: fm.Sequential, preparation: Preparation) -> TableModel:
    table = preparation.table
    description = TableDescription(
        table.target_name,
        table.classes,
        preparation.target,
        preparation.encoder,
        table.options.keep,
    )
    return TableModel(net, description)


def _means(rows: Sequence[Scores]) -> Scores:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
