"""Worker processes, one for each contestant and number of threads, so that none interferes."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# A worker without an answer after this time is given up; a compiler may take long.
ANSWER_SECONDS = 180.0
# The variables that set the sizes of the libraries' thread pools; read when they are loaded.
POOL_SIZES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC", "PJRT_NPROC")
# A machine may set these so that old builds of OpenBLAS run on a new processor. They choose slower
# kernels, so NumPy must be measured without them.
KERNEL_CHOICES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


class WorkerError(Exception):
    """The contestant failed; the message is the end of its traceback."""


class WorkerUnsupported(Exception):
    """The contestant cannot do this cell."""


class Worker:
    """The process of one contestant with one number of threads.

    It is stopped while it has no command: the threads of some pools spin for a tenth of a second
    after a call (OpenBLAS) and would take a processor from the next contestant.
    """

    def __init__(self, name: str, threads: int) -> None:
        self.name, self.threads = name, threads
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", name, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=pinned_environment(threads), cwd=ROOT,
        )  # fmt: skip

    def ask(self, command: str, *arguments: Any) -> Any:
        """Wake the process, send a command of `bench.worker.Server` and return its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        watchdog = threading.Timer(ANSWER_SECONDS, self.process.kill)
        watchdog.start()
        self._signal("SIGCONT")
        try:
            pickle.dump((command, arguments), self.process.stdin, pickle.HIGHEST_PROTOCOL)
            self.process.stdin.flush()
            kind, value = pickle.load(self.process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            self.close()
            raise WorkerError(f"process ended with code {self.process.returncode}") from error
        finally:
            watchdog.cancel()
            self._signal("SIGSTOP")
        if kind == "unsupported":
            raise WorkerUnsupported(value)
        if kind == "error":
            raise WorkerError(value)
        return value

    def _signal(self, name: str) -> None:
        """Send a signal, if the system has it and the process still runs."""
        if hasattr(signal, name) and self.alive:
            self.process.send_signal(getattr(signal, name))

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        """End the process; does nothing if it has ended."""
        self._signal("SIGCONT")
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None and not stream.closed:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self.process.wait(5.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Pool:
    """The workers of a run; each starts on first use. Use it as a context manager."""

    def __init__(self) -> None:
        self._workers: dict[tuple[str, int], Worker] = {}

    def worker(self, name: str, threads: int) -> Worker:
        """The worker for this contestant and number of threads; a new one if it has died."""
        worker = self._workers.get((name, threads))
        if worker is None or not worker.alive:
            worker = self._workers[name, threads] = Worker(name, threads)
        return worker

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()


def all_threads() -> int:
    """Processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def pinned_environment(threads: int) -> dict[str, str]:
    """This process's environment with every pool set to `threads`, on the CPU, kernels free."""
    environment = {key: v for key, v in os.environ.items() if key not in KERNEL_CHOICES}
    environment.update(dict.fromkeys(POOL_SIZES, str(threads)))
    environment["JAX_PLATFORMS"] = "cpu"
    environment["PYTHONWARNINGS"] = "ignore"
    return environment
