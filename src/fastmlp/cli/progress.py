"""What `fastmlp train` prints while it runs: notes, a line per epoch, and a progress bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import fastmlp as fm
from fastmlp.cli.tables import print_lines
from fastmlp.tabular import Reporter, Table


class TrainProgress(Reporter):
    """Print the notes on the table, and the progress of each training.

    Parameters
    ----------
    notes : bool
        Whether to print the notes.
    progress : bool
        Whether to print the progress.
    """

    def __init__(self, notes: bool, progress: bool) -> None:
        self._notes, self._progress = notes, progress
        self._score = ""

    def on_table(self, table: Table, notes: Sequence[str]) -> None:
        """Print the size of the table, its task and the notes."""
        self._score = "accuracy" if table.classes else "R2"
        if self._notes:
            print_lines([str(table), *notes])

    def callbacks(self, title: str) -> Sequence[Any]:
        """Return the callback that shows a training: a bar and, without folds, a line an epoch."""
        if not self._progress:
            return []
        return [EpochLines(self._score, title, lines=title == "training")]

    def on_fold_end(self, title: str, history: fm.History) -> None:
        """Print the validation score of the best epoch of a fold."""
        if self._progress:
            best = history.best_epoch or 0
            print(f"{title}: validation {self._score} {history.val_score[best]:.4f}, "
                  f"loss {history.val_loss[best]:.4f} in epoch {best + 1} of {len(history)}",
                  flush=True)  # fmt: skip


class EpochLines:
    """A line per epoch, and a progress bar below the lines when stderr is a terminal.

    Parameters
    ----------
    score_name : str
    title : str
        Text before the bar.
    lines : bool
        Whether to print the lines.
    """

    def __init__(self, score_name: str, title: str, lines: bool = True) -> None:
        self._score, self._title, self._lines = f"validation {score_name}", title, lines
        self._seconds: list[float] = []
        self._bar: Any = None

    def on_fit_start(self, state: Any) -> None:
        """Show the bar."""
        from tqdm import tqdm

        self._bar = tqdm(
            total=state.epochs, desc=self._title, unit="epoch", leave=False, disable=None
        )

    def on_fit_ready(self, state: Any) -> None:
        """Print the names of the columns, and the epoch that a resumed fit starts from."""
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
            time_left = self._bar.format_interval(left * float(np.mean(self._seconds)))
            self._bar.write(
                f"{state.epoch + 1:5d}  {state.loss:10.4f}  {state.val_loss:15.4f}  "
                f"{f'{state.val_score:.4f}':>{len(self._score)}}  {time_left:>9}"
            )
        self._bar.update()

    def on_fit_end(self, state: Any) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
