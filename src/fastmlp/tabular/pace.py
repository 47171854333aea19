"""Keep a fit within its seconds: fewer epochs, with the whole schedule, and an end in time."""

from __future__ import annotations

import time
from typing import Any

SHARE = 0.1  # an epoch that takes more than this of the time is measured once only


class TooSlow(Exception):
    """The fit would take too long; `epochs` would fit into its seconds."""

    def __init__(self, epochs: int) -> None:
        super().__init__(epochs)
        self.epochs = epochs


class Pace:
    """A callback that measures the first epochs of a fit.

    If all epochs would take longer than the fit may, it raises `TooSlow`: a fit with fewer epochs
    goes through its whole schedule of rates, which one that is cut off does not.

    Parameters
    ----------
    seconds : float
        What the fit may take from now on.
    may_restart : bool
        If not, the fit is only stopped when its time is over.
    """

    def __init__(self, seconds: float, may_restart: bool) -> None:
        self._end = time.monotonic() + seconds
        self._may_restart = may_restart
        self._first = 0.0

    def on_fit_start(self, state: Any) -> None:
        """Start the clock."""
        self._first = time.monotonic()

    def on_epoch_end(self, state: Any) -> None:
        """Compare the time that is left with what the epochs that are left will take."""
        now = time.monotonic()
        each = (now - self._first) / (state.epoch + 1)
        left = self._end - now
        if left <= 0:
            state.stop()
        elif self._may_restart and (state.epoch == 1 or each > SHARE * left):
            self._may_restart = False
            if each * (state.epochs - state.epoch - 1) > left:
                raise TooSlow(max(1, int(left / each)))
