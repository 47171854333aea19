"""``fit_many``: independent fits that share the threads of the process."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.side_by_side import run_side_by_side
from fastmlp.base.threads import MAX_THREADS
from fastmlp.networks.base import Network
from fastmlp.training.history import History
from fastmlp.training.progress import FitsBar
from fastmlp.training.trainer import Trainer

# Options of ``fit`` that make the trainer.
_OF_TRAINER = ("loss", "optimizer", "penalty", "loss_weights", "nan", "shards")


class FitJob:
    """One fit of ``fit_many``.

    Parameters
    ----------
    net : Sequential or Graph
        Trained in place.
    x, y : array_like
        As ``fit`` takes them. Many jobs may have the same arrays, which are not copied.
    rows : array_like of int or bool, optional
        The rows to train on: numbers, in this order, or a mask. All rows by default. The result
        has the bits of ``fit(net, x[rows], y[rows], ...)``, without that copy.
    validation_rows : array_like of int or bool, optional
        Rows of the same arrays for validation, instead of ``validation=``.
    **options
        Those of ``fit``: ``loss=`` must be given. ``sample_weight`` has the length of ``x``. No
        progress of its own is shown unless ``progress=True``.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(1, 1), seed=0)
    >>> job = fm.FitJob(net, [[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0], rows=[0, 2],
    ...                 loss=fm.MSELoss(), epochs=3)
    """

    def __init__(
        self, net: Network, x: Any, y: Any = None, *, rows: Any = None,
        validation_rows: Any = None, **options: Any,
    ) -> None:  # fmt: skip
        if not isinstance(net, Network):
            raise ArgumentTypeError(f"net: got {check.shown(net)}; want a Sequential or a Graph")
        import inspect  # slow to import

        known = list(inspect.signature(Trainer.fit).parameters)[3:]
        for name in options:
            if name not in known and name not in _OF_TRAINER:
                raise ArgumentTypeError(f"FitJob: got the option {name!r}; want those of fit")
        if "loss" not in options:
            raise ArgumentTypeError("loss: got nothing; want a loss, as fit takes it")
        if options.get("world") is not None:
            raise ArgumentError("world: got ranks; want None, as jobs run in one process")
        if validation_rows is not None and options.get("validation") is not None:
            raise ArgumentError("validation_rows: got both it and validation; want one of them")
        self.net, self.x, self.y = net, x, y
        self.rows, self.validation_rows = rows, validation_rows
        self.options = {"progress": False, **options}

    def run(self) -> History:
        """Train the network.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            As ``fit``, and if the rows do not fit.
        """
        options = dict(self.options)
        options.pop("world", None)
        settings = {name: options.pop(name) for name in _OF_TRAINER if name in options}
        trainer = Trainer(self.net, **settings)
        return trainer.fit_rows(self.x, self.y, self.rows, self.validation_rows, **options)


def fit_many(
    jobs: Iterable[FitJob], n_threads: int | None = None, progress: bool | None = None
) -> list[History | Exception]:
    """Run independent fits side by side in this process; return their results in order.

    While more jobs wait than there are threads, each is trained by one thread. The last ones share
    the threads that become free. The core does not hold Python's lock, nothing is copied for other
    processes, and each network has the same bits as if it were trained alone.

    Parameters
    ----------
    jobs : iterable of FitJob
        No network may occur twice. Callbacks are called in the thread that runs the job; one
        object that several jobs share must allow calls from several threads.
    n_threads : int, optional
        Threads in all; ``fm.get_num_threads()`` by default.
    progress : bool, optional
        Whether to count the finished jobs on standard error; by default on terminals and in
        notebooks.

    Returns
    -------
    list of History or Exception
        The history of each fit in the order of ``jobs``, or the exception that ended it. A
        failing job does not end the others.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If ``jobs`` holds something else, or a network twice; nothing is trained then.
    KeyboardInterrupt
        On Ctrl-C. The fits that run end after their present epoch. The attribute ``results`` is
        the list so far, with None for jobs that never began.

    Examples
    --------
    >>> import numpy as np
    >>> import fastmlp as fm
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(-1, 1)
    >>> jobs = [fm.FitJob(fm.Sequential(fm.Linear(1, 1), seed=seed), x, 2 * x, loss=fm.MSELoss(),
    ...                   optimizer=fm.Adam(lr=0.1), epochs=60, seed=seed) for seed in range(3)]
    >>> [history.loss[-1] < 0.01 for history in fm.fit_many(jobs, progress=False)]
    [True, True, True]
    """
    checked = _checked_jobs(jobs)
    if n_threads is not None:
        n_threads = check.integer(n_threads, "n_threads", 1, MAX_THREADS)
    _share_arrays(checked)
    bar = FitsBar(len(checked), progress)
    lock = threading.Lock()

    def done(number: int) -> None:
        with lock:
            bar.advance()

    try:
        return run_side_by_side([job.run for job in checked], n_threads, done)
    finally:
        bar.close()


def _checked_jobs(jobs: Any) -> list[FitJob]:
    try:
        found = list(jobs)
    except TypeError:
        raise ArgumentTypeError(f"jobs: got {check.shown(jobs)}; want FitJobs") from None
    seen: dict[int, int] = {}
    for number, job in enumerate(found):
        if not isinstance(job, FitJob):
            raise ArgumentTypeError(f"jobs[{number}]: got {check.shown(job)}; want a FitJob")
        first = seen.setdefault(id(job.net), number)
        if first != number:
            raise ArgumentError(
                f"jobs: got the same network in jobs {first} and {number}; want one for each job"
            )
    # Copies, so that the caller's jobs keep the arrays they were given.
    return [FitJob(job.net, job.x, job.y, rows=job.rows, validation_rows=job.validation_rows,
                   **job.options) for job in found]  # fmt: skip


def _share_arrays(jobs: list[FitJob]) -> None:
    """Convert inputs of another type than the network's once, not once a job."""
    found: dict[tuple[int, Any], Any] = {}
    for job in jobs:
        x, dtype = job.x, np.dtype(job.net.dtype)
        if type(x) is not np.ndarray or x.dtype.kind != "f":
            continue
        if x.dtype != dtype or not x.flags.c_contiguous:
            key = (id(x), dtype)
            if key not in found:
                with np.errstate(over="ignore"):  # the fit says which number is not finite
                    found[key] = np.ascontiguousarray(x, dtype)
            job.x = found[key]
