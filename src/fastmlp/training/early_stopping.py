"""Early stopping: the epoch with the best loss or score, whose parameters a fit ends with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.config import Configurable
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array

if TYPE_CHECKING:
    from fastmlp.training.history import FitState

_MONITORS = ("val_loss", "loss", "val_score")


class Stopping(Configurable):
    """Base of the kinds of early stopping: what is monitored, and what is kept."""

    def __init__(self, patience: int, min_delta: float, monitor: str, ties: str) -> None:
        self.patience = validation.integer(patience, "patience", 0)
        self.min_delta = validation.real(min_delta, "min_delta", 0.0)
        self.monitor = validation.choice(monitor, "monitor", _MONITORS)
        self.ties = validation.choice(ties, "ties", ("first", "last"))
        if self.ties == "last" and self.min_delta:
            raise ArgumentError(f"min_delta: got {min_delta} with ties='last'; want 0")
        self._params: Array | None = None
        self._state: Array | None = None
        self._fit: FitState | None = None

    def _begin(self, state: FitState) -> None:
        """Note the fit, which must compute what is monitored."""
        if self.monitor != "loss" and not state.has_validation:
            raise ArgumentError(
                f"{type(self).__name__}: monitor={self.monitor!r} needs fit(..., validation=); "
                "or give monitor='loss'"
            )
        self._params = self._state = None
        self._fit = state

    def _end(self, state: FitState) -> None:
        """Restore the parameters that were kept, unless the fit failed."""
        if state.error is None and self._params is not None and self._state is not None:
            state.net.params[...], state.net.state[...] = self._params, self._state
        self._params = self._state = self._fit = None

    def _sign(self) -> float:
        """Return what makes a smaller monitored number the better one."""
        return -1.0 if self.monitor == "val_score" else 1.0

    def _improved(self, value: Any, best: Any, is_first: Any) -> Any:
        """Tell whether a number, or each one of an array, is better than the best one so far."""
        return (value < best - self.min_delta) | (is_first & (value == value))

    def _epochs_so_far(self) -> float:
        return math.inf if self._fit is None else self._fit.epoch + 1

    def _check_names(self, state: Any, names: Mapping[str, Any]) -> None:
        if not isinstance(state, Mapping) or set(state) != set(names):
            raise ArgumentError(f"state: got {validation.shown(state)}; want {sorted(names)}")

    def _of_another_fit(self) -> ArgumentError:
        return ArgumentError(f"{type(self).__name__}: got a state of another fit")


class EarlyStopping(Stopping):
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
        super().__init__(patience, min_delta, monitor, ties)
        self.restore_best = validation.flag(restore_best, "restore_best")
        self._best = math.inf
        self._best_epoch: int | None = None
        self._waited = 0

    def on_fit_start(self, state: FitState) -> None:
        """Reset the state of the last fit."""
        self._begin(state)
        self._best, self._best_epoch, self._waited = math.inf, None, 0

    def on_epoch_end(self, state: FitState) -> None:
        """Compare with the best epoch, keep its parameters, stop after ``patience`` epochs."""
        value = self._sign() * getattr(state, self.monitor)
        better = self._improved(value, self._best, self._best_epoch is None)
        if better or (self.ties == "last" and value == self._best):
            self._best, self._best_epoch = value, state.epoch
            if self.restore_best:
                self._params, self._state = state.net.params.copy(), state.net.state.copy()
        self._waited = 0 if better else self._waited + 1
        if self._waited >= max(self.patience, 1):
            state.stop()

    def on_fit_end(self, state: FitState) -> None:
        """Restore the best parameters."""
        if self._best_epoch is not None:
            state.history.best_epoch = self._best_epoch
        self._end(state)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, for checkpoints."""
        names = ("_best", "_best_epoch", "_waited", "_params", "_state")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state from ``state_dict``; if it does not fit, nothing changes."""
        self._check_names(state, self.state_dict())
        if type(state["_best"]) is not float or not self._fits(state):
            raise self._of_another_fit()
        vars(self).update(state)

    def _fits(self, state: Mapping[str, Any]) -> bool:
        """Whether the epochs and the parameters of a state are possible in this fit."""
        best, waited = state["_best_epoch"], state["_waited"]
        kept = state["_params"], state["_state"]
        nothing = all(one is None for one in kept)
        epochs = self._epochs_so_far()
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
        return all(alike(one, other) for one, other in zip(kept, like, strict=True))


def alike(value: Any, known: Array | None) -> bool:
    """Whether a value is an array of the type and the shape of a known one, or None like it."""
    if known is None:
        return value is None
    if not isinstance(value, np.ndarray):
        return False
    return (value.dtype, value.shape) == (known.dtype, known.shape)
