"""What runs between the epochs of a fit: any object with ``on_epoch_end(state)``.

It may also have ``on_fit_start(state)`` and ``on_fit_end(state)``; the latter runs however the fit
ends, with ``state.error`` the exception that ended it or None.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, TextIO

from fastmlp import validation
from fastmlp.described import Described
from fastmlp.errors import ArgumentError, ArgumentTypeError
from fastmlp.validation import Array

if TYPE_CHECKING:
    from fastmlp.history import FitState

_MONITORS = ("val_loss", "loss", "val_score")


class EarlyStopping(Described):
    """Stop when the monitored number has not become better for ``patience`` epochs.

    Parameters
    ----------
    patience : int, default 10
        Epochs to wait.
    min_delta : float, default 0
        How much better counts as better.
    monitor : {"val_loss", "loss", "val_score"}
        ``val_score`` is better when larger, the losses when smaller; NaN is never better.
    restore_best : bool, default True
        At the end put back the parameters of the best epoch (also when no stop was needed, but
        not when an exception ended the fit).

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
    ) -> None:
        self.patience = validation.integer(patience, "patience", 0)
        self.min_delta = validation.real(min_delta, "min_delta", 0.0)
        self.monitor = validation.choice(monitor, "monitor", _MONITORS)
        self.restore_best = validation.flag(restore_best, "restore_best")
        self._best = math.inf
        self._best_epoch: int | None = None
        self._waited = 0
        self._params: Array | None = None
        self._state: Array | None = None

    def on_fit_start(self, state: FitState) -> None:
        """Forget the last fit."""
        if self.monitor != "loss" and not state.has_validation:
            raise ArgumentError(
                f"EarlyStopping: monitor={self.monitor!r} needs fit(..., validation=); "
                "or give monitor='loss'"
            )
        self._best, self._best_epoch = math.inf, None
        self._waited, self._params = 0, None

    def on_epoch_end(self, state: FitState) -> None:
        """Compare, keep the best, stop when patience is out."""
        sign = -1.0 if self.monitor == "val_score" else 1.0
        value = sign * getattr(state, self.monitor)
        if value < self._best - self.min_delta or (self._best_epoch is None and value == value):
            self._best, self._best_epoch = value, state.epoch
            if self.restore_best:
                self._params, self._state = state.net.params.copy(), state.net.state.copy()
        self._waited = 0 if self._best_epoch == state.epoch else self._waited + 1
        if self._waited >= max(self.patience, 1):
            state.stop()

    def on_fit_end(self, state: FitState) -> None:
        """Put back the best parameters."""
        if self._best_epoch is not None:
            state.history.best_epoch = self._best_epoch
        if self._params is not None and state.error is None:
            state.net.params[...], state.net.state[...] = self._params, self._state
        self._params = self._state = None


class ProgressBar:
    """Show the progress of a fit: tqdm's bar where it is installed, else a line per epoch.

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
            raise ArgumentTypeError(f"file: got {file!r}; want a text stream")
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
