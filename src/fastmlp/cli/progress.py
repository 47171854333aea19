"""Callbacks of `fastmlp train`: lines and a bar while it runs, and what guards a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from tqdm import tqdm

from fastmlp.cli.settings import Plan
from fastmlp.cli.splits import Part
from fastmlp.errors import ArgumentError


class EpochLines:
    """A line per epoch, and a progress bar below the lines when stderr is a terminal.

    Parameters
    ----------
    score_name : str
    title : str
        What the bar says it does.
    lines : bool
        Whether to print the lines.
    """

    def __init__(self, score_name: str, title: str, lines: bool = True) -> None:
        self._score, self._title, self._lines = f"validation {score_name}", title, lines
        self._seconds: list[float] = []
        self._bar: Any = None

    def on_fit_start(self, state: Any) -> None:
        """Put up the bar."""
        self._bar = tqdm(
            total=state.epochs, desc=self._title, unit="epoch", leave=False, disable=None
        )

    def on_fit_ready(self, state: Any) -> None:
        """Print the head, and where a fit goes on from a checkpoint."""
        if self._lines:
            self._bar.write(f"epoch  train loss  validation loss  {self._score}  time left")
        done = state.epoch + 1
        if done:
            self._bar.write(f"{done:5d}  (from the checkpoint)")
            self._bar.update(done)

    def on_epoch_end(self, state: Any) -> None:
        """Print a line and advance the bar."""
        self._seconds.append(state.seconds)
        if self._lines:
            left = 0 if state.stopped else state.epochs - state.epoch - 1
            time_left = tqdm.format_interval(left * float(np.mean(self._seconds)))
            self._bar.write(
                f"{state.epoch + 1:5d}  {state.loss:10.4f}  {state.val_loss:15.4f}  "
                f"{f'{state.val_score:.4f}':>{len(self._score)}}  {time_left:>9}"
            )
        self._bar.update()

    def on_fit_end(self, state: Any) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


class SameRun:
    """Refuses a checkpoint of other rows or options, and keeps a fit that has ended from going on.

    Parameters
    ----------
    plan : Plan
    seed : int
    train, validation : Part
        What the fit is of.
    """

    def __init__(self, plan: Plan, seed: int, train: Part, validation: Part) -> None:
        # At a constant rate, more epochs only go further.
        fixed = plan if plan.one_cycle else replace(plan, epochs=0)
        digest = hashlib.sha256(repr((fixed, seed)).encode())
        for part in (train, validation):
            digest.update(np.ascontiguousarray(part.x).data)
            digest.update(np.ascontiguousarray(part.y).data)
        self._digest = digest.hexdigest()
        self._state: Any = None

    def on_fit_start(self, state: Any) -> None:
        """Remember the fit."""
        self._state = state

    def on_epoch_end(self, state: Any) -> None:
        """Nothing: all there is to save is known."""

    def state_dict(self) -> dict[str, Any]:
        """Return what belongs into a checkpoint."""
        return {"digest": self._digest, "stopped": self._state.stopped}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Compare with what a checkpoint holds."""
        if saved["digest"] != self._digest:
            raise ArgumentError("the checkpoint is of other data or options; name another file")
        if saved["stopped"]:
            self._state.stop()
