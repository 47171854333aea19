"""Shared by the scripts of the lecture: pictures, and checks of numbers.

A picture is one call: ``draw(folder, name, panel(...), panel(...))``. A check is one call too:
``check(name, found, expected, within)`` prints both numbers and raises if they are too far apart.
"""

import io
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import fastmlp as fm

# Okabe and Ito's palette, which colour-blind readers can tell apart; in the order of use.
BLUE, ORANGE, GREEN, PINK, AMBER, SKY = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
)  # fmt: skip
GREY, BLACK = "#6B6B6B", "#000000"
PALETTE = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY, GREY, BLACK)

DPI = 150  # sharp on a projector
COLOURS = 128  # in a PNG file; fewer colours make smaller files

# How curves look by their style: thin marks for points, lines for functions.
_STYLES = {"o": {"markersize": 4, "linestyle": "none"}, "s": {"markersize": 4, "linestyle": "none"}}


def run(main):
    """Call ``main`` with the folder named on the command line; the current one by default."""
    main(*sys.argv[1:2])


# ---- numbers ----


def check(name, found, expected, within=0.0):
    """Print a number or array and its right value; raise if they differ by more than `within`."""
    off = float(np.max(np.abs(np.asarray(found, float) - np.asarray(expected, float)), initial=0.0))
    print(f"{name}: {_text(found, within)}, expected {_text(expected, within)}")
    if not off <= within:
        raise AssertionError(f"{name}: got {found}; want {expected} within {within}")
    return found


def same(name, found, reference, within=1e-12):
    """Print the largest difference of two arrays; raise if it is more than `within`."""
    off = float(np.max(np.abs(np.asarray(found) - np.asarray(reference)), initial=0.0))
    print(f"{name}: largest difference {off:.1e}")
    if not off <= within:
        raise AssertionError(f"{name}: the largest difference is {off}; want at most {within}")
    return off


def table(head, rows, widths=None):
    """Print rows below their heads: text to the left, the rest to the right."""
    cells = [[_text(cell) for cell in row] for row in rows]
    size = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    sides = ["<" if isinstance(cell, str) else ">" for cell in rows[0]]
    for line in (head, *cells):
        print("  ".join(f"{c:{s}{n}}" for c, s, n in zip(line, sides, size, strict=True)).rstrip())


def _text(value, within=0.0):
    """Four digits, or as many as `within` distinguishes."""
    if isinstance(value, (str, int, np.integer)):
        return str(value)
    if isinstance(value, (float, np.floating)) and not within:
        return f"{value:.4g}"
    places = min(6, max(0, int(np.ceil(-np.log10(within))))) if 0 < within < 1 else 4
    text = np.array2string(np.asarray(value, float) + 0.0, precision=places, suppress_small=True,
                           floatmode="maxprec", separator=", ")  # fmt: skip
    return " ".join(text.split())


# ---- points of the plane, of two classes ----


def circle(rng, angle):
    radius = np.concatenate([rng.uniform(0, 2, 100), rng.uniform(3, 5, 100)])
    turn = 2 * np.pi * angle
    return radius[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])


def moons(rng, angle):
    side = np.repeat([[1.0], [-1.0]], 100, axis=0)
    arc = np.column_stack([np.cos(np.pi * angle), np.sin(np.pi * angle)])
    return 2.5 * side * (arc - [0.5, 0.25]) + rng.normal(0, 0.6, (200, 2))


def spiral(rng, angle):
    radius = np.tile(np.linspace(0.3, 5, 100), 2)
    turn = 0.7 * np.pi * radius + np.repeat([0.0, np.pi], 100)
    return radius[:, None] * np.column_stack([np.sin(turn), np.cos(turn)])


def data(shape, seed=0):
    """200 points, the second hundred of class 1."""
    rng = np.random.default_rng(seed)
    x = shape(rng, rng.uniform(0, 1, 200)) + rng.normal(0, 0.1, (200, 2))
    return x, np.repeat([[0.0], [1.0]], 100, axis=0)


# ---- pictures ----


def panel(title="", curves=None, paint=None, **settings):
    """Describe one pair of axes, for ``draw``.

    `curves` maps labels to ``(x, y)`` or ``(x, y, style)``, with Matplotlib's style (``"--"``,
    ``"o"``) or a dict of its options; a label that begins with "_" is left out of the legend.
    `paint` is called with the axes for all else. The settings are those of ``Axes.set``, and
    `legend`, its place.
    """
    return title, curves or {}, paint, settings


def draw(folder, name, *panels, rows=1, size=(4.8, 3.9), title="", suffix=".png"):
    """Draw the panels, in rows, and save the picture; return its path."""
    columns = -(-len(panels) // rows)
    figure = fm.plot.figure(size[0] * columns, size[1] * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, content in zip(axes, panels, strict=True):
        _fill(ax, *content)
    if title:
        figure.suptitle(title)
    return save(figure, Path(folder) / f"{name}{suffix}")


def save(figure, path):
    """Write a figure: as SVG, or as PNG with few colours, which keeps the file small."""
    from PIL import Image

    if path.suffix == ".svg":
        figure.savefig(path, metadata={"Date": None})
        return path
    memory = io.BytesIO()
    figure.savefig(memory, dpi=DPI, format="png")
    picture = Image.open(memory).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def boundary(net, x, y, title, ax=None):
    """A panel of the regions of a network's two classes; drawn at once if `ax` is given."""

    def paint(ax):
        fm.plot.decision_boundary(net, x, np.ravel(y), ax, resolution=150)
        ax.get_legend().remove()
        for points in ax.collections:  # ``draw`` would make a legend of their labels
            points.set_label("_")
        ax.set(title=title, xlabel="", ylabel="", xticks=[], yticks=[])

    return panel(title, paint=paint) if ax is None else paint(ax)


@contextmanager
def animation(folder, name, size=(3.6, 3.6), fps=4):
    """Write a GIF; ``with animation(...) as frame:`` gives ``frame(paint)``, which adds a picture.

    ``paint`` is called with empty axes.
    """
    from matplotlib.animation import PillowWriter

    figure, writer = fm.plot.figure(*size), PillowWriter(fps=fps)
    ax = figure.subplots()

    def frame(paint):
        ax.clear()
        paint(ax)
        writer.grab_frame()

    with writer.saving(figure, str(Path(folder) / f"{name}.gif"), dpi=140):
        yield frame


def image(values, title="", digits=None, **options):
    """A panel of a matrix as an image in greys; with `digits`, its numbers are written in it."""

    def paint(ax):
        ax.imshow(values, **{"cmap": "gray_r", "interpolation": "nearest"} | options)
        for row, column in np.ndindex(values.shape) if digits is not None else ():
            text = f"{values[row, column]:.{digits}f}"
            ax.text(column, row, text, ha="center", va="center")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)

    return panel(title, paint=paint)


def bars(values, title="", labels=None, **settings):
    """A panel of horizontal bars: names to numbers."""

    def paint(ax):
        found = ax.barh(list(values), list(values.values()), color=BLUE)
        ax.bar_label(found, labels, padding=4)
        ax.invert_yaxis()
        ax.margins(x=0.15 if min(values.values()) >= 0 else 0.3)
        ax.axvline(0, color=BLACK, linewidth=0.8)

    return panel(title, paint=paint, **settings)


def _fill(ax, title, curves, paint, settings):
    ax.set_prop_cycle(color=PALETTE)
    colours = iter(PALETTE * 4)
    for label, (x, y, *style) in curves.items():
        options = dict(style[0]) if style and isinstance(style[0], dict) else {}
        mark = style[0] if style and isinstance(style[0], str) else options.pop("style", "-")
        options = {"color": options.pop("color", None) or next(colours)} | options
        x, y = np.ravel(x), np.asarray(y)
        y = y.reshape(len(x), -1)[:, 0] if y.size == len(x) else y.reshape(len(x), -1)
        ax.plot(x, y, mark, label=label, **_STYLES.get(mark, {}) | options)
    if curves:
        ax.grid(alpha=0.25)
    if paint is not None:
        paint(ax)
    place = settings.pop("legend", "best")
    ax.set(title=title, **settings)
    ax.spines[["top", "right"]].set_visible(False)
    if any(not label.startswith("_") for label in ax.get_legend_handles_labels()[1]):
        ax.legend(framealpha=0.85, edgecolor="none", loc=place)
