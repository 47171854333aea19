"""New interpreters that must end: if they hang, they are killed with all their children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

TIMEOUT = 60.0
# The interpreter warns of forks in a process with threads.
OPTIONS = ("-X", "faulthandler", "-W", "ignore::DeprecationWarning")


class Hung(AssertionError):
    """A process did not end in time; the text tells where its threads were."""


def run(
    *arguments: str,
    environment: dict[str, str],
    timeout: float = TIMEOUT,
    python: str = sys.executable,
) -> str:
    """The output of ``python *arguments``; AssertionError with its errors if it fails."""
    with subprocess.Popen(
        [python, *OPTIONS, *arguments],
        env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            printed, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Hung(f"{arguments} did not end in {timeout:g} s:\n{_kill(process)}") from None
    assert process.returncode == 0, f"{arguments} ended with {process.returncode}:\n{errors}"
    return printed


def _kill(process: subprocess.Popen[str]) -> str:
    """Kill all processes of the session; return where their threads were."""
    os.killpg(process.pid, signal.SIGABRT)  # faulthandler shows it
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(2.0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[1]
