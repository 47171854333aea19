"""Load the compiled core so that its idle threads soon sleep.

After a parallel region, GNU OpenMP lets its threads spin for milliseconds, which takes processor
time from other programs. It reads the length of the spin from the environment, once, when the
library is loaded. So the variable is set during the load and removed afterwards.
"""

from __future__ import annotations

import importlib
import os

_SPIN_COUNT = "GOMP_SPINCOUNT"
# Some tens of microseconds: the usual time between two calls of a training script.
_SHORT = "3000"


def _load_core() -> None:
    """Import ``fastmlp._core``; leave the spin count alone if the user has set it."""
    chosen = "OMP_WAIT_POLICY" in os.environ or _SPIN_COUNT in os.environ
    if not chosen:
        os.environ[_SPIN_COUNT] = _SHORT
    try:
        importlib.import_module("fastmlp._core")
    finally:
        if not chosen:
            os.environ.pop(_SPIN_COUNT, None)


_load_core()
