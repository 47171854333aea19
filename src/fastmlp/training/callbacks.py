"""Callbacks of a fit: any object with ``on_epoch_end(state)``.

A callback may also have ``on_fit_start(state)``; ``on_fit_ready(state)``, called after the
``on_fit_start`` of all callbacks; ``after_epoch_end(state)``, called after the ``on_epoch_end`` of
all callbacks; and ``on_fit_end(state)``, called in any case: ``state.error`` is the exception that
ended the fit, or None. Checkpoints include the callbacks that have ``state_dict()`` and
``load_state_dict(state)``.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from os import PathLike, fspath
from os.path import exists
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from fastmlp.base import validation
from fastmlp.base.config import Configurable
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.training import checkpointing

if TYPE_CHECKING:
    from fastmlp.training.history import FitState

_MONITORS = ("val_loss", "loss", "val_score")


class EarlyStopping(Configurable):
    """Stop when the monitored number has not improved for ``patience`` epochs.

    Parameters
    ----------
    patience : int, default 10
        Number of epochs to wait.
    min_delta : float, default 0
        The least change that counts as an improvement.
    monitor : {"val_loss", "loss", "val_score"}
        ``val_score`` is better when larger, the losses when smaller; NaN is never better.
    restore_best : bool, default True
        Whether to restore the parameters of the best epoch at the end of the fit. This also applies
        if the fit was not stopped early, but not if an exception ended it.
    ties : {"first", "last"}
        Which of several equally good epochs is the best one; only a better one ends the waiting.
        A later one has often seen a smaller learning rate. ``min_delta`` must be 0 for "last".

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(1, 1), seed=0)
    >>> x = [[0.0], [1.0], [2.0], [3.0]]
    >>> stop = fm.EarlyStopping(patience=2, monitor="loss")
    >>> history = fm.fit(net, x, [0, 1, 2, 3], loss=fm.MSELoss(), optimizer=fm.SGD(0.0),
    ...                  epochs=50, callbacks=[stop], progress=False)
    >>> len(history.loss), history.best_epoch
    (3, 0)
    """

    def __init__(
        self,
        patience: int = 10,
        min_delta: float = 0.0,
        monitor: str = "val_loss",
        restore_best: bool = True,
        ties: str = "first",
    ) -> None:
        self.patience = validation.integer(patience, "patience", 0)
        self.min_delta = validation.real(min_delta, "min_delta", 0.0)
        self.monitor = validation.choice(monitor, "monitor", _MONITORS)
        self.restore_best = validation.flag(restore_best, "restore_best")
        self.ties = validation.choice(ties, "ties", ("first", "last"))
        if self.ties == "last" and self.min_delta:
            raise ArgumentError(f"min_delta: got {min_delta} with ties='last'; want 0")
        self._best = math.inf
        self._best_epoch: int | None = None
        self._waited = 0
        self._params: Array | None = None
        self._state: Array | None = None
        self._fit: FitState | None = None

    def on_fit_start(self, state: FitState) -> None:
        """Reset the state of the last fit."""
        if self.monitor != "loss" and not state.has_validation:
            raise ArgumentError(
                f"EarlyStopping: monitor={self.monitor!r} needs fit(..., validation=); "
                "or give monitor='loss'"
            )
        self._best, self._best_epoch = math.inf, None
        self._waited, self._params, self._state = 0, None, None
        self._fit = state

    def on_epoch_end(self, state: FitState) -> None:
        """Compare with the best epoch, keep its parameters, stop after ``patience`` epochs."""
        sign = -1.0 if self.monitor == "val_score" else 1.0
        value = sign * getattr(state, self.monitor)
        better = value < self._best - self.min_delta or (
            self._best_epoch is None and value == value
        )
        if better or (self.ties == "last" and value == self._best):
            self._best, self._best_epoch = value, state.epoch
            if self.restore_best:
                self._params, self._state = state.net.params.copy(), state.net.state.copy()
        self._waited = 0 if better else self._waited + 1
        if self._waited >= max(self.patience, 1):
            state.stop()

    def state_dict(self) -> dict[str, Any]:
        """Return the state, for checkpoints."""
        names = ("_best", "_best_epoch", "_waited", "_params", "_state")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state from ``state_dict``; if it does not fit, nothing changes."""
        if not isinstance(state, Mapping) or set(state) != set(self.state_dict()):
            raise ArgumentError(
                f"state: got {validation.shown(state)}; want {sorted(self.state_dict())}"
            )
        if type(state["_best"]) is not float or not self._fits(state):
            raise ArgumentError("EarlyStopping: got a state of another fit")
        vars(self).update(state)

    def _fits(self, state: Mapping[str, Any]) -> bool:
        """Whether the epochs and the parameters of a state are possible in this fit."""
        best, waited = state["_best_epoch"], state["_waited"]
        kept = state["_params"], state["_state"]
        nothing = all(one is None for one in kept)
        epochs = math.inf if self._fit is None else self._fit.epoch + 1
        counted = type(waited) is int and 0 <= waited <= epochs
        if best is None:
            return counted and nothing
        if type(best) is not int or not 0 <= best < epochs or not counted:
            return False
        if not self.restore_best:
            return nothing
        if self._fit is None:
            return all(isinstance(one, np.ndarray) for one in kept)
        like = self._fit.net.params, self._fit.net.state
        return all(
            isinstance(one, np.ndarray) and (one.dtype, one.shape) == (other.dtype, other.shape)
            for one, other in zip(kept, like, strict=True)
        )

    def on_fit_end(self, state: FitState) -> None:
        """Restore the best parameters."""
        if self._best_epoch is not None:
            state.history.best_epoch = self._best_epoch
        if self._params is not None and state.error is None:
            state.net.params[...], state.net.state[...] = self._params, self._state
        self._params = self._state = self._fit = None


class Checkpoint(Configurable):
    """Save the fit between epochs, so that a later fit can resume it.

    The file holds the network and the states of optimizer, schedule, history and other callbacks.
    It also holds the seeds and counts that determine dropout masks and the order of rows. A resumed
    fit gives bit for bit the result of an uninterrupted one. ``fm.load`` reads the network from the
    file.

    A fit resumes only its own file. It refuses a file with other data (by SHA-256), ``batch_size``,
    ``seed`` or ``shuffle``, or with another class or argument of optimizer, losses, penalties,
    schedule or callbacks with a state. Of classes that you write, only the name is compared.
    ``Trainer.lr``, which callbacks may set, is taken from the file.

    States of callbacks may hold None, numbers, text, float32 and float64 arrays, and lists, tuples
    and dicts of those.

    Parameters
    ----------
    path : str or path-like
        Written atomically: at any moment the old file or the new one is complete.
    every : int, default 1
        Epochs between two saves; the last epoch is always saved.
    resume : bool, default False
        Whether to continue from the file if it exists. ``epochs`` is then the total number of
        epochs of both fits. It may differ from before, unless the schedule depends on it.

    Raises
    ------
    ArgumentError
        If the file belongs to another network or fit; the message lists the differences. Nothing
        has changed then.
    ArgumentTypeError
        If a callback's state holds anything else than the above.
    ModelFileError
        If the file is damaged or not a checkpoint.

    Examples
    --------
    >>> import tempfile
    >>> import fastmlp as fm
    >>> def train(epochs, path):
    ...     net = fm.Sequential(fm.Linear(1, 4), fm.Tanh(), fm.Linear(4, 1), seed=0)
    ...     fm.fit(net, [[0.0], [1.0], [2.0]], [0, 1, 4], loss=fm.MSELoss(), epochs=epochs,
    ...            batch_size=2, callbacks=[fm.Checkpoint(path, resume=True)], progress=False)
    ...     return net.params
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = train(3, f"{folder}/a.safetensors")
    ...     same = train(8, f"{folder}/a.safetensors") == train(8, f"{folder}/b.safetensors")
    >>> bool(same.all())
    True
    """

    def __init__(self, path: str | PathLike[str], every: int = 1, resume: bool = False) -> None:
        validation.path(path)
        self.path = path
        self.every = validation.size(every, "every")
        self.resume = validation.flag(resume, "resume")
        self._fingerprint: dict[str, Any] = {}

    def on_fit_start(self, state: FitState) -> None:
        """Refuse an optimizer that cannot be saved; compute the fingerprint of the fit."""
        if not hasattr(state.trainer.optimizer, "load_state_dict"):
            name = type(state.trainer.optimizer).__name__
            raise ArgumentError(
                f"Checkpoint: the state of {name} cannot be saved; use another optimizer"
            )
        self._fingerprint = checkpointing.fingerprint_of(state)

    def on_fit_ready(self, state: FitState) -> None:
        """Continue from the file."""
        if not self.resume or not exists(self.path):
            return
        from fastmlp.io import checkpoint

        net, saved = checkpoint.read(self.path)
        try:
            checkpointing.resume(state, self._fingerprint, net, saved)
        except ArgumentError as error:
            raise ArgumentError(
                f"path: this fit cannot resume {fspath(self.path)}: {error}"
            ) from error

    def on_epoch_end(self, state: FitState) -> None:
        """Do nothing: the file is written after all callbacks have seen the epoch."""

    def after_epoch_end(self, state: FitState) -> None:
        """Write the file."""
        last = state.stopped or state.epoch + 1 >= state.epochs
        if last or (state.epoch + 1) % self.every == 0:
            from fastmlp.io import checkpoint

            checkpoint.save(self.path, state.net, checkpointing.capture(state, self._fingerprint))


class ProgressBar:
    """Show the progress of a fit: a tqdm bar if tqdm is installed, else one line for each epoch.

    Parameters
    ----------
    file : text stream, optional
        Standard error by default.

    Examples
    --------
    >>> import io
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(1, 1), seed=0)
    >>> bar = fm.ProgressBar(file=io.StringIO())
    >>> history = fm.fit(net, [[0.0], [1.0]], [0, 1], loss=fm.MSELoss(), epochs=2,
    ...                  callbacks=[bar], progress=False)
    >>> len(history.loss)
    2
    """

    def __init__(self, file: TextIO | None = None) -> None:
        if file is not None and not hasattr(file, "write"):
            raise ArgumentTypeError(f"file: got {validation.shown(file)}; want a text stream")
        self._file = file
        self._bar: Any = None

    def on_fit_start(self, state: FitState) -> None:
        """Open the bar."""
        try:
            from tqdm import tqdm
        except ImportError:
            self._bar = None
        else:
            self._bar = tqdm(total=state.epochs, unit="epoch", file=self._file or sys.stderr)

    def on_epoch_end(self, state: FitState) -> None:
        """Advance it."""
        numbers = {"loss": state.loss, "val_loss": state.val_loss, "val_score": state.val_score}
        shown = {name: f"{value:.4g}" for name, value in numbers.items() if value is not None}
        if self._bar is not None:
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update()
        else:
            text = "  ".join(f"{name} {value}" for name, value in shown.items())
            line = f"epoch {state.epoch + 1}/{state.epochs}  {text}  {state.seconds:.2f} s"
            print(line, file=self._file or sys.stderr)

    def on_fit_end(self, state: FitState) -> None:
        """Close it."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
