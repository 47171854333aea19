"""Builds of the C core and its test programs, with other compilers and flags."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from contract.figures import Unavailable

ROOT = Path(__file__).parents[1]


def program(*names: str) -> str:
    """The path of the first of these programs that is installed."""
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return found
    raise Unavailable(f"none of the programs {', '.join(names)} is installed")


def build(
    folder: Path, *targets: str, compiler: str = "", flags: str = "", options: tuple[str, ...] = ()
) -> Path:
    """Build test programs of tests/c (all if ``targets`` is empty); return their folder.

    ``flags`` are added to the C compiler's, ``options`` to those of cmake.
    """
    cmake = program("cmake")
    compiler = compiler or program("cc", "gcc", "clang")
    configure = [
        cmake, "-S", str(ROOT), "-B", str(folder), "-DFM_PYTHON=OFF", "-DFM_TEST_PROGRAMS=ON",
        "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_C_COMPILER={compiler}", f"-DCMAKE_C_FLAGS={flags}",
        *options,
    ]  # fmt: skip
    wanted = ["--target", *targets] if targets else []
    run(configure)
    run([cmake, "--build", str(folder), "--parallel", "2", *wanted])
    return folder / "tests" / "c"


def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; an error contains its output."""
    done = subprocess.run(command, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    if done.returncode != 0:
        raise RuntimeError(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done  # type: ignore[no-any-return]
