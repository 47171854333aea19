"""`tune`: search for the best hyperparameters of a table's networks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastmlp as fm
from fastmlp.base.errors import ArgumentTypeError
from fastmlp.base.validation import Array, shown
from fastmlp.distributed.tuning import studies
from fastmlp.distributed.tuning.result import TunedTable
from fastmlp.distributed.tuning.search import Budget, Search, search_table
from fastmlp.tabular.fitting import Rows, read_data
from fastmlp.tabular.models import Model
from fastmlp.tabular.presets import AUTO
from fastmlp.tabular.reading import ReadOptions, TableError
from fastmlp.tabular.reporter import Reporter
from fastmlp.tabular.settings import Settings
from fastmlp.tabular.streaming.table import StreamedTable
from fastmlp.tabular.table import Table, load_table
from fastmlp.tabular.table_model import TableModel
from fastmlp.tabular.target import Task
from fastmlp.tabular.training import TableRun

if TYPE_CHECKING:
    from fastmlp.tabular.table import TableLike


def tune(
    table: Table | TableLike,
    target: str | None = None,
    *,
    task: Task | None = None,
    test: Table | TableLike | None = None,
    trials: int = 100,
    time_budget: float | None = None,
    storage: Any = None,
    study: str | None = None,
    sampler: Any = "tpe",
    pruner: Any = "median",
    at_once: int = 8,
    model: str | Model = AUTO,
    preset: str = "balanced",
    n_members: int | None = None,
    metric: str | None = None,
    class_weight: str | Mapping[Any, float] | None = None,
    threshold: str | float = AUTO,
    calibrate: bool = True,
    compute: str | None = None,
    seed: int = 0,
    n_threads: int | None = None,
    options: ReadOptions | None = None,
    reporter: Reporter | None = None,
) -> TunedTable:
    """Search for the best hyperparameters of a table's networks, and train with them.

    A trial trains one network on each of some folds; if it is worse than the median of the trials
    of its kind by then, it is given up. The first trials are the defaults. In the end the best
    trials are trained on all folds and averaged, with weights chosen on the rows that they have not
    seen. Test rows are held out of all this.

    Parameters
    ----------
    table, target, task, test
        See `fastmlp.tabular.train`.
    trials : int
        Number of trials, with those that are in the storage already.
    time_budget : float, optional
        Seconds after which the trained model shall be there, even with fewer trials.
    storage : str, path-like or optuna.storages.BaseStorage, optional
        The path of a database (.db, .sqlite) or of a journal (.journal, .log), or the URL of a
        database. A search that was killed goes on where it was; several processes, on one machine
        or several, that name the same storage search together. By default all is in memory.
    study : str, optional
        Name of the study in the storage. Default: that of the table and its target.
    sampler : {"tpe", "random"} or optuna.samplers.BaseSampler
    pruner : {"median", "halving", "hyperband", "none"} or optuna.pruners.BasePruner
    at_once : int
        Trials that are drawn together, and run side by side. Take as many as there are threads, if
        these are more than 8. Results depend on it, but not on the number of threads.
    model : str or Model
        "auto": those of the preset; a name of `MODELS`; or hyperparameters to start from.
    preset, n_members, metric, class_weight, threshold, calibrate, compute
        See `fastmlp.tabular.train`. The metric is what is searched for.
    seed, n_threads, options, reporter
        See `fastmlp.tabular.train`. With the same seed and the number of trials as the only budget,
        one process gives the same model each time, also if it was killed in between. The pruners
        "halving" and "hyperband" depend on which trial is faster.

    Returns
    -------
    TunedTable

    Raises
    ------
    MissingPackageError
        Optuna is not installed.
    TableError, ArgumentError
        As for `fastmlp.tabular.train`; or the storage cannot be opened, or holds a study of this
        name that is of another table, metric or kind of model.

    Notes
    -----
    The sampler is Optuna's TPE (Bergstra, Bardenet, Bengio and Kégl, 2011), multivariate, with one
    group of parameters for each kind of model; the weights of the ensemble are those of Caruana,
    Niculescu-Mizil, Crew and Ksikes (2004).

    Examples
    --------
    >>> import fastmlp.distributed
    >>> sizes = [float(size) for size in range(100)]
    >>> table = {"size": sizes, "price": [size * size for size in sizes]}
    >>> tuned = fastmlp.distributed.tune(table, "price", trials=3, n_members=2, preset="fast")
    >>> len(tuned.trials), tuned.scores["R2"] > 0.9
    (3, True)
    """
    studies.optuna()
    settings = Settings(
        model=model, preset=preset, n_members=n_members, time_budget=time_budget, metric=metric,
        class_weight=class_weight, threshold=threshold, calibrate=calibrate, compute=compute,
        seed=seed, n_threads=n_threads,
    )  # fmt: skip
    budget = Budget(trials=trials, storage=storage, study=study, sampler=sampler, pruner=pruner,
                    at_once=at_once)  # fmt: skip
    if study is not None and not isinstance(study, str):
        raise ArgumentTypeError(f"study: got {shown(study)}; want a name")
    if not isinstance(table, Table):
        table = load_table(table, target, task, options)
    elif target is not None or task is not None or options is not None:
        raise TableError("a Table has its own: leave out `target`, `task` and `options`")
    if isinstance(table, StreamedTable):
        raise TableError("table: got one that is read in pieces; want one that fits into memory")
    run = _TuningRun(table, settings, budget, reporter or Reporter())
    with nullcontext() if n_threads is None else fm.threads(n_threads):
        trained = run.hold_out() if test is None else run.other_rows(test)
    assert run.search is not None
    return TunedTable(trained, run.search.study, run.search.space)


class _TuningRun(TableRun):
    """Trains on the rows that are not for the test by tuning."""

    def __init__(
        self, table: Table, settings: Settings, budget: Budget, reporter: Reporter
    ) -> None:
        super().__init__(table, settings, None, reporter)
        self.budget = budget
        self.search: Search | None = None

    def fit(self, rows: Array, title: str, checkpoint: Path | None) -> TableModel:
        """Tune on some rows of the table."""
        train = Rows(self.table.frame.take(rows), self.table.y[rows])
        options = self.table.options
        data = read_data(train, self.target, self.settings, options, None)
        self.reporter.on_columns(title, data.reader, data.read)
        name = f"{os.path.basename(self.table.name)}: {self.table.target_name}"
        model, self.search = search_table(
            data, name, self.settings, self.budget, options, self.reporter, title
        )
        self.reporter.on_trained(title, model)
        return model
