"""Drawings of networks, as SVG or PNG: boxes for the nodes, values and gradients on the edges.

Graphviz makes the drawing if its program ``dot`` is installed. Otherwise a plain layout is used; a
PNG then needs Matplotlib (extra ``plot``).
"""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.drawing import dot, layout, render
from fastmlp.drawing.diagram import Diagram
from fastmlp.io import write_atomically

if TYPE_CHECKING:
    from fastmlp.networks.base import Network

__all__ = ["draw", "html"]

_ENDINGS = (".svg", ".png")
_MOST_DRAWN = 40  # layers in a notebook


def draw(
    net: Network, path: str | os.PathLike[str] | None = None, values: bool = True
) -> str | None:
    """Draw a network; its method `draw` calls this.

    The boxes are the inputs, the nodes with their layers, and the outputs (rounded). An edge shows
    the shape of its value, ``(N, width)``. After ``net.forward(x, keep=True)`` it shows the value
    instead. After ``net.backward(dy)`` it also shows, below and in another colour, the gradient
    of the loss with respect to the value. Up to four numbers are written with 2 decimals, larger
    arrays as shape, mean and standard deviation. If several nodes read a value, the sum of their
    gradients is in the box of the node that computes the value. Parameters have their present
    values.

    Parameters
    ----------
    net : Sequential or Graph
    path : str or path-like, optional
        The file to write; its ending, ``.svg`` or ``.png``, decides the format.
    values : bool, default True
        Whether to show values and gradients, if the last passes kept them.

    Returns
    -------
    str or None
        The text of the SVG if `path` is None.

    Raises
    ------
    ArgumentError
        `path` has another ending.
    ArgumentTypeError
        `path` is not a path, or `values` not a boolean.
    MissingPackageError
        The file is a PNG, and neither ``dot`` nor Matplotlib is installed.
    OSError
        The file cannot be written; an existing file is unchanged.

    Warns
    -----
    RuntimeWarning
        ``dot`` is installed but failed, so the plain layout was used.

    Examples
    --------
    >>> import fastmlp as fm
    >>> x, y, z = fm.Input(1, "x"), fm.Input(1, "y"), fm.Input(1, "z")
    >>> graph = fm.Graph([x, y, z], (x + y) * z)
    >>> _ = graph.forward({"x": [[-2.0]], "y": [[5.0]], "z": [[-4.0]]}, keep=True)
    >>> _ = graph.backward([[1.0]])
    >>> "-12.00" in draw(graph)
    True
    >>> draw(graph, "circuit.svg")
    """
    ending = ".svg" if path is None else _ending(path)
    diagram = Diagram.of(net, validation.flag(values, "values"))
    picture = _picture(diagram, ending)
    if path is None:
        return picture.decode("utf-8")
    write_atomically(path, [picture])
    return None


def _ending(path: str | os.PathLike[str]) -> str:
    name = validation.path(path)
    ending = PurePath(name).suffix.lower()
    if ending not in _ENDINGS:
        raise ArgumentError(f"path: got {name!r}; want a name that ends in .svg or .png")
    return ending


def _picture(diagram: Diagram, ending: str) -> bytes:
    """Return the contents of the file."""
    made = dot.picture(diagram, ending)
    if made is not None:
        return made
    scene = layout.place(diagram)
    return render.svg(scene) if ending == ".svg" else render.png(scene)


def html(net: Network) -> str:
    """Return HTML that shows a network in a notebook: a drawing, and the table of its layers.

    Networks of more than 40 layers have no drawing.

    Examples
    --------
    >>> import fastmlp as fm
    >>> "<svg" in html(fm.Sequential(fm.Linear(2, 1)))
    True
    """
    kind = f"<b>{type(net).__name__}</b>, {net.n_parameters:,} parameters, {net.dtype}"
    picture = f'<div style="overflow-x: auto">{draw(net)}</div>' if len(net) <= _MOST_DRAWN else ""
    table = f"<pre>{escape(net.summary())}</pre>"
    folded = f"<details><summary>{kind}</summary>{table}</details>"
    return f"<div>{picture}{folded}</div>"
