"""One updating line on a terminal that shows how far a training is."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, TextIO

from fastmlp.tabular.reporter import Reporter
from fastmlp.tabular.text import four_digits

EVERY = 0.1  # seconds between two versions of the line


class ProgressLine(Reporter):
    """Shows the epochs of all networks in one line; nothing if the stream is no terminal.

    Parameters
    ----------
    file : text stream, optional
        Standard error by default.
    always : bool
        Whether to write also to a stream that is no terminal.
    """

    def __init__(self, file: TextIO | None = None, always: bool = False) -> None:
        self._file = sys.stderr if file is None else file
        terminal = self._file is not None and self._file.isatty()
        self._shows = always or terminal
        self._lock = threading.Lock()
        self._title, self._count = "", 1
        self._shares: dict[str, float] = {}
        self._start = self._last = 0.0
        self._width = 0

    def on_members(self, title: str, count: int) -> None:
        """Start a line."""
        self._title, self._count, self._shares = title, count, {}
        self._start, self._last = time.monotonic(), 0.0

    def on_bytes(self, title: str, done: int, total: int) -> None:
        """Show how many bytes of a table are read, and how long the rest takes."""
        if not self._shows:
            return
        if self._title != title:
            self.on_members(title, 1)
        self.update(title, done / max(total, 1), f"{done / 1e9:.2f} of {total / 1e9:.2f} GB")
        if done >= total:
            self.clear()

    def on_trials(self, title: str, done: int, count: int, best: float | None) -> None:
        """Show how far a search is."""
        found = "" if best is None else f"  best {four_digits(best)}"
        if self._shows:
            self._show(f"{title}  {done} of {count} trials{found}")

    def callbacks(self, title: str) -> Sequence[Any]:
        """Return the callback that tells of a network's epochs."""
        return [_Epochs(self, title)] if self._shows else []

    def on_trained(self, title: str, model: Any) -> None:
        """Remove the line."""
        self.clear()

    def clear(self) -> None:
        """Remove the line, before something else is printed."""
        if self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    def update(self, title: str, share: float, detail: str) -> None:
        """Take how much of a network's training is done, from any thread."""
        with self._lock:
            self._shares[title] = share
            now = time.monotonic()
            if now - self._last < EVERY and share < 1:
                return
            self._last = now
            self._show(self._line(now, detail))

    def _line(self, now: float, detail: str) -> str:
        done = sum(self._shares.values()) / self._count
        finished = sum(share >= 1 for share in self._shares.values())
        parts = [self._title]
        if self._count > 1:
            parts.append(f"{finished} of {self._count} networks")
        parts += [f"{100 * done:.0f} %", detail]
        if done > 0:
            left = (now - self._start) * (1 - done) / done
            parts.append(f"{_duration(left)} left at most")
        return "  ".join(part for part in parts if part)

    def _show(self, line: str) -> None:
        columns = shutil.get_terminal_size((80, 24)).columns
        line = line[: columns - 1]
        self._write("\r" + line.ljust(self._width))
        self._width = len(line)

    def _write(self, text: str) -> None:
        try:
            self._file.write(text)
            self._file.flush()
        except (OSError, ValueError):  # a closed pipe must not end a training
            self._shows = False


class _Epochs:
    """The callback of one network."""

    step_every = 100  # of a stream, whose epochs may be long

    def __init__(self, line: ProgressLine, title: str) -> None:
        self._line, self._title = line, title

    def on_step_end(self, state: Any) -> None:
        """Tell how far an epoch of a stream is."""
        stream = state.stream
        if stream is not None and stream.rows_in_all:
            share = (state.epoch + stream.rows / stream.rows_in_all) / state.epochs
            self._line.update(self._title, min(share, 0.999), f"epoch {state.epoch + 1}  {stream}")

    def on_epoch_end(self, state: Any) -> None:
        """Tell of the epoch."""
        share = 1.0 if state.stopped else (state.epoch + 1) / state.epochs
        loss = "" if state.val_loss is None else f"validation {four_digits(state.val_loss)}"
        self._line.update(self._title, share, f"epoch {state.epoch + 1}  {loss}".rstrip())


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
