"""The lecture's scripts as notebooks, by jupytext: ``python -m examples.lecture.notebooks out``.

The docstring of a script becomes text and each function a cell; the pictures are shown at the end,
above the row's exercise from README.md.
``--run`` also runs the notebooks and keeps their output. Further words select scripts by the
beginning of their names.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
SCRIPTS = sorted(FOLDER.glob("[0-9]*.py"))
_PICTURES = """from pathlib import Path

from IPython.display import SVG, Image, display

for path in sorted(Path().glob("{name}*.*")):
    if path.suffix in (".png", ".gif", ".svg"):
        display(SVG(path) if path.suffix == ".svg" else Image(path))"""


def exercise(row: str) -> str:
    """Return README's exercise of a row, such as "07", with its folded answer."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    _, _, part = text.partition(f"**Row {int(row)}.**")
    found = re.search(r"<details>.*?</details>", part, re.DOTALL)
    assert found is not None
    return found[0]


def _markdown(text: str) -> str:
    return "# %% [markdown]\n" + "\n".join(f"# {line}".rstrip() for line in text.splitlines())


def percent(script: Path, folder: Path) -> str:
    """Return a script as text in jupytext's percent format, for a notebook in ``folder``."""
    source = script.read_text(encoding="utf-8")
    title = ast.get_docstring(ast.parse(source)) or script.stem
    # After the docstring; Python's formatters leave two empty lines between functions.
    _, _, code = source.split('"""', 2)
    path = os.path.relpath(FOLDER, folder).replace(os.sep, "/")
    cells = [f'import sys\n\nsys.path.insert(0, "{path}")  # of lecture_support']
    for cell in code.strip().split("\n\n\n"):
        cells.append("main()" if cell.startswith("if __name__") else cell)
    if "def main(" in code:
        cells.append(_PICTURES.format(name=script.stem))
    parts = [_markdown(f"# {title}"), *(f"# %%\n{cell}" for cell in cells)]
    return "\n\n".join([*parts, _markdown(exercise(script.name[:2]))]) + "\n"


def notebook(script: Path, folder: Path) -> Any:
    """Return a script as a notebook for ``folder``."""
    import jupytext

    made = jupytext.reads(percent(script, folder), fmt="py:percent")
    made.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3", "language": "python",
    }  # fmt: skip
    return made


def write(script: Path, folder: Path, run: bool = False) -> Path:
    """Write a script's notebook into ``folder`` and run it there on request; return its path."""
    import jupytext

    made, path = notebook(script, folder), folder / f"{script.stem}.ipynb"
    if run:
        from nbclient import NotebookClient

        where = {"metadata": {"path": str(folder)}}
        NotebookClient(made, timeout=300, kernel_name="python3", resources=where).execute()
    jupytext.write(made, path)
    return path


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m examples.lecture.notebooks", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="beginnings of scripts' names; all by default")
    parser.add_argument("--run", action="store_true")
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    for script in SCRIPTS:
        if not given.names or script.name.startswith(tuple(given.names)):
            print(write(script, given.folder, given.run))


if __name__ == "__main__":
    main()
