"""Builds and tests changed kernels, again and again, in a copy of the sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from contract import native
from contract.mutation import Mutant

# The tests that find most mutants come first. All run on AVX2, the only ISA of the build.
TESTS = ["tests/engine/test_bits.py", "tests/engine/test_kernels.py",
         "tests/engine/test_training_kernels.py",
         "tests/layers/test_nodes.py", "tests/base/test_layouts.py",
         "tests/layers/test_gradients.py", "tests/networks/test_graph.py",
         "tests/engine/test_regressions.py"]  # fmt: skip
PROGRAM = ["33", "997", "8"]  # a sample of the shapes of test_products
SECONDS = 300  # many times the duration of the tests


class Workshop:
    """A tree with its build, and the tests that judge a mutant."""

    def __init__(self, folder: Path) -> None:
        self._tree, self._build = folder / "tree", folder / "build"
        self._site = folder / "site"
        for name in ("csrc", "cmake", "src", "tests", "contract", "docs"):
            shutil.copytree(native.ROOT / name, self._tree / name)
        for name in ("CMakeLists.txt", "pyproject.toml", "README.md"):
            shutil.copy(native.ROOT / name, self._tree / name)
        options = ["-DFM_ONLY_ISAS=avx2", "-DFM_OPTIMIZATION=-O1", "-DFM_TEST_PROGRAMS=ON"]
        options += ["-DCMAKE_BUILD_TYPE=Release", f"-DPython_EXECUTABLE={sys.executable}"]
        native.run(
            [native.program("cmake"), "-S", str(self._tree), "-B", str(self._build), *options]
        )
        if not self._rebuild():
            raise RuntimeError("the unchanged kernels do not build")
        self._make_site()
        self._original = self._machine_code()
        failed = self._failure()
        if failed is not None:
            raise RuntimeError(f"the unchanged kernels fail: {failed}")

    def verdict(self, mutant: Mutant) -> str:
        """The verdict on a mutant; restores the tree."""
        target = self._tree / mutant.path.relative_to(native.ROOT)
        target.write_text(mutant.source())
        try:
            if not self._rebuild():
                return "did not compile"
            if self._machine_code() == self._original:
                return "the same machine code"
            failed = self._failure()
            return "survived" if failed is None else f"killed by {failed}"
        finally:
            shutil.copy(mutant.path, target)

    def _rebuild(self) -> bool:
        cmake = native.program("cmake")
        command = [cmake, "--build", str(self._build), "--target", "_core", "test_products"]
        return subprocess.run(command, capture_output=True).returncode == 0

    def _machine_code(self) -> bytes:
        (found,) = self._build.glob("CMakeFiles/fm_isa_avx2.dir/**/isa.c.o")
        return found.read_bytes()

    def _make_site(self) -> None:
        """Make the package, with a link to the extension, which is built again for each mutant."""
        shutil.copytree(native.ROOT / "src" / "fastmlp", self._site / "fastmlp")
        (extension,) = self._build.glob("_core.*.so")
        (self._site / "fastmlp" / extension.name).symlink_to(extension)

    def _failure(self) -> str | None:
        """The first failing test: its program and the reason."""
        program = [str(self._build / "tests" / "c" / "test_products"), *PROGRAM]
        suite = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *TESTS]
        for name, command in (("test_products.c", program), ("pytest", suite)):
            try:
                done = subprocess.run(
                    command,
                    cwd=self._tree,
                    env=self._environment(),
                    capture_output=True,
                    timeout=SECONDS,
                )
            except subprocess.TimeoutExpired:
                return f"{name}, which does not end"
            if done.returncode != 0:
                return name
        return None

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self._site), "OMP_NUM_THREADS": "2"}
