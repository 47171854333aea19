"""The same training with builds of other compilers, and on 64-bit ARM under emulation."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from contract import native
from contract.bits_configurations import Configuration
from contract.bits_training import Outcome
from contract.figures import Unavailable

ARM_COMPILER, ARM_EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
ARM_LIBRARIES = "/usr/aarch64-linux-gnu"
PROGRAMS = ("test_training", "test_graph")


def package(folder: Path, compiler: str) -> Path:
    """Build the package with this compiler; return the folder to import it from."""
    native.program(compiler)
    if importlib.util.find_spec("Cython") is None:
        raise Unavailable("Cython is not installed")
    python = f"-DPython_EXECUTABLE={sys.executable}"
    options = ("-DFM_PYTHON=ON", "-DFM_TEST_PROGRAMS=OFF", python)
    native.build(folder / "build", "_core", compiler=compiler, options=options)
    shutil.copytree(native.ROOT / "src" / "fastmlp", folder / "packages" / "fastmlp")
    (core,) = (folder / "build").glob("_core*.so")
    shutil.copy(core, folder / "packages" / "fastmlp")
    return folder / "packages"


def outcomes(
    packages: Path, configurations: list[Configuration], isas: list[str], threads: tuple[int, ...]
) -> tuple[str, dict[tuple[str, int], dict[Configuration, Outcome]]]:
    """The compiler of that build, and the outcomes on each ISA and thread count."""
    environment = {**_without_spinning(), "PYTHONPATH": str(packages)}
    asked = {"configurations": configurations, "isas": isas, "threads": threads}
    command = [sys.executable, "-m", "contract.bits_training"]
    done = native.run(command, input=json.dumps(asked), cwd=native.ROOT, env=environment)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer["compiler"], {
        (key.split()[0], int(key.split()[1])): {
            configuration: Outcome(*values)
            for configuration, values in zip(configurations, found, strict=True)
        }
        for key, found in answer["outcomes"].items()
    }


def _without_spinning() -> dict[str, str]:
    """An environment in which OpenMP teams larger than the machine do not wait by spinning."""
    return {**os.environ, "OMP_WAIT_POLICY": "passive"}


def here(folder: Path, compiler: str, runs: int) -> dict[str, str]:
    """Hashes of the runs of the C test programs on this machine, by name."""
    return _hashes(native.build(folder, *PROGRAMS, compiler=native.program(compiler)), [], runs)


def on_arm(folder: Path, runs: int) -> dict[str, str]:
    """The same hashes on 64-bit ARM under emulation."""
    toolchain = native.ROOT / "tests" / "c" / "aarch64.cmake"
    compiler, emulator = native.program(ARM_COMPILER), native.program(ARM_EMULATOR)
    built = native.build(
        folder, *PROGRAMS, compiler=compiler, options=(f"-DCMAKE_TOOLCHAIN_FILE={toolchain}",)
    )
    return _hashes(built, [emulator, "-L", ARM_LIBRARIES], runs)


def _hashes(built: Path, emulator: list[str], runs: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in PROGRAMS:
        command = [*emulator, str(built / name), str(runs)]
        done = native.run(command, env=_without_spinning())
        lines = re.findall(r"^([0-9a-f]{16}) (.+)$", done.stdout, re.MULTILINE)
        found |= {run: hash for hash, run in lines}
    return found
