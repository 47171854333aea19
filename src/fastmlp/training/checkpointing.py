"""Capture the state of a fit for a checkpoint, and restore it: completely or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.networks.base import Network
from fastmlp.training import begun_epochs
from fastmlp.training.fingerprint import describe_part, differences

if TYPE_CHECKING:
    from fastmlp.training.history import FitState

_KEYS = {"fit", "trainer", "epoch", "epochs", "stopped", "history", "schedules", "callbacks"}
# Beside those: of an epoch that has begun, and of a stream.
_MORE = {"begun", "stream"}
# The core counts epochs in 32 bits; a larger count in a file is a fault.
_MOST_COUNTED = 2**31


def stateful(state: FitState) -> list[Any]:
    """Return the callbacks that are part of a checkpoint."""
    return [hook for hook in state.callbacks if hasattr(hook, "load_state_dict")]


def fingerprint_of(state: FitState) -> dict[str, Any]:
    """Return a description that differs between different fits; hashes all data."""
    return {
        **state.fingerprint(),
        "schedule": describe_part(state.schedules.parts.get("lr")),
        "schedules": {name: describe_part(one) for name, one in state.schedules.others.items()},
        "callbacks": [describe_part(hook) for hook in stateful(state)],
    }


def capture(state: FitState, fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the complete state of a fit, without the network's parameters."""
    more: dict[str, Any] = {}
    if state.begun is not None:
        more["begun"] = begun_epochs.captured(state.begun)
    if state.stream is not None:
        more["stream"] = {
            "rows": state.stream.rows_in_all,
            "steps": state.steps,
            "step": state.step,
        }
    return {
        **more,
        "fit": dict(fingerprint),
        "trainer": state.trainer.state_dict(),
        "epoch": state.epoch,
        "epochs": state.epochs,
        "stopped": state.stopped,
        "history": state.history.columns(),
        "schedules": {name: one.state_dict() for name, one in state.schedules.parts.items()},
        "callbacks": [hook.state_dict() for hook in stateful(state)],
    }


def resume(state: FitState, fingerprint: Mapping[str, Any], net: Network, saved: Any) -> None:
    """Continue from a state of ``capture`` and the network that was saved with it.

    Raises
    ------
    ArgumentError
        If the state belongs to another fit or is invalid; then nothing has changed.
    """
    if not isinstance(saved, dict) or not _KEYS <= saved.keys() <= _KEYS | _MORE:
        raise ArgumentError(
            f"it must have exactly the keys {', '.join(sorted(_KEYS))}; was it written by another "
            "version of fastmlp?"
        )
    _check_network(net, state.net)
    found = differences(saved["fit"], dict(fingerprint))
    if found:
        raise ArgumentError(f"it belongs to another fit: {'; '.join(found)}")
    _check_progress(state, saved)
    begun = begun_epochs.checked(state, saved.get("begun"))
    stream = begun_epochs.checked_stream(state, saved.get("stream"))
    check_trainer(state.trainer, saved["trainer"])
    before = _Snapshot(state)
    try:
        _take_over(state, net, saved)
        begun_epochs.take_over(state, begun, stream)
    except BaseException as error:
        before.put_back()
        if isinstance(error, ArgumentError) or not isinstance(error, Exception):
            raise
        raise ArgumentError(f"it does not fit this fit ({error!r:.200})") from error


class _Snapshot:
    """Copies of everything that `resume` changes."""

    def __init__(self, state: FitState) -> None:
        import copy

        self._state = state
        self._numbers = state.net.params.copy(), state.net.state.copy()
        self._progress = state.epoch, state.stopped, state.steps, state.step
        parts = [state.trainer, *state.schedules.parts.values(), *stateful(state)]
        # state_dict() of a callback may return its own lists and arrays, which loading changes.
        self._parts = [(part, copy.deepcopy(part.state_dict())) for part in parts]
        self._history = copy.deepcopy(state.history.columns())

    def put_back(self) -> None:
        state = self._state
        state.net.params[...], state.net.state[...] = self._numbers
        state.epoch, state.stopped, state.steps, state.step = self._progress
        state.begun = None
        for part, known in self._parts:
            # A part that fails to restore its state must not stop the others.
            with suppress(Exception):
                part.load_state_dict(known)
        state.history.load(self._history)


def _take_over(state: FitState, net: Network, saved: Mapping[str, Any]) -> None:
    # History and progress come first: callbacks may compare their states with them.
    state.history.load(saved["history"])
    state.epoch, state.stopped = saved["epoch"], saved["stopped"]
    state.net.params[...], state.net.state[...] = net.params, net.state
    state.trainer.load_state_dict(saved["trainer"])
    for name, schedule in state.schedules.parts.items():
        schedule.load_state_dict(saved["schedules"][name])
        _check_values(state, name, saved["epochs"])
    for hook, known in zip(stateful(state), saved["callbacks"], strict=True):
        hook.load_state_dict(known)


def _check_network(saved: Network, net: Network) -> None:
    # Callbacks may change which layers are trained, so that is part of the trainer's state.
    ours, theirs = net.architecture(), saved.architecture()
    if saved.seed != net.seed and {**theirs, "seed": 0} == {**ours, "seed": 0}:
        raise ArgumentError(
            f"its network has seed={saved.seed}, and this one has seed={net.seed}; use the same "
            "seed, because dropout and the order of rows depend on it"
        )
    if theirs != ours:
        raise ArgumentError(
            f"it belongs to another network: {'; '.join(differences(theirs, ours, 'net'))}"
        )


def _check_progress(state: FitState, saved: Mapping[str, Any]) -> None:
    epoch, epochs, history = saved["epoch"], saved["epochs"], saved["history"]
    # The first epoch has number 0; within it, none is done.
    least = -1 if "begun" in saved else 0
    for name, value in (("epoch", epoch), ("epochs", epochs)):
        if type(value) is not int or not least <= value < _MOST_COUNTED:
            raise ArgumentError(f"{name}: the file has {value!r:.60}; want a count")
    if type(saved["stopped"]) is not bool:
        raise ArgumentError(f"stopped: the file has {saved['stopped']!r:.60}; want true or false")
    if not isinstance(history, dict) or history.keys() != state.history.columns().keys():
        raise ArgumentError(f"history: want exactly {', '.join(state.history.columns())}")
    for name, column in history.items():
        rows = epoch + 1 if state.has_validation or not name.startswith("val") else 0
        if not isinstance(column, list) or len(column) != rows:
            raise ArgumentError(f"history.{name}: want {rows} numbers")
    if epoch + ("begun" in saved) >= epochs:
        raise ArgumentError(f"epochs: the file has {epoch + 1} done of {epochs}")
    if epoch + ("begun" in saved) >= state.epochs:
        raise ArgumentError(
            f"epochs: the file has {epoch + 1} done, this fit has {state.epochs}; want no fewer"
        )
    if not isinstance(saved["callbacks"], list) or len(saved["callbacks"]) != len(stateful(state)):
        raise ArgumentError(f"callbacks: want the states of {len(stateful(state))} callbacks")
    known = state.schedules.parts.keys()
    if not isinstance(saved["schedules"], dict) or saved["schedules"].keys() != known:
        raise ArgumentError(f"schedules: want the states of {', '.join(known) or 'none'}")


def check_trainer(trainer: Any, saved: Any) -> None:
    """Check keys, types, dtypes and shapes of a state from ``Trainer.state_dict``."""
    known = trainer.state_dict()
    wrong = _unlike(saved, known, "trainer")
    if wrong:
        raise ArgumentError(wrong)
    for name in ("t", "step_count", "epochs_done"):
        if not 0 <= saved[name] < 2 * _MOST_COUNTED:
            raise ArgumentError(f"trainer.{name}: the file has {saved[name]!r:.60}; want a count")
    if saved["epochs_done"] >= _MOST_COUNTED:
        raise ArgumentError(f"trainer.epochs_done: the file has {saved['epochs_done']}")


def _unlike(saved: Any, known: Any, name: str) -> str | None:
    """Return the first difference in type, keys, length, dtype or shape; None if there is none."""
    if type(saved) is not type(known):
        return f"{name}: the file has {saved!r:.60}; want {type(known).__name__}"
    if isinstance(known, np.ndarray):
        if (saved.dtype, saved.shape) != (known.dtype, known.shape):
            return (
                f"{name}: the file has {saved.dtype} {saved.shape}; want {known.dtype} "
                f"{known.shape}"
            )
        return None
    if isinstance(known, list):
        if len(saved) != len(known):
            return f"{name}: the file has {len(saved)} arrays; want {len(known)}"
        saved, known = dict(enumerate(saved)), dict(enumerate(known))
    if isinstance(known, dict):
        if saved.keys() != known.keys():
            return f"{name}: the file has {sorted(saved)!s:.60}; want {sorted(known)}"
        found = (_unlike(saved[key], known[key], f"{name}.{key}") for key in known)
        return next(filter(None, found), None)
    return None


def _check_values(state: FitState, name: str, epochs: int) -> None:
    """Refuse a new number of epochs if it would have changed the values of finished epochs."""
    schedules, steps = state.schedules, state.steps or 1
    for epoch in range(state.epoch + 1 if epochs != state.epochs else 0):
        ways = [schedules.values(name, epoch, count, steps) for count in (epochs, state.epochs)]
        if not np.array_equal(*ways):
            kind = type(schedules.parts[name]).__name__
            raise ArgumentError(
                f"it belongs to another fit: epochs: the file has {epochs}, this fit has "
                f"{state.epochs}, which {kind} depends on"
            )
    # A schedule state that yields no values must fail here, before the fit goes on.
    schedules.values(name, state.epoch + 1, state.epochs, steps)
