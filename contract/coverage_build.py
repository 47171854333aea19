"""A build of the core that counts what runs, and the settings that make Python do so."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from contract import native

# Counters are set before functions are inlined, threads count together, and the vocabulary of the
# instruction sets, which has no branches, is left alone.
FLAGS = "--coverage -fprofile-update=atomic -fno-early-inlining -DFM_INLINE=static "
FLAGS += "-Wno-unused-function -Wno-maybe-uninitialized -fprofile-exclude-files=.*/simd/.*"
PROGRAMS = ("test_products", "test_graph", "test_training", "test_threads", "test_api")
PROGRAMS += ("test_trainers", "test_fusion", "test_groups")


@dataclass(frozen=True)
class Build:
    """Folders and files of a build that counts."""

    root: Path
    objects: Path
    site: Path
    programs: tuple[tuple[Path, ...], ...]
    python_settings: Path


def build(scratch: Path) -> Build:
    """The core, the test programs and the extension, which is put into a package of its own."""
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
    """Child processes are measured too, those that are forked as well."""
    return f"""[run]
branch = True
source = {site / "fastmlp"}
parallel = True
data_file = {data}
patch = subprocess
[report]
ignore_errors = True
"""
