"""Loads the core so that its threads wait politely.

GNU OpenMP keeps the threads of a finished region spinning for milliseconds, in which they take
processors from others. How long is read from the environment once, when the library is loaded;
so it is set for that moment alone.
"""

from __future__ import annotations

import importlib
import os

_SPINS = "GOMP_SPINCOUNT"
# Some tens of microseconds: what lies between one call and the next one in a training script.
_FEW = "3000"


def _load_core() -> None:
    """Import ``fastmlp._core``; who has chosen how threads wait, keeps what they chose."""
    chosen = "OMP_WAIT_POLICY" in os.environ or _SPINS in os.environ
    if not chosen:
        os.environ[_SPINS] = _FEW
    try:
        importlib.import_module("fastmlp._core")
    finally:
        if not chosen:
            os.environ.pop(_SPINS, None)


_load_core()
