"""The parts of its process that a library must leave unchanged, read without importing fastmlp."""

from __future__ import annotations

import ctypes
import decimal
import faulthandler
import gc
import locale
import logging
import os
import platform
import random
import resource
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_LIBC = ctypes.CDLL(None)
_LIBC.getenv.restype = ctypes.c_char_p
_X86 = platform.machine().lower() in {"x86_64", "amd64"}
_PROC = Path("/proc/self")

# fenv_t of glibc and musl on x86-64: the x87 environment, whose first word is its control word,
# then MXCSR, whose lowest six bits are flags. On aarch64: FPCR and FPSR.
_X87, _MXCSR, _FLAGS = slice(0, 2), slice(28, 32), 0x3F
_FENV_BYTES = 64


def environment_bytes() -> ctypes.Array[ctypes.c_char]:
    """The C library's ``fenv_t`` of this thread."""
    buffer = ctypes.create_string_buffer(_FENV_BYTES)
    _LIBC.fegetenv(buffer)
    return buffer


def mxcsr() -> int:
    """The register with the modes and flags of SSE."""
    return int.from_bytes(environment_bytes().raw[_MXCSR], "little")


def set_mxcsr(value: int) -> None:
    """Set it; x87 stays unchanged."""
    buffer = environment_bytes()
    buffer[_MXCSR] = value.to_bytes(4, "little")
    _LIBC.fesetenv(buffer)


def has_mxcsr() -> bool:
    return _X86 and sys.platform == "linux"


def _modes() -> list[object]:
    """Rounding, flushing and traps, without the flags, which Python's own arithmetic raises."""
    if not _X86:
        return [_LIBC.fegetround(), environment_bytes().raw[:4]]
    return [_LIBC.fegetround(), environment_bytes().raw[_X87], mxcsr() & ~_FLAGS]


def _openmp() -> dict[str, list[int]]:
    """Settings of every OpenMP library that is loaded."""
    maps = _PROC / "maps"
    lines = maps.read_text().splitlines() if maps.exists() else []
    names = {line.split()[-1] for line in lines if any(n in line for n in ("gomp", "libomp"))}
    asked = ("omp_get_max_threads", "omp_get_dynamic", "omp_get_max_active_levels",
             "omp_get_num_threads", "omp_get_thread_limit", "omp_get_level")  # fmt: skip
    libraries = {name: ctypes.CDLL(name) for name in names}
    return {name: [getattr(lib, what)() for what in asked] for name, lib in libraries.items()}


def _signal_masks() -> list[str]:
    """Blocked, ignored and caught signals, according to the kernel."""
    status = _PROC / "status"
    lines = status.read_text().splitlines() if status.exists() else []
    return [line for line in lines if line.startswith(("SigBlk", "SigIgn", "SigCgt"))]


def _umask() -> int:
    before = os.umask(0)
    os.umask(before)
    return before


def _descriptors() -> list[str]:
    """The open descriptors, including the one that is used to read them."""
    folder = _PROC / "fd"
    if not folder.exists():
        return []
    with os.scandir(folder) as links:
        return sorted(os.readlink(link.path) for link in links)


def _affinity() -> object:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None


READERS: dict[str, Callable[[], Any]] = {
    "floating-point modes": _modes,
    "signal handlers": lambda: [signal.getsignal(n) for n in sorted(signal.valid_signals())],
    "signal masks": _signal_masks,
    "timers": lambda: [signal.getitimer(n)[1] for n in (signal.ITIMER_REAL, signal.ITIMER_PROF)],
    "locale": lambda: [locale.setlocale(locale.LC_ALL), locale.localeconv(), time.tzname],
    "environment": lambda: dict(os.environ),
    "environment of C": lambda: [
        _LIBC.getenv(name)
        for name in (b"OMP_NUM_THREADS", b"OMP_WAIT_POLICY", b"GOMP_SPINCOUNT",
                     b"OPENBLAS_NUM_THREADS", b"PATH")
    ],
    "NumPy's random state": lambda: [str(part) for part in np.random.get_state()],  # noqa: NPY002
    "NumPy's error state": lambda: [np.geterr(), np.geterrcall(), np.get_printoptions()],
    "Python's random state": random.getstate,
    "decimal context": lambda: str(decimal.getcontext()),
    "warnings": lambda: [list(warnings.filters), warnings.showwarning],
    "affinity": _affinity,
    "priority": lambda: os.getpriority(os.PRIO_PROCESS, 0),
    "limits": lambda: [
        resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith("RLIMIT_")
    ],
    "thread name": lambda: [
        threading.current_thread().name,
        (_PROC / "comm").read_text() if _PROC.exists() else "",
    ],
    "Python threads": threading.active_count,
    "umask": _umask,
    "folder": os.getcwd,
    "open files": _descriptors,
    "interpreter": lambda: [
        sys.getrecursionlimit(), sys.getswitchinterval(), sys.path[:], sys.meta_path[:],
        sys.excepthook, sys.displayhook, sys.unraisablehook, threading.excepthook, sys.gettrace(),
        sys.getprofile(), sys.stdin, sys.stdout, sys.stderr, faulthandler.is_enabled(),
    ],
    "garbage collector": lambda: [gc.isenabled(), gc.get_threshold(), gc.callbacks[:]],
    "logging": lambda: [logging.root.level, logging.root.handlers[:], logging.root.manager.disable],
}  # fmt: skip


def read() -> dict[str, str]:
    """All parts by name."""
    openmp = {f"OpenMP of {name}": repr(settings) for name, settings in _openmp().items()}
    return openmp | {name: repr(reader()) for name, reader in READERS.items()}


def changes(before: dict[str, str], now: dict[str, str]) -> dict[str, tuple[str, str]]:
    """The parts that changed, before and now. Libraries that were loaded later do not count."""
    return {name: (old, now[name]) for name, old in before.items() if old != now[name]}


def changed_flags(call: Callable[[], object]) -> tuple[int, int]:
    """The floating-point exception flags that a call raised, and which of two it cleared."""
    _LIBC.feclearexcept(_FLAGS)
    call()
    raised = _LIBC.fetestexcept(_FLAGS)
    if not has_mxcsr():
        return raised, 0
    set_mxcsr(mxcsr() | _FLAGS)
    call()
    return raised, _FLAGS & ~mxcsr()
