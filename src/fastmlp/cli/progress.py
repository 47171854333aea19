"""The callback of `fastmlp train`: lines and a bar while it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
from tqdm import tqdm


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
            head = f"{done:5d}" if self._lines else f"{self._title}: {done} epochs"
            self._bar.write(f"{head}  (from the checkpoint)")
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
