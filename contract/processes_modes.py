"""Results if the host has set other floating-point modes than those of IEEE, on all threads.

Runs in a separate process, see ``report``.
"""

from __future__ import annotations

import ctypes
import json
from itertools import product

import numpy as np
from tests import host_state

import fastmlp as fm
from fastmlp import _core

# MXCSR: flush to zero, denormals are zero, rounding, and the masks of the traps.
_IEEE, _FTZ, _DAZ, _DOWN, _UP, _CHOP, _MASKS = 0x1F80, 0x8000, 0x40, 0x2000, 0x4000, 0x6000, 0x1F80
MODES = {
    "flush to zero": _IEEE | _FTZ,
    "denormals are zero": _IEEE | _DAZ,
    "both": _IEEE | _FTZ | _DAZ,
    "round down": _IEEE | _DOWN,
    "round up": _IEEE | _UP,
    "round to zero": _IEEE | _CHOP,
    "all": _IEEE | _FTZ | _DAZ | _UP,
    "traps": _IEEE & ~0x0E80,  # invalid operation, division by zero, overflow and underflow
}
# From <fenv.h>, for processors without MXCSR.
_ROUNDINGS = {"round down": 0x800000, "round up": 0x400000, "round to zero": 0xC00000}
_C = ctypes.CDLL(None)


def modes() -> tuple[str, ...]:
    return tuple(MODES if host_state.has_mxcsr() else _ROUNDINGS)


def _set(mode: str | None) -> None:
    if host_state.has_mxcsr():
        host_state.set_mxcsr(_IEEE if mode is None else MODES[mode])
    else:
        _C.fesetround(0 if mode is None else _ROUNDINGS[mode])


class _Work:
    """Calls of the core on arrays that need no conversion: Python itself computes nothing."""

    def __init__(self, dtype: str) -> None:
        rows, tiny = 300, np.finfo(dtype).tiny
        draws = np.random.default_rng(0)
        self.net = fm.Sequential(
            fm.Linear(20, 64), fm.GELU(), fm.Dropout(0.2), fm.LayerNorm(64), fm.Linear(64, 64),
            fm.Tanh(), fm.Linear(64, 3), dtype=dtype, seed=0,
        )  # fmt: skip
        self.tiny = fm.Sequential(
            fm.Linear(20, 5, init=fm.initializers.Constant(0.3)), dtype=dtype, seed=0
        )
        self.trainer = fm.Trainer(
            self.net, fm.MSELoss(), fm.Adam(clip_norm=1.0), penalty=fm.L2(1e-3)
        )
        self.update, self.penalty = fm.Adam(self.net, clip_norm=1.0), fm.L2(1e-3)
        self.x = draws.normal(size=(rows, 20)).astype(dtype)
        self.y = draws.normal(size=(rows, 3)).astype(dtype)
        self.small = (draws.normal(size=(rows, 20)) * tiny).astype(dtype)
        self.order = np.arange(rows)
        self.rates = np.full(10, 1e-3)

    def run(self) -> list[bytes]:
        core = self.net.core_net()
        found: list[np.ndarray | float] = [self.tiny.predict(self.small), self.net.predict(self.x)]
        found.append(core.forward([self.x], True)[0])
        found.append(core.backward([self.y], False)[0])
        self.penalty.backward(self.net)
        found += [core.grads.copy(), self.penalty.forward(self.net)]
        self.update.step()
        found.append(self.trainer._core.epoch(self.x, self.y, None, self.order, 32, self.rates))
        found.append(_core.loss_forward(1, (), "mean", self.y, self.y * 0, None)[0])
        found.append(_core.random_normal(1000, 1, 2))
        found.append(core.params)
        return [np.asarray(value).tobytes() for value in found]


def _try(dtype: str, threads: int, mode: str | None) -> tuple[list[bytes], bool]:
    """The results, and whether the host's modes are unchanged."""
    work = _Work(dtype)
    with fm.threads(threads):
        _set(mode)
        before = _as_set()
        found = work.run()
        kept = before == _as_set()
        _set(None)
    return found, kept


def _as_set() -> int:
    """The modes without the flags."""
    return host_state.mxcsr() & ~0x3F if host_state.has_mxcsr() else int(_C.fegetround())


def report(first_mode: str, all_modes: bool) -> None:
    """Print the number of runs, the runs with other bits, and those that changed the host's modes.

    OpenMP's threads start in ``first_mode``: they take it from the thread that starts them.
    """
    _core.ignore_thread_cost(True)
    runs, other, lost = 0, [], []
    _try("float32", 4, first_mode)
    wanted: dict[str, list[bytes]] = {}
    chosen = modes() if all_modes else (first_mode,)
    for dtype, threads in product(("float32", "float64"), (1, 2, 4)):
        expected = wanted.setdefault(dtype, _try(dtype, 1, None)[0])
        for mode in (None, *chosen):
            found, kept = _try(dtype, threads, mode)
            case, runs = f"{dtype}, {threads} threads, {mode or 'as usual'}", runs + 1
            other += [case] if found != expected else []
            lost += [] if kept else [case]
    print(json.dumps({"runs": runs, "other": other, "lost": lost}))
