"""Locking of shared objects, with the GIL and without it; the suite runs without it too."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from tests import watchdog

from contract.figures import Figure, Scale, Unavailable, at_least, exactly, fact
from contract.native import program
from contract.native import run as command

TITLE = "Free threading"
ROOT = Path(__file__).parents[1]

_STRESS = "from contract import free_threading_stress as s; s.report({seconds})"
_NAMES = ("python3.15t", "python3.14t", "python3.13t")
# What the suite needs. Other packages are installed if they have a wheel; otherwise their tests are
# skipped, and examples in the documentation may fail.
_NEEDS = ("numpy", "pytest", "hypothesis")
_EXTRAS = (
    "scipy", "scikit-learn", "matplotlib", "pandas", "click", "rich", "tqdm", "threadpoolctl",
    "safetensors", "joblib",
)  # fmt: skip


def run(scale: Scale) -> list[Figure]:
    has_gil = not sysconfig.get_config_var("Py_GIL_DISABLED")
    found = [*_stress(sys.executable, scale.choose(2, 60), has_gil)]
    if not has_gil:
        found.append(_declares_itself(sys.executable))
    if scale.full:
        found += _without_gil(scale)
    return found


def _environment() -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "PYTHON"))}
    return clean | {"PYTHONPATH": str(ROOT)}


def _stress(python: str, seconds: int, has_gil: bool) -> Iterator[Figure]:
    """Eight threads do random operations on the same objects."""
    printed = watchdog.run(
        "-c", _STRESS.format(seconds=seconds),
        environment=_environment(), timeout=watchdog.TIMEOUT + seconds, python=python,
    )  # fmt: skip
    found = json.loads(printed)
    where = "with the GIL" if has_gil else "without the GIL"
    done = found["right"] + found["refused"]
    share = f"{found['refused']} of {done} were refused"
    yield exactly(f"The GIL after the stress {where}", str(found["gil"]), str(has_gil))
    yield at_least(f"Right results of shared objects, {where}", found["right"], 1, note=share)
    yield exactly(f"Operations with another outcome, {where}", str(found["other"]), "{}")
    yield exactly(
        f"Steps of one trainer that were lost, {where}", int(found["lost"]), 0,
        f"of {found['steps']}",
    )  # fmt: skip
    yield exactly(f"Predictions during steps with mixed weights, {where}", found["mixed"], 0)


def _declares_itself(python: str) -> Figure:
    """Importing a module that does not declare itself compatible enables the GIL.

    ``PYTHON_GIL`` could prevent that; the environment here does not set it.
    """
    code = "import sys, fastmlp; print(sys._is_gil_enabled())"
    found = watchdog.run("-c", code, environment=_environment(), python=python).strip()
    return exactly("The GIL after an import of fastmlp alone", found, "False")


def _without_gil(scale: Scale) -> Iterator[Figure]:
    """Build this tree on a free-threaded CPython; run the stress test and the whole suite."""
    try:
        python = _install(program(*_NAMES), scale.scratch / "venv")
    except Unavailable as missing:
        yield fact("Suite without the GIL", f"not run: {missing}")
        return
    yield _declares_itself(str(python))
    yield from _stress(str(python), 60, has_gil=False)
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not quick_share"],
        cwd=ROOT, env=_environment() | {"PYTHON_GIL": "0"}, capture_output=True, text=True,
    )  # fmt: skip
    counts = {
        what: int(n) for n, what in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)
    }
    yield at_least("Tests passed without the GIL", counts.get("passed", 0), 1)
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    yield exactly(
        "Tests failed without the GIL", counts.get("failed", 0) + counts.get("error", 0), 0,
        "; ".join(failed)[:500],
    )  # fmt: skip
    yield fact("Tests skipped without the GIL", counts.get("skipped", 0))


def _install(interpreter: str, folder: Path) -> Path:
    """Make a new environment of the interpreter with this tree and what the suite needs."""
    command([interpreter, "-m", "venv", str(folder)])
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-q"]
    command([*pip, "--only-binary=:all:", *_NEEDS])
    for extra in _EXTRAS:
        subprocess.run([*pip, "--only-binary=:all:", extra], capture_output=True, check=False)
    command([*pip, str(ROOT)])
    return python
