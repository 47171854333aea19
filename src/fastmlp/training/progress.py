"""The progress of a fit: one updating line on a terminal or in a notebook, else a few lines."""

from __future__ import annotations

import sys
import time
import warnings
from typing import TYPE_CHECKING, Any, TextIO

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentTypeError
from fastmlp.base.host import in_notebook, is_terminal

if TYPE_CHECKING:
    from fastmlp.training.history import FitState

# Lines of a fit in a file or a pipe.
_MOST_LINES = 10
# Seconds between two looks at a stream: where a line is updated, and elsewhere.
_UPDATES, _LINES = 0.2, 60.0


class ProgressBar:
    """Show the progress of a fit.

    On a terminal this is one line that is updated: a tqdm bar if tqdm is installed. In a Jupyter
    notebook it is the bar of ``tqdm.auto``. Elsewhere, as in a log file, it is at most 10 lines.
    In fits of streams it also shows rows and bytes within an epoch; in log files, once a minute.

    Parameters
    ----------
    file : text stream, optional
        Standard error by default.

    Examples
    --------
    >>> import io
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(1, 1), seed=0)
    >>> bar = fm.ProgressBar(file=(text := io.StringIO()))
    >>> history = fm.fit(net, [[0.0], [1.0]], [0, 1], loss=fm.MSELoss(), epochs=200,
    ...                  callbacks=[bar], progress=False)
    >>> len(text.getvalue().splitlines())
    10
    """

    def __init__(self, file: TextIO | None = None) -> None:
        if file is not None and not hasattr(file, "write"):
            raise ArgumentTypeError(f"file: got {validation.shown(file)}; want a text stream")
        self._file = file
        self._bar: Any = None
        self._updates = False
        self._width = 0
        self._shown = 0.0

    def on_fit_start(self, state: FitState) -> None:
        """Open the bar."""
        self._width, self._shown = 0, time.monotonic()
        self._updates = is_terminal(self._out()) or (self._file is None and in_notebook())
        self._bar = None
        if self._updates:
            bar = _tqdm()
            out = None if in_notebook() and self._file is None else self._out()
            self._bar = None if bar is None else bar(total=state.epochs, unit="epoch", file=out)

    def on_block_end(self, state: FitState) -> None:
        """Show how far the epoch of a stream is."""
        now = time.monotonic()
        if now - self._shown < (_UPDATES if self._updates else _LINES):
            return
        self._shown = now
        if self._bar is not None:
            self._bar.set_postfix_str(str(state.stream))
        else:
            self._print(f"epoch {state.epoch + 2}/{state.epochs}  {state.stream}")

    def on_epoch_end(self, state: FitState) -> None:
        """Advance it."""
        numbers = {"loss": state.loss, "val_loss": state.val_loss, "val_score": state.val_score}
        shown = {name: f"{value:.4g}" for name, value in numbers.items() if value is not None}
        if self._bar is not None:
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update(state.epoch + 1 - self._bar.n)
            return
        done, last = state.epoch + 1, state.stopped or state.epoch + 1 == state.epochs
        before = _MOST_LINES * state.epoch // state.epochs
        if not (self._updates or last or _MOST_LINES * done // state.epochs > before):
            return
        text = "  ".join(f"{name} {value}" for name, value in shown.items())
        text += "" if state.stream is None else f"  {state.stream}"
        self._print(f"epoch {done}/{state.epochs}  {text}  {sum(state.history.seconds):.2f} s")

    def on_fit_end(self, state: FitState) -> None:
        """Close it."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        elif self._width:
            print(file=self._out())

    def _out(self) -> Any:
        return sys.stderr if self._file is None else self._file

    def _print(self, line: str) -> None:
        if self._updates:
            print(f"\r{line:<{self._width}}", end="", file=self._out(), flush=True)
            self._width = len(line)
        else:
            print(line, file=self._out())


class FitsBar:
    """Counts the finished fits of many: a tqdm bar if it is installed, else a line."""

    def __init__(self, count: int, progress: bool | None) -> None:
        shown = shows_progress() if progress is None else validation.flag(progress, "progress")
        self._count, self._done, self._shown = count, 0, shown
        bar = _tqdm() if shown else None
        self._bar: Any = None if bar is None else bar(total=count, unit="fit")

    def advance(self) -> None:
        """Count one more."""
        self._done += 1
        if self._bar is not None:
            self._bar.update(1)
        elif self._shown:
            print(f"\r{self._done}/{self._count} fits", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the line."""
        if self._bar is not None:
            self._bar.close()
        elif self._shown:
            print(file=sys.stderr)


def shows_progress() -> bool:
    """Whether a fit shows its progress unless told otherwise: on a terminal and in notebooks."""
    return is_terminal(sys.stderr) or in_notebook()


def _tqdm() -> Any:
    """Return the class of the bars, or None if tqdm is not installed."""
    with warnings.catch_warnings():
        # tqdm.auto warns in notebooks without ipywidgets; its bar of text serves there.
        warnings.simplefilter("ignore")
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return None
    return tqdm
