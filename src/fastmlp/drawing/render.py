"""Write a laid-out drawing as SVG, or with Matplotlib as PNG."""

from __future__ import annotations

import io
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from fastmlp.drawing.diagram import FILLS, LINE
from fastmlp.drawing.layout import Arrow, Point, Rectangle, Scene, Text
from fastmlp.plot import figure

_ROUND = {"output": 9.0}
_PIXELS_PER_INCH = 100.0
_DPI, _MOST_PIXELS = 200.0, 16_000.0  # Agg allows at most 65,535 on a side


def svg(scene: Scene) -> bytes:
    """Return the text of the drawing as UTF-8."""
    size = f"{scene.width:.0f}", f"{scene.height:.0f}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
        f'viewBox="0 0 {size[0]} {size[1]}" font-family="Helvetica, Arial, sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
        *map(_svg_arrow, scene.arrows),
        *map(_svg_rectangle, scene.rectangles),
        *map(_svg_text, scene.texts),
        "</svg>\n",
    ]
    return "\n".join(parts).encode("utf-8")


def _svg_arrow(arrow: Arrow) -> str:
    (x, y), *rest = arrow.points
    curves = " ".join(f"{a:.1f},{b:.1f}" for a, b in rest)
    head = " ".join(f"{a:.1f},{b:.1f}" for a, b in _head(arrow))
    return (
        f'<g class="edge"><path d="M {x:.1f},{y:.1f} C {curves}" fill="none" stroke="{LINE}"/>'
        f'<polygon points="{head}" fill="{LINE}"/></g>'
    )


def _svg_rectangle(one: Rectangle) -> str:
    return (
        f'<rect class="{one.box.kind}" x="{one.x:.1f}" y="{one.y:.1f}" width="{one.width:.1f}" '
        f'height="{one.height:.1f}" rx="{_ROUND.get(one.box.kind, 0.0):.0f}" '
        f'fill="{FILLS[one.box.kind]}" stroke="{LINE}"/>'
    )


def _svg_text(one: Text) -> str:
    words, colour = one.part
    anchor = "middle" if one.centred else "start"
    weight = ' font-weight="bold"' if one.is_name else ""
    # The baseline lies about a third of the size below the middle.
    return (
        f'<text x="{one.x:.1f}" y="{one.y + 0.35 * one.size:.1f}" font-size="{one.size:g}" '
        f'text-anchor="{anchor}" fill={quoteattr(colour)}{weight}>{escape(words)}</text>'
    )


def png(scene: Scene) -> bytes:
    """Return the file; raise MissingPackageError without Matplotlib."""
    picture = figure(scene.width / _PIXELS_PER_INCH, scene.height / _PIXELS_PER_INCH)
    from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
    from matplotlib.path import Path

    picture.set_layout_engine("none")
    ax = picture.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, scene.width), ylim=(scene.height, 0))
    ax.set_axis_off()
    for arrow in scene.arrows:
        codes = [Path.MOVETO, *[Path.CURVE4] * (len(arrow.points) - 1)]
        ax.add_patch(PathPatch(Path(arrow.points, codes), fill=False, edgecolor=LINE))
        ax.add_patch(Polygon(list(_head(arrow)), facecolor=LINE))
    for one in scene.rectangles:
        style = f"round,pad=0,rounding_size={_ROUND.get(one.box.kind, 0.01)}"
        place = (one.x, one.y), one.width, one.height
        look = {"facecolor": FILLS[one.box.kind], "edgecolor": LINE}
        ax.add_patch(FancyBboxPatch(*place, boxstyle=style, **look))  # type: ignore[arg-type]
    for text in scene.texts:
        words, colour = text.part
        ax.text(
            text.x, text.y, words, color=colour, fontsize=text.size * 72 / _PIXELS_PER_INCH,
            fontweight="bold" if text.is_name else "normal", va="center_baseline",
            ha="center" if text.centred else "left", parse_math=False)  # fmt: skip
    made = io.BytesIO()
    inches = max(scene.width, scene.height) / _PIXELS_PER_INCH
    picture.savefig(made, format="png", dpi=min(_DPI, _MOST_PIXELS / inches))
    return made.getvalue()


def _head(arrow: Arrow) -> Iterable[Point]:
    """Return the corners of an arrow head; all arrows point to the right."""
    x, y = arrow.points[-1]
    return (x, y), (x - 8, y - 3.5), (x - 8, y + 3.5)
