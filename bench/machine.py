"""The measured system: processor, versions and commit; import times; size of a wheel."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import os
import platform
import statistics
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import fastmlp as fm
from bench.pool import ROOT, all_threads
from bench.processor import processor_name
from fastmlp import _core

PACKAGES = (
    "fastmlp", "numpy", "torch", "jax", "jaxlib", "scikit-learn", "onnxruntime", "onnx", "scipy",
)  # fmt: skip
IMPORTS = {
    "python alone": "pass",
    "numpy": "import numpy",
    "fastmlp": "import fastmlp",
    "scikit-learn": "import sklearn.neural_network",
    "torch": "import torch",
    "jax": "import jax",
    "onnxruntime": "import onnxruntime",
}
IMPORT_REPEATS = 9


def describe_machine() -> dict[str, str]:
    """Processor, system, instruction set, versions and commit."""
    config = fm.show_config()
    facts = {
        "processor": processor_name(),
        "threads": str(all_threads()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "instruction set": config["isa"],
        "compiler": config["compiler"],
        "commit": _commit(),
        "core": hashlib.sha256(Path(_core.__file__).read_bytes()).hexdigest()[:12],
        "date": time.strftime("%Y-%m-%d"),
    }
    for package in PACKAGES:
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def measure_imports(repeats: int = IMPORT_REPEATS) -> dict[str, float]:
    """Median seconds of a fresh process with one import, in interleaved rounds."""
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(repeats):
        for name, code in IMPORTS.items():
            start = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", code], capture_output=True)
            if done.returncode == 0:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items() if values}


def wheel_bytes() -> int | None:
    """Size of the installed files, packed as in a wheel; None for an editable install."""
    files = importlib.metadata.files("fastmlp") or []
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            path = Path(str(file.locate()))
            if "__pycache__" not in path.parts and ".." not in file.parts and path.is_file():
                archive.write(path, str(file))
        names = archive.namelist()
    return len(packed.getvalue()) if any("_core" in name for name in names) else None


def _commit() -> str:
    """The commit of the checkout that contains this file, with a mark if files have changed.

    A run changes its own results and the README's table.
    """
    if not (ROOT / ".git").exists():
        return os.environ.get("GITHUB_SHA", "unknown")
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    others = [".", ":!bench/results", ":!README.md"]
    changes = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=no", "--", *others],
        capture_output=True, text=True,
    )  # fmt: skip
    return head.stdout.strip() + (" with changes" if changes.stdout.strip() else "")
