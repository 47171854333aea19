"""Loads the scripts of the lecture, whose names begin with a digit."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "lecture"


@pytest.fixture
def lecture(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Return a function from a script's name, or the digits it begins with, to its module."""
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, "lecture_support", raising=False)
    # A script's setting of NumPy's threads ends with its test.
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")

    def load(name: str) -> Any:
        (path,) = FOLDER.glob(f"{name}*.py")
        spec = importlib.util.spec_from_file_location(f"lecture_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
