"""The lecture's scripts as notebooks: made by jupytext, and run from beginning to end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext")
from examples.lecture import notebooks  # noqa: E402

ROOT = Path(__file__).parents[2]
NAMES = [script.stem for script in notebooks.SCRIPTS]


@pytest.mark.parametrize("script", notebooks.SCRIPTS, ids=NAMES)
def test_every_script_is_a_notebook(script, tmp_path):
    path = notebooks.write(script, tmp_path)
    first, *cells, last = jupytext.read(path).cells
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    assert cells
    assert last.cell_type == "markdown"
    assert last.source == notebooks.exercise(script.stem[:2])
    assert last.source.startswith("<details><summary>Exercise: ")
    assert last.source.endswith("</details>")
    for cell in cells:
        assert cell.cell_type == "code"
        compile(cell.source, script.name, "exec")
    if not script.stem.endswith("_minimal"):
        assert sum(cell.source == "main()" for cell in cells) == 1


@pytest.mark.scripts
@pytest.mark.parametrize("name", NAMES)
def test_notebooks_run(name, tmp_path):
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    # In a separate process, because the kernel's runner gives warnings of its own.
    command = [sys.executable, "-m", "examples.lecture.notebooks", str(tmp_path), name, "--run"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=300)
    cells = jupytext.read(tmp_path / f"{name}.ipynb").cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert any(output.get("name") == "stdout" for output in outputs)
