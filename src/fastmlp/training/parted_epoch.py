"""Epochs in parts, for callbacks that are called between steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base import validation as check
from fastmlp.base.validation import Array
from fastmlp.training.data import Data

if TYPE_CHECKING:
    from fastmlp.training.history import FitState
    from fastmlp.training.hooks import Hooks
    from fastmlp.training.protocol import TrainerLike

# Sums over the earlier calls of an epoch, which the core continues.
_TOTALS = 5


def step_hooks(callbacks: Sequence[Any]) -> list[tuple[Any, int]]:
    """Return the callbacks with ``on_step_end``, each with its number of steps between calls."""
    found = []
    for callback in callbacks:
        every = getattr(callback, "step_every", 1)
        if callable(getattr(callback, "on_step_end", None)) and every is not None:
            found.append((callback, check.size(every, f"{type(callback).__name__}.step_every")))
    return found


def ends_of_parts(hooks: Sequence[tuple[Any, int]], first: int, steps: int) -> list[int]:
    """Return the numbers of steps of an epoch after which a callback is called, and ``steps``.

    ``first`` is the number of steps of the fit before this epoch.

    Examples
    --------
    >>> ends_of_parts([(None, 3), (None, 4)], first=5, steps=8)
    [1, 3, 4, 7, 8]
    """
    ends = {end for _, every in hooks for end in range(every - first % every, steps, every)}
    return sorted({*ends, steps})


class PartedEpoch:
    """One epoch in several calls of the core: the same bits as in one call, losses included."""

    def __init__(self, trainer: TrainerLike, state: FitState, hooks: Hooks, batch: int) -> None:
        self._trainer, self._state, self._hooks, self._batch = trainer, state, hooks, batch

    def run(
        self, data: Data, order: Array | None, rates: Array, members: Array | None,
        settings: dict[str, Array],
    ) -> float:  # fmt: skip
        """Train, and call each callback after its steps; return the loss of the epoch."""
        state, begin, loss = self._state, 0, float("nan")
        totals, losses = np.zeros(_TOTALS), np.empty((len(rates), 2))
        first = (state.epoch + 1) * len(rates)
        for end in ends_of_parts(self._hooks.of_steps, first, len(rates)):
            part, places = self._rows(data, order, begin, end)
            own = {name: values[begin:end] for name, values in settings.items()}
            loss = self._trainer.epoch(
                part, places, self._batch, rates[begin:end], losses=losses[begin:end],
                member_losses=members, totals=totals, **own,
            )  # fmt: skip
            state.step, state.lr = first + end, float(rates[end - 1])
            self._hooks.dispatch_steps(losses[:end])
            begin = end
            if state.stopped:
                break
        return loss

    def _rows(
        self, data: Data, order: Array | None, begin: int, end: int
    ) -> tuple[Data, Array | None]:
        """Return the rows of some steps."""
        rows = slice(begin * self._batch, end * self._batch)
        if order is not None:
            return data, order[rows]
        return data.rows_at(rows), None
