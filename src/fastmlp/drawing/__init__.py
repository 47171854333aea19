"""Drawings of graphs, as SVG or PNG: boxes for the nodes, values and gradients on the edges.

Graphviz lays out where its program ``dot`` is installed; elsewhere a plain layout of our own does,
drawn as SVG by hand and as PNG with Matplotlib (extra ``plot``).
"""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.drawing import dot, layout, render
from fastmlp.drawing.diagram import Diagram
from fastmlp.io import write_atomically

if TYPE_CHECKING:
    from fastmlp.networks.graph import Graph

__all__ = ["draw"]

_ENDINGS = (".svg", ".png")


def draw(
    graph: Graph, path: str | os.PathLike[str] | None = None, values: bool = True
) -> str | None:
    """Draw a graph: what `Graph.draw` calls.

    Boxes are the inputs, the nodes with their layers, and, rounded, the outputs. An edge shows the
    shape of a row that runs along it, ``(N, width)``. After ``graph.forward(x, keep=True)`` it
    shows the value instead, and after ``graph.backward(dy)`` below it, in another colour, the
    gradient of the loss with respect to that value: a single number with 2 decimals, anything
    larger as shape, mean and standard deviation. The gradient of a value that several nodes read
    is the sum of what they send back, and stands in the box of the node that made it. Parameters
    are shown as they are now.

    Parameters
    ----------
    graph : Graph
    path : str or path-like, optional
        Where to write; the ending, ``.svg`` or ``.png``, decides the format.
    values : bool, default True
        Whether to show values and gradients, where the last passes kept them.

    Returns
    -------
    str or None
        The text of the SVG if `path` is None.

    Raises
    ------
    ArgumentError
        `path` has another ending.
    ArgumentTypeError
        `path` is no path, or `values` no boolean.
    MissingPackageError
        A PNG is wanted, and neither ``dot`` nor Matplotlib is installed.
    OSError
        The file cannot be written; none is left behind, and an old one is as it was.

    Warns
    -----
    RuntimeWarning
        ``dot`` is installed but failed, so that the plain layout was taken.

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
    diagram = Diagram.of(graph, validation.flag(values, "values"))
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
    """The whole file; nothing is written before it is complete."""
    made = dot.picture(diagram, ending)
    if made is not None:
        return made
    scene = layout.place(diagram)
    return render.svg(scene) if ending == ".svg" else render.png(scene)
