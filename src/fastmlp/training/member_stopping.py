"""Early stopping of the members of one network: each keeps its own best parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.layers import BatchNorm, Linear, ParametricActivation, Scale
from fastmlp.layers.parametric import ParametricLayer
from fastmlp.training.early_stopping import Stopping, alike

if TYPE_CHECKING:
    from fastmlp.networks.base import Network
    from fastmlp.training.history import FitState

_MONITORS = {"val_loss": "val_member_loss", "loss": "member_loss", "val_score": "val_member_score"}
# Layers whose parameters belong to columns of the output, and so to members.
_BY_COLUMN = (BatchNorm, Scale, ParametricActivation)


class MemberStopping(Stopping):
    """Keep each member's best parameters; stop when no member has improved for some epochs.

    For networks of independent members: all matrix products are ``Linear(..., groups=members)``, or
    with a multiple of that, and the loss has ``fold=members``. At the end of the fit each member
    gets its parameters of its own best epoch. Members that share parameters, as in TabM, are
    refused: use ``EarlyStopping``, which judges by the mean over the members.

    Parameters
    ----------
    patience : int, default 10
        Number of epochs to wait until any member improves.
    min_delta : float, default 0
        The least change that counts as an improvement.
    monitor : {"val_loss", "loss", "val_score"}
        A member's part of it. ``val_score`` is better when larger, the losses when smaller; NaN is
        never better.
    ties : {"first", "last"}
        Which of several equally good epochs is the best one; only a better one ends the waiting.

    Attributes
    ----------
    best_epochs : ndarray of int, shape (members,)
        The best epoch of each member; -1 if there is none.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(2, 2, groups=2), seed=0)
    >>> stopping = fm.MemberStopping(patience=5, monitor="loss")
    >>> history = fm.fit(net, [[0.0], [1.0]], [0.0, 1.0], loss=fm.MSELoss(fold=2), members=2,
    ...                  epochs=9, callbacks=[stopping], progress=False)
    >>> stopping.best_epochs.tolist()
    [8, 8]
    """

    def __init__(
        self,
        patience: int = 10,
        min_delta: float = 0.0,
        monitor: str = "val_loss",
        ties: str = "first",
    ) -> None:
        super().__init__(patience, min_delta, monitor, ties)
        self.best_epochs = np.zeros(0, np.int64)
        self._best, self._last_better = np.zeros(0), -1

    def on_fit_start(self, state: FitState) -> None:
        """Reset the state of the last fit; refuse networks whose members share parameters."""
        self._begin(state)
        members = state.trainer.members
        check_independent(state.net, members)
        self._best, self._last_better = np.full(members, math.inf), -1
        self.best_epochs = np.full(members, -1)
        self._params, self._state = state.net.params.copy(), state.net.state.copy()

    def on_epoch_end(self, state: FitState) -> None:
        """Keep the parameters of the members that improved; stop after ``patience`` epochs."""
        values = getattr(state, _MONITORS[self.monitor])
        if values is None:  # one member
            values = np.array([getattr(state, self.monitor)])
        values = self._sign() * values
        better = self._improved(values, self._best, self.best_epochs < 0)
        if better.any():
            self._last_better = state.epoch
        if self.ties == "last":
            better |= values == self._best
        self._best[better], self.best_epochs[better] = values[better], state.epoch
        assert self._params is not None
        assert self._state is not None
        _copy_members(state.net, np.flatnonzero(better), len(values), self._params, self._state)
        if state.epoch - self._last_better >= max(self.patience, 1):
            state.stop()

    def on_fit_end(self, state: FitState) -> None:
        """Give each member its best parameters."""
        self._end(state)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, for checkpoints."""
        return {
            "best": self._best.copy(), "best_epochs": self.best_epochs.tolist(),
            "improved": self._last_better,
            "params": None if self._params is None else self._params.copy(),
            "state": None if self._state is None else self._state.copy(),
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state from ``state_dict``; if it does not fit, nothing changes."""
        known = self.state_dict()
        self._check_names(state, known)
        done = self._epochs_so_far()
        epochs, improved = state["best_epochs"], state["improved"]
        fits = isinstance(epochs, list) and len(epochs) == len(known["best_epochs"])
        counts = [improved, *epochs] if fits else []
        fits = fits and all(type(one) is int and -1 <= one < done for one in counts)
        arrays = ("best", "params", "state")
        if not fits or not all(alike(state[name], known[name]) for name in arrays):
            raise self._of_another_fit()
        self.best_epochs = np.array(epochs, np.int64)
        self._best, self._last_better = state["best"].copy(), improved
        self._params, self._state = state["params"], state["state"]


def check_independent(net: Network, members: int) -> None:
    """Refuse networks whose members share parameters."""
    for name, layer in zip(net.layer_names(), net.layers, strict=True):
        if not isinstance(layer, ParametricLayer):
            continue
        if isinstance(layer, Linear):
            fits = layer.groups % members == 0 and layer.fold == 1
        else:
            fits = isinstance(layer, _BY_COLUMN) and layer.in_features % members == 0
        if not fits and members > 1:
            raise ArgumentError(
                f"MemberStopping: got layer {name}, {layer!r}, for {members} members; want "
                "parameters that belong to one member each, such as those of "
                f"Linear(..., groups={members})"
            )


def _copy_members(net: Network, which: Array, members: int, params: Array, state: Array) -> None:
    """Copy the parameters and the state of some members from the network."""
    for kept, now in ((params, net.params), (state, net.state)):
        for layer in net.layers if which.size else ():
            if not isinstance(layer, ParametricLayer):
                continue
            for array in layer.values().values():
                if np.shares_memory(array, now):
                    at = (array.ctypes.data - now.ctypes.data) // now.itemsize
                    part = slice(at, at + array.size)
                    kept[part].reshape(members, -1)[which] = now[part].reshape(members, -1)[which]
