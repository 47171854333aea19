"""Members of an ensemble: which rows each one is trained on, and how they run side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from fastmlp.base.side_by_side import run_side_by_side
from fastmlp.base.validation import Array
from fastmlp.tabular.splits import folds

T = TypeVar("T")

MOST_FOLDS = 10  # members beyond these get folds of another random order
FEWEST_ROWS = 20  # with fewer, no row is held out


@dataclass(frozen=True)
class Share:
    """The rows of a member, by number.

    Attributes
    ----------
    train : ndarray of int
    held_out : ndarray of int
        Rows to stop the training by; empty if there are none.
    """

    train: Array
    held_out: Array


def shares(y: Array, classes: int, members: int, fewest_folds: int, seed: int) -> list[Share]:
    """Deal out the rows: each member is trained on all rows but a fold of them.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Class indices, or numbers if `classes` is 0.
    classes : int
    members : int
    fewest_folds : int
        A member is trained on (fewest_folds - 1) / fewest_folds of the rows at least.
    seed : int
    """
    rows = np.arange(len(y))
    if len(y) < FEWEST_ROWS:
        return [Share(rows, rows[:0])] * members
    count = max(fewest_folds, min(members, MOST_FOLDS))
    found: list[Share] = []
    while len(found) < members:
        dealt = folds(y, classes, count, seed + len(found) // count)
        found += [Share(train, held_out) for train, held_out in dealt]
    return found[:members]


def seed_of(seed: int, member: int) -> int:
    """Return the seed of a member: that of the first is `seed`, others are far from it.

    Examples
    --------
    >>> seed_of(7, 0)
    7
    """
    if member == 0:
        return seed
    return int(np.random.SeedSequence([seed, member]).generate_state(1)[0])


class Stopped(Exception):
    """The training of a member was given up because another one failed."""


class Stop:
    """A callback of all members: once it is set, they end after their present epoch."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """End all members."""
        self._event.set()

    def on_epoch_end(self, state: Any) -> None:
        """End this member if it is time."""
        self.check()

    def check(self) -> None:
        """Raise if all members shall end."""
        if self._event.is_set():
            raise Stopped


def run_members(
    count: int, run: Callable[[int, float | None, Sequence[Any]], T], n_threads: int,
    deadline: float | None = None,
) -> list[T | None]:  # fmt: skip
    """Train members side by side, one thread each; if they are few, they share the threads.

    Parameters
    ----------
    count : int
        Number of members.
    run : callable
        ``run(member, seconds, callbacks)`` trains one: `seconds` are those that it may take, or
        None, and `callbacks` are to be called after its epochs.
    n_threads : int
        Number of threads in all. Results do not depend on it, because those of a member do not.
    deadline : float, optional
        Time of `time.monotonic` at which all shall end. Members that could only start after it
        are left out, but never the first.

    Returns
    -------
    list
        Their results, None for those left out.
    """
    workers = max(1, min(n_threads, count))
    stop = Stop()

    def one(member: int) -> T | None:
        stop.check()
        waves = -(-(count - member) // workers)
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0 and member > 0:
            return None
        try:
            return run(member, None if left is None else max(left, 0.0) / waves, [stop])
        except BaseException:
            stop.set()
            raise

    def task(member: int) -> Callable[[], T | None]:
        return lambda: one(member)

    results = run_side_by_side([task(member) for member in range(count)], n_threads)
    failed = [found for found in results if isinstance(found, Exception)]
    # The members that were ended because of a failure do not tell what it was.
    for error in sorted(failed, key=lambda found: isinstance(found, Stopped)):
        raise error
    return results
