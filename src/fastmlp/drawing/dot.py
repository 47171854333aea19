"""Layout and drawing by Graphviz's program ``dot``, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from collections.abc import Iterable
from xml.sax.saxutils import escape

from fastmlp.drawing.diagram import FILLS, LINE, Box, Diagram, Edge, Part

_SECONDS = 60.0  # for the layout of the largest graphs
_STARTS = {".svg": b"<svg", ".png": b"\x89PNG\r\n\x1a\n"}
_FONT = "Helvetica"
_HEAD = f"""digraph {{
graph [rankdir=LR, ranksep=0.5, nodesep=0.35, bgcolor=white, pad=0.15, fontname="{_FONT}"]
node [shape=box, style=filled, color="{LINE}", fontname="{_FONT}", fontsize=12, margin="0.12,0.06"]
edge [color="{LINE}", arrowsize=0.7, fontname="{_FONT}", fontsize=11]
"""


def picture(diagram: Diagram, ending: str) -> bytes | None:
    """Return the file ``dot`` makes, or None where there is no ``dot`` that works."""
    program = shutil.which("dot")
    if program is None:
        return None
    # PNG at twice the resolution of a screen; SVG has none, and other units would scale it.
    options = [f"-T{ending[1:]}", *(["-Gdpi=192"] if ending == ".png" else [])]
    try:
        done = subprocess.run(
            [program, *options],
            input=source(diagram).encode("utf-8"),
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        _warn(f"{error}")
        return None
    start = done.stdout.find(_STARTS[ending])
    if start < 0:
        _warn(f"it made no {ending[1:]}")
        return None
    return done.stdout[start:]


def source(diagram: Diagram) -> str:
    """Return the graph in dot's language; all text is in labels like HTML, escaped as such."""
    boxes = "".join(_box(k, box) for k, box in enumerate(diagram.boxes))
    edges = "".join(_edge(edge) for edge in diagram.edges)
    legend = f"label={_label(diagram.legend)} fontsize=11\n" if diagram.legend else ""
    return f"{_HEAD}{legend}{boxes}{edges}}}\n"


def _box(index: int, box: Box) -> str:
    style = ', style="filled,rounded"' if box.kind == "output" else ""
    name, *rest = box.lines
    label = _label(rest, first=f"<b>{_coloured(name)}</b>")
    return f'n{index} [label={label}, fillcolor="{FILLS[box.kind]}"{style}]\n'


def _edge(edge: Edge) -> str:
    return f"n{edge.tail} -> n{edge.head} [label={_label(edge.lines)}]\n"


def _label(lines: Iterable[Part], first: str = "") -> str:
    return f"<{'<br/>'.join([*filter(None, [first]), *map(_coloured, lines)])}>"


def _coloured(part: Part) -> str:
    text, colour = part
    # A backslash and a letter are an escape to dot, in labels like HTML too.
    escaped = escape(text).replace("\\", r"\\")
    return f'<font color="{colour}">{escaped}</font>'


def _warn(reason: str) -> None:
    message = f"Graphviz failed, so that the plain layout is drawn: {reason}"
    warnings.warn(message, RuntimeWarning, stacklevel=2)
