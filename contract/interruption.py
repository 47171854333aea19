"""Interrupts, kills and full disks at random moments."""

from __future__ import annotations

import os

from contract import interruption_saves, interruption_signals
from contract.figures import Figure, Scale, Unavailable

TITLE = "Interruption: Ctrl-C while training, kills and errors while saving"


def run(scale: Scale) -> list[Figure]:
    """Signals during calls, then kills during saves, then errors during saves."""
    if os.name != "posix":
        raise Unavailable("the signals of POSIX are needed")
    return interruption_signals.run(scale) + interruption_saves.run(scale)
