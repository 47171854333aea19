"""Drawing with Graphviz's program ``dot``, if it is installed."""

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
    """Return the file that ``dot`` makes, or None without a working ``dot``."""
    program = shutil.which("dot")
    if program is None:
        return None
    # PNG gets twice the resolution of a screen. SVG gets no resolution: it would be scaled.
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
    """Return the graph in dot's language; all text is escaped and in HTML-like labels."""
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
    # dot takes a backslash and a letter for an escape, in HTML-like labels too.
    escaped = escape(text).replace("\\", r"\\")
    return f'<font color="{colour}">{escaped}</font>'


def _warn(reason: str) -> None:
    message = f"Graphviz failed, so the plain layout is used: {reason}"
    warnings.warn(message, RuntimeWarning, stacklevel=2)
