"""Callbacks that write the numbers of a fit: to files, to Python's logging, to TensorBoard."""

from __future__ import annotations

import math
import os
from typing import IO, TYPE_CHECKING, Any, ClassVar

from fastmlp.base import validation
from fastmlp.base.config import Configurable
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, MissingPackageError

if TYPE_CHECKING:
    import logging

    from fastmlp.training.history import FitState

_COLUMNS = ("epoch", "loss", "val_loss", "val_score", "lr", "seconds")


def numbers_of(state: FitState) -> dict[str, float | None]:
    """Return the numbers of the epoch that ended; epochs count from 1, None is without value."""
    found: dict[str, float | None] = {"epoch": state.epoch + 1}
    for name in _COLUMNS[1:]:
        value = getattr(state, name)
        found[name] = None if value is None else float(value)
    return found


class _FileLogger(Configurable):
    """Base of the loggers that write one line for each epoch into a file."""

    def __init__(self, path: str | os.PathLike[str], append: bool = False) -> None:
        validation.path(path)
        self.path = path
        self.append = validation.flag(append, "append")
        self._file: IO[str] | None = None

    def on_fit_start(self, state: FitState) -> None:
        """Open the file."""
        mode = "a" if self.append else "w"
        self._file = open(self.path, mode, encoding="utf-8", newline="")  # noqa: SIM115

    def on_fit_end(self, state: FitState) -> None:
        """Close it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, line: str) -> None:
        if self._file is not None:
            self._file.write(line + "\n")
            self._file.flush()  # another program may follow the file


class CSVLogger(_FileLogger):
    """Write a CSV file with one line for each epoch.

    The columns are ``epoch`` (from 1), ``loss``, ``val_loss``, ``val_score``, ``lr`` and
    ``seconds``. Without validation, its fields are empty.

    Parameters
    ----------
    path : str or path-like
    append : bool, default False
        Whether to keep the lines of a file that exists, as for a fit that a ``Checkpoint`` resumes.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(1, 1), seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = fm.CSVLogger(f"{folder}/log.csv")
    ...     history = fm.fit(net, [[0.0], [1.0]], [0, 1], loss=fm.MSELoss(), epochs=2,
    ...                      callbacks=[log])
    ...     lines = pathlib.Path(folder, "log.csv").read_text().splitlines()
    >>> lines[0], len(lines)
    ('epoch,loss,val_loss,val_score,lr,seconds', 3)
    """

    def on_fit_start(self, state: FitState) -> None:
        super().on_fit_start(state)
        assert self._file is not None
        if self._file.tell() == 0:
            self._write(",".join(_COLUMNS))

    def on_epoch_end(self, state: FitState) -> None:
        """Write the line of an epoch."""
        values = numbers_of(state).values()
        self._write(",".join("" if value is None else repr(value) for value in values))


class JSONLogger(_FileLogger):
    """Write a file of JSON lines, one object for each epoch, and optionally for steps.

    An epoch has the keys of ``CSVLogger``'s columns; null is a number that is not there or not
    finite. A line of steps has ``step``, ``loss`` (the mean of these steps) and ``lr``.

    Parameters
    ----------
    path : str or path-like
    append : bool, default False
        Whether to keep the lines of a file that exists.
    step_every : int, optional
        Steps between two lines of steps; by default there are none.

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(1, 1), seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = fm.JSONLogger(f"{folder}/log.jsonl")
    ...     history = fm.fit(net, [[0.0], [1.0]], [0, 1], loss=fm.MSELoss(), epochs=2,
    ...                      callbacks=[log])
    ...     lines = pathlib.Path(folder, "log.jsonl").read_text().splitlines()
    >>> [json.loads(line)["epoch"] for line in lines]
    [1, 2]
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        append: bool = False,
        step_every: int | None = None,
    ) -> None:
        super().__init__(path, append)
        self.step_every = _steps(step_every)

    def on_epoch_end(self, state: FitState) -> None:
        """Write the line of an epoch."""
        self._write_object(numbers_of(state))

    def on_step_end(self, state: FitState) -> None:
        """Write the line of some steps."""
        mean = float(state.step_losses.mean())
        self._write_object({"step": state.step, "loss": mean, "lr": state.lr})

    def _write_object(self, values: dict[str, float | None]) -> None:
        plain = {k: v if v is not None and math.isfinite(v) else None for k, v in values.items()}
        import json  # late, as all imports here that take time

        self._write(json.dumps(plain))


class PythonLogger(Configurable):
    """Write one record for each epoch to Python's ``logging``.

    Parameters
    ----------
    logger : str or logging.Logger, default "fastmlp"
    level : int or str, default "INFO"
        Of the records, a number or a name of ``logging``.
    every : int, default 1
        Epochs between two records; the last epoch always has one.

    Examples
    --------
    >>> import logging
    >>> import fastmlp as fm
    >>> logging.basicConfig()
    >>> log = fm.PythonLogger("training", level="WARNING")
    """

    def __init__(
        self, logger: str | logging.Logger = "fastmlp", level: int | str = "INFO", every: int = 1
    ) -> None:
        import logging

        if not isinstance(logger, (str, logging.Logger)):
            raise ArgumentTypeError(
                f"logger: got {validation.shown(logger)}; want a name or a logging.Logger"
            )
        self.logger, self.level = logger, level
        names = logging.getLevelNamesMapping()
        known = isinstance(level, str) and level in names
        if isinstance(level, bool) or not (isinstance(level, int) or known):
            raise ArgumentError(
                f"level: got {validation.shown(level)}; want a number or one of {', '.join(names)}"
            )
        self._number = names[level] if isinstance(level, str) else level
        self.every = validation.size(every, "every")

    def on_epoch_end(self, state: FitState) -> None:
        """Write the record of an epoch."""
        import logging

        last = state.stopped or state.epoch + 1 == state.epochs
        if not last and (state.epoch + 1) % self.every:
            return
        out = logging.getLogger(self.logger) if isinstance(self.logger, str) else self.logger
        values = numbers_of(state)
        epoch = f"epoch {values.pop('epoch')}/{state.epochs}"
        shown = (f"{name} {value:.6g}" for name, value in values.items() if value is not None)
        out.log(self._number, "%s  %s", epoch, "  ".join(shown))


class TensorBoardLogger(Configurable):
    """Write event files for TensorBoard, through its own library (extra ``tensorboard``).

    The scalars of an epoch are ``loss/training``, ``loss/validation``, ``score`` (of the validation
    data), ``lr`` and ``seconds``; their steps count epochs from 1. Look at them with
    ``tensorboard --logdir FOLDER``.

    Parameters
    ----------
    folder : str or path-like
        Made if it is missing. Each fit adds a file.
    step_every : int, optional
        Steps between two scalars ``loss/step`` (the mean of these steps) and ``lr/step``, which
        count steps; by default there are none.

    Raises
    ------
    MissingPackageError
        When a fit begins, if ``tensorboard`` is not installed.

    Examples
    --------
    >>> import fastmlp as fm
    >>> log = fm.TensorBoardLogger("runs", step_every=100)  # for fit(..., callbacks=[log])
    """

    _NAMES: ClassVar = {
        "loss": "loss/training",
        "val_loss": "loss/validation",
        "val_score": "score",
        "lr": "lr",
        "seconds": "seconds",
    }

    def __init__(self, folder: str | os.PathLike[str], step_every: int | None = None) -> None:
        validation.path(folder, "folder")
        self.folder = folder
        self.step_every = _steps(step_every)
        self._writer: Any = None

    def on_fit_start(self, state: FitState) -> None:
        """Open an event file."""
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError as error:
            raise MissingPackageError(
                'TensorBoardLogger needs TensorBoard: pip install "fastmlp[tensorboard]"',
                name="tensorboard",
            ) from error
        self._events, self._summaries = event_pb2, summary_pb2
        self._writer = EventFileWriter(os.fspath(self.folder))

    def on_epoch_end(self, state: FitState) -> None:
        """Write the scalars of an epoch."""
        values = numbers_of(state)
        found = {tag: values[name] for name, tag in self._NAMES.items()}
        self._add(
            {tag: value for tag, value in found.items() if value is not None}, state.epoch + 1
        )

    def on_step_end(self, state: FitState) -> None:
        """Write the scalars of some steps."""
        mean = float(state.step_losses.mean())
        self._add({"loss/step": mean, "lr/step": state.lr}, state.step)

    def on_fit_end(self, state: FitState) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _add(self, scalars: dict[str, float], step: int) -> None:
        import time

        value = self._summaries.Summary.Value
        values = [value(tag=tag, simple_value=number) for tag, number in scalars.items()]
        summary = self._summaries.Summary(value=values)
        event = self._events.Event(wall_time=time.time(), step=step, summary=summary)
        self._writer.add_event(event)


def _steps(value: int | None) -> int | None:
    return None if value is None else validation.size(value, "step_every")
