"""The machine's limits: multiply-adds between registers, and bytes copied, per second."""

from __future__ import annotations

import ctypes
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from bench.pool import all_threads

SOURCE = Path(__file__).with_name("limits.c")
# Instruction set -> vector bytes and compiler options.
ISA_OPTIONS: dict[str, tuple[int, list[str]]] = {
    "avx512": (64, ["-mavx512f", "-mfma"]),
    "avx512bf16": (64, ["-mavx512f", "-mfma", "-mavx512bf16"]),
    "avx2": (32, ["-mavx2", "-mfma"]),
    "neon": (16, []),
    "portable": (16, []),
}
C_NAMES = {"float32": "float", "float64": "double", "bfloat16": "bfloat16"}
COPY_BYTES = 1 << 28
SECONDS = 0.1
REPEATS = 5


def measure_limits(isa: str, threads: list[int]) -> dict[str, float]:
    """The best of some repeats of each limit.

    ``"float32, threads: 2"`` -> FLOP/s and ``"copy, threads: 2"`` -> bytes/s. FLOP/s are left out
    if there is no compiler.
    """
    limits = {}
    for count in threads:
        limits[limit_name("copy", count)] = _best(partial(_copy_rate, count))
        for dtype in C_NAMES:
            measure = peak_function(isa, dtype)
            if measure is not None:
                limits[limit_name(dtype, count)] = _best(partial(measure, count))
    return limits


def limit_name(what: str, threads: int) -> str:
    return f"{what}, threads: {threads}"


def peak_function(isa: str, dtype: str) -> Callable[[int], float] | None:
    """A function from a number of threads to FLOP/s; None if there is no way to measure.

    The peak in bfloat16 is that of its instruction, which only some processors have.
    """
    library, name = _compiled(isa), C_NAMES[dtype]
    if library is None or not hasattr(library, f"peak_{name}"):
        return None
    return partial(_peak_rate, library, name)


def round_trip_seconds(isa: str) -> float | None:
    """Seconds for a signal from one thread to another and back; None with one processor.

    This is the least cost of a barrier. On virtual machines it changes by the minute as the
    processors move, and with it the time of every training step on two threads.
    """
    library = _compiled(isa)
    if library is None or all_threads() < 2:
        return None
    turn = ctypes.c_long(0)

    def bounce(rounds: int, side: int) -> float:
        start = time.perf_counter()
        library.bounce(ctypes.byref(turn), ctypes.c_long(side), ctypes.c_long(rounds))
        return (time.perf_counter() - start) / rounds

    with ThreadPoolExecutor(2) as pool:

        def measure(rounds: int) -> float:
            return max(pool.map(partial(bounce, rounds), [0, 1]))

        rounds = max(1, int(SECONDS / measure(1000)))
        return statistics.median(measure(rounds) for _ in range(REPEATS))


def _best(measure: Callable[[], float]) -> float:
    return max(measure() for _ in range(REPEATS))


def _compiled(isa: str) -> ctypes.CDLL | None:
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None or platform.system() == "Windows":
        return None
    width, options = ISA_OPTIONS[isa]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "limits.so"
        command = [compiler, "-O3", "-ffp-contract=fast", "-shared", "-fPIC", *options]
        command += [f"-DVECTOR_BYTES={width}", str(SOURCE), "-o", str(target)]
        if subprocess.run(command, capture_output=True).returncode != 0:
            return None
        return ctypes.CDLL(str(target))


def _peak_rate(library: ctypes.CDLL, name: str, threads: int) -> float:
    function = getattr(library, f"peak_{name}")
    function.restype = ctypes.c_double
    function.argtypes = [ctypes.c_long, ctypes.POINTER(ctypes.c_double)]

    def run(rounds: int) -> float:
        return function(rounds, ctypes.byref(ctypes.c_double()))

    trial = 1_000_000
    start = time.perf_counter()
    run(trial)
    rounds = int(trial * SECONDS / (time.perf_counter() - start))
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        flops = sum(pool.map(run, [rounds] * threads))
        return flops / (time.perf_counter() - start)


def _copy_rate(threads: int) -> float:
    """Bytes read and written per second by a copy far larger than the caches."""
    source = np.ones(COPY_BYTES // 8)
    target = np.zeros_like(source)
    parts = zip(np.array_split(target, threads), np.array_split(source, threads), strict=True)
    pairs = list(parts)
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        list(pool.map(lambda pair: np.copyto(*pair), pairs))
        return 2 * COPY_BYTES / (time.perf_counter() - start)
