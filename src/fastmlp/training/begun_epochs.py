"""An epoch that has begun, and the place in a stream, in checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.training.feed import Begun

if TYPE_CHECKING:
    from fastmlp.base.validation import Array
    from fastmlp.training.history import FitState

_MOST_COUNTED = 2**62


def captured(begun: Begun) -> dict[str, Any]:
    """Return copies of the state of an epoch that has begun."""
    return {
        "steps": begun.steps,
        "totals": begun.totals.copy(),
        "losses": begun.losses.copy(),
        "members": None if begun.members is None else begun.members.copy(),
        "mark": list(begun.mark),
        "bytes": begun.bytes,
        "seconds": float(begun.seconds),
    }


def checked(state: FitState, saved: Any) -> Begun | None:
    """Return the epoch that has begun in a file; None if there is none."""
    if saved is None:
        return None
    several = state.trainer.members > 1
    known = captured(Begun(members=np.empty(state.trainer.members) if several else None))
    if not isinstance(saved, dict) or saved.keys() != known.keys():
        raise ArgumentError(f"begun: want exactly {', '.join(known)}")
    for name in ("steps", "bytes"):
        _check_count(f"begun.{name}", saved[name])
    mark = saved["mark"]
    if not isinstance(mark, list) or len(mark) != 2:
        raise ArgumentError("begun.mark: want two numbers")
    for one in mark:
        _check_count("begun.mark", one)
    if type(saved["seconds"]) is not float or not 0.0 <= saved["seconds"] < 1e12:
        raise ArgumentError("begun.seconds: want a time")
    members = saved["members"]
    fits = members is None if known["members"] is None else _like(members, known["members"].shape)
    losses = isinstance(saved["losses"], np.ndarray) and saved["losses"].ndim == 2
    if not (_like(saved["totals"], known["totals"].shape) and fits and losses):
        raise ArgumentError("begun: want the losses of this fit")
    if not _like(saved["losses"], (len(saved["losses"]), 2)):
        raise ArgumentError("begun.losses: want the losses of steps")
    return Begun(**{**saved, "mark": tuple(mark)})


def checked_stream(state: FitState, saved: Any) -> dict[str, int | None] | None:
    """Return the place in a stream in a file; None for a fit of arrays."""
    if (saved is None) != (state.stream is None):
        raise ArgumentError("stream: want the place in a stream for a fit of a stream, else none")
    if saved is None:
        return None
    if not isinstance(saved, dict) or saved.keys() != {"rows", "steps", "step"}:
        raise ArgumentError("stream: want exactly rows, steps, step")
    for name, value in saved.items():
        if value is not None or name == "step":
            _check_count(f"stream.{name}", value)
    return saved


def take_over(state: FitState, begun: Begun | None, stream: dict[str, int | None] | None) -> None:
    """Go on at the place of a file."""
    state.begun = begun
    if stream is None:
        before = 0 if begun is None else begun.steps
        state.step = (state.epoch + 1) * (state.steps or 0) + before
        return
    state.step, state.steps = stream["step"] or 0, stream["steps"]
    if state.stream is not None:
        state.stream.rows_in_all = stream["rows"]


def _check_count(name: str, value: Any) -> None:
    if type(value) is not int or not 0 <= value < _MOST_COUNTED:
        raise ArgumentError(f"{name}: the file has {value!r:.60}; want a count")


def _like(value: Any, shape: tuple[int, ...]) -> bool:
    found: Array | Any = value
    return isinstance(found, np.ndarray) and found.dtype == np.float64 and found.shape == shape
