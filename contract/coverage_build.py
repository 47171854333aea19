"""A build of the core that counts executed code, and settings that make Python do the same."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from contract import native

# Counters are inserted before inlining and updated by all threads together. The vector vocabulary
# has no branches and is not counted.
FLAGS = "--coverage -fprofile-update=atomic -fno-early-inlining -DFM_INLINE=static "
FLAGS += "-Wno-unused-function -Wno-maybe-uninitialized -fprofile-exclude-files=.*/simd/.*"
PROGRAMS = ("test_products", "test_graph", "test_training", "test_threads", "test_api")
PROGRAMS += ("test_trainers", "test_fusion", "test_groups", "test_operations")
PROGRAMS += ("test_embedding", "test_frozen", "test_folds")


@dataclass(frozen=True)
class Build:
    """Folders and files of a build with counters."""

    root: Path
    objects: Path
    site: Path
    programs: tuple[tuple[Path, ...], ...]
    python_settings: Path


def build(scratch: Path) -> Build:
    """Build the core, the test programs, and the extension in a separate package."""
    objects, site = scratch / "objects", scratch / "site"
    options = ("-DFM_PYTHON=ON", "-DFM_OPTIMIZATION=-O2", f"-DPython_EXECUTABLE={sys.executable}")
    compiler = native.program("gcc")
    folder = native.build(objects, compiler=compiler, flags=FLAGS, options=options)
    native.run([native.program("cmake"), "--install", str(objects), "--prefix", str(site)])
    shutil.copytree(native.ROOT / "src" / "fastmlp", site / "fastmlp", dirs_exist_ok=True)
    settings = scratch / "coverage.ini"
    settings.write_text(_settings(site, scratch / "python"))
    programs = tuple((folder / name,) for name in PROGRAMS)
    return Build(native.ROOT, objects, site, programs, settings)


def _settings(site: Path, data: Path) -> str:
    """Settings that also measure child processes, forked ones included."""
    return f"""[run]
branch = True
source = {site / "fastmlp"}
parallel = True
data_file = {data}
patch = subprocess
[report]
ignore_errors = True
"""
