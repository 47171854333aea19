"""One epoch of a fit: its parts, cut where callbacks are called between steps."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base import validation as check
from fastmlp.training.data import Data
from fastmlp.training.feed import Begun, Part
from fastmlp.training.schedules import EpochValues

if TYPE_CHECKING:
    from fastmlp.training.history import FitState
    from fastmlp.training.hooks import Hooks
    from fastmlp.training.protocol import TrainerLike
    from fastmlp.training.stream_progress import StreamProgress


def step_hooks(callbacks: Sequence[Any]) -> list[tuple[Any, int]]:
    """Return the callbacks with ``on_step_end``, each with its number of steps between calls."""
    found = []
    for callback in callbacks:
        every = getattr(callback, "step_every", 1)
        if callable(getattr(callback, "on_step_end", None)) and every is not None:
            found.append((callback, check.size(every, f"{type(callback).__name__}.step_every")))
    return found


def ends_of_calls(hooks: Sequence[tuple[Any, int]], first: int, steps: int) -> list[int]:
    """Return the numbers of steps of a part after which a callback is called, and ``steps``.

    ``first`` is the number of steps of the fit before this part.

    Examples
    --------
    >>> ends_of_calls([(None, 3), (None, 4)], first=5, steps=8)
    [1, 3, 4, 7, 8]
    """
    if not hooks:
        return [steps]
    ends = {end for _, every in hooks for end in range(every - first % every, steps, every)}
    return sorted({*ends, steps})


class EpochRun:
    """One epoch in several calls of the core: the same bits as in one call, losses included."""

    def __init__(
        self, trainer: TrainerLike, state: FitState, hooks: Hooks, batch: int, values: EpochValues,
        begun: Begun | None,
    ) -> None:  # fmt: skip
        """``begun`` is an epoch that goes on."""
        self._trainer, self._state, self._hooks = trainer, state, hooks
        self._batch, self._values = batch, values
        self._most = max((every for _, every in hooks.of_steps), default=0)
        if begun is None:
            several = trainer.members > 1
            begun = Begun(members=np.empty(trainer.members) if several else None)
        self.begun = state.begun = begun

    def run(self, parts: Iterator[Part], stream: StreamProgress | None) -> float:
        """Train, and call each callback after its steps; return the loss of the epoch.

        ``stream`` is told what has been read.
        """
        start = time.perf_counter() - self.begun.seconds
        if stream is not None:
            stream.begin(self.begun.steps * self._batch, self.begun.bytes)
        for part in parts:
            self.begun.mark = part.mark
            self._run_part(part.data, start)
            self.begun.bytes += part.bytes
            if stream is not None:
                stream.add(part.data.rows, part.bytes, time.perf_counter() - start)
                self._hooks.dispatch("on_block_end")
            if self._state.stopped:
                break
        self._state.begun = None
        return self.begun.loss

    def _run_part(self, data: Data, start: float) -> None:
        state, begin = self._state, 0
        steps = -(-data.rows // self._batch)
        for end in ends_of_calls(self._hooks.of_steps, state.step, steps):
            is_whole = begin == 0 and end == steps
            rows = slice(begin * self._batch, end * self._batch)
            self._train(data if is_whole else data.rows_at(rows), end - begin)
            self.begun.seconds = time.perf_counter() - start
            begin = end
            if self._most:
                self._hooks.dispatch_steps(self.begun.losses)
            if state.stopped:
                break

    def _train(self, data: Data, steps: int) -> None:
        begun, state = self.begun, self._state
        rates, settings = self._values.between(begun.steps, begun.steps + steps)
        losses = np.empty((steps, 2)) if self._most else None
        self._trainer.epoch(
            data, None, self._batch, rates, losses=losses, member_losses=begun.members,
            totals=begun.totals, **settings,
        )  # fmt: skip
        if losses is not None:
            begun.losses = np.concatenate([begun.losses, losses])[-self._most :]
        begun.steps += steps
        state.step += steps
        state.lr = float(rates[-1])
