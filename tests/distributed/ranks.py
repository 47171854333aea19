"""Runs scripts on several ranks, where there is an MPI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")


def reason() -> str:
    """Why no program can run on several ranks here, or ""."""
    if find_spec("mpi4py") is None:
        return "mpi4py is not installed"
    return "" if MPIEXEC else "mpiexec is not installed"


needs_mpi = pytest.mark.skipif(bool(reason()), reason=reason())


def start(count: int, script: str, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    """Start a script on so many ranks of one thread each."""
    assert MPIEXEC is not None
    command = [MPIEXEC, "-n", str(count), sys.executable, "-c", script, *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **settings}
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def run(count: int, script: str, *arguments: str, **settings: str) -> Any:
    """Return what a script prints as JSON."""
    process = start(count, script, *arguments, **settings)
    out, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    return json.loads(out)


def failure(count: int, script: str, *arguments: str, **settings: str) -> str:
    """Return what a script that fails writes to its standard error."""
    process = start(count, script, *arguments, **settings)
    _, errors = process.communicate(timeout=100)
    assert process.returncode != 0
    return errors
