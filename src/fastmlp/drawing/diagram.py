"""The contents of a drawing: boxes, edges and their texts, without positions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.layers.products import Parameter
from fastmlp.layers.symbol import Symbol

if TYPE_CHECKING:
    from fastmlp.networks.base import Network
    from fastmlp.networks.structure import Structure

# Okabe and Ito's palette, which colour-blind readers can tell apart.
VALUE, GRADIENT, LINE, TEXT, FAINT = "#0072B2", "#D55E00", "#4D4D4D", "#000000", "#6B6B6B"
FILLS = {"input": "#E6F1F8", "node": "#FFFFFF", "output": "#F0F0F0"}
LONGEST = 36  # characters of a name, or of a layer
FEW = 4  # numbers that are shown themselves
# What XML 1.0 cannot hold, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Part of a line of text: what it says, and its colour.
Part = tuple[str, str]


@dataclass(frozen=True)
class Box:
    """A node of the drawing; the first line is its name."""

    kind: str
    lines: tuple[Part, ...]


@dataclass(frozen=True)
class Edge:
    """An arrow between two boxes, given by index; it has one line of text above, one below."""

    tail: int
    head: int
    above: Part | None
    below: Part | None

    @property
    def lines(self) -> list[Part]:
        """The lines of text, from the top."""
        return [line for line in (self.above, self.below) if line is not None]


@dataclass(frozen=True)
class Diagram:
    """Boxes, each after those that it reads, and edges in the order in which a box reads them."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    legend: tuple[Part, ...]

    @classmethod
    def of(cls, net: Network, values: bool) -> Diagram:
        """Return a network's diagram; with ``values``, show those that the last passes kept."""
        own = net.structure()
        symbols = [*own.inputs.values(), *own.order]
        pairs = [(s, symbol) for symbol in symbols for s in symbol.sources]
        readers = [id(source) for source, _ in pairs] + [id(s) for s in own.outputs.values()]
        numbers = _Numbers(net if values else None, own)
        place = {id(symbol): k for k, symbol in enumerate(symbols)}

        def edge(source: Symbol, head: int) -> Edge:
            shown, gradient = numbers.value(source), numbers.gradient(source)
            above = (_wide(source), FAINT) if shown is None else (describe(shown), VALUE)
            single = gradient is not None and readers.count(id(source)) == 1
            below = (describe(gradient), GRADIENT) if gradient is not None and single else None
            return Edge(place[id(source)], head, above, below)

        def box(symbol: Symbol) -> Box:
            lines = [(clean(own.names[id(symbol)]), TEXT), (clean(layer_text(symbol)), FAINT)]
            gradient = numbers.gradient(symbol)
            if gradient is not None and readers.count(id(symbol)) > 1:
                lines.append((f"sum of gradients {describe(gradient)}", GRADIENT))
            return Box("input" if symbol.layer is None else "node", tuple(lines))

        boxes = [box(symbol) for symbol in symbols]
        edges = [edge(source, place[id(symbol)]) for source, symbol in pairs]
        for name, symbol in own.outputs.items():
            edges.append(edge(symbol, len(boxes)))
            boxes.append(Box("output", ((clean(name), TEXT),)))
        return cls(tuple(boxes), tuple(edges), _legend(numbers.passes, edges))


class _Numbers:
    """The values and gradients that the last passes of a network kept; none for None."""

    def __init__(self, net: Network | None, structure: Structure) -> None:
        kept = {} if net is None else net.own_engine().kept_ends
        inputs = [id(symbol) for symbol in structure.inputs.values()]
        self.passes = frozenset(kept)
        self._values = dict(zip(inputs, kept.get("values", ()), strict=False))
        self._gradients = dict(zip(inputs, kept.get("gradients", ()), strict=False))

    def value(self, symbol: Symbol) -> Array | None:
        if symbol.layer is None or "values" not in self.passes:
            return self._values.get(id(symbol))
        found: Array | None = symbol.layer.output
        return found

    def gradient(self, symbol: Symbol) -> Array | None:
        if symbol.layer is None or "gradients" not in self.passes:
            return self._gradients.get(id(symbol))
        found: Array | None = symbol.layer.grad
        return found


def _legend(passes: frozenset[str], edges: Sequence[Edge]) -> tuple[Part, ...]:
    """Return the texts that explain the colours and the numbers."""
    words = (("values", VALUE), ("gradients", GRADIENT))
    shown = tuple((text, colour) for text, colour in words if text in passes)
    several = any(text.startswith("(") for edge in edges for text, _ in edge.lines)
    note = (("(shape) mean ± standard deviation", FAINT),) if several and shown else ()
    return (*shown, *note)


def describe(array: Array) -> str:
    """Return up to four numbers with 2 decimals, or shape, mean and standard deviation of more.

    Examples
    --------
    >>> import numpy as np
    >>> describe(np.array([[-12.0]])), describe(np.array([[0.1, 0.5], [-0.3, 0.8]]))
    ('-12.00', '[0.10 0.50; -0.30 0.80]')
    >>> describe(np.array([[1.0, 3.0], [1.0, 3.0], [2.0, 2.0]]))
    '(3, 2) 2.00 ± 0.82'
    """
    if array.size == 1:
        return number(array.item())
    shape = str(array.shape)
    if array.size == 0:
        return shape
    if array.size <= FEW:
        rows = (" ".join(number(one.item()) for one in row) for row in np.atleast_2d(array))
        return f"[{'; '.join(rows)}]"
    with np.errstate(invalid="ignore", over="ignore"):
        wide = array.astype(np.float64)
        return f"{shape} {number(float(wide.mean()))} ± {number(float(wide.std()))}"


def number(value: float) -> str:
    """Return a number with 2 decimals, or with a power of ten if it is very small or large.

    Examples
    --------
    >>> number(0.7311), number(-0.0), number(1e-5), number(2.5e9)
    ('0.73', '0.00', '1.00e-05', '2.50e+09')
    """
    plain = value == 0 or 0.005 <= abs(value) < 1e6 or value != value
    return f"{value + 0.0:.2f}" if plain else f"{value:.2e}"


def clean(text: str) -> str:
    """Return text on one line, of limited length, with only characters that XML allows."""
    line = " ".join(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def layer_text(symbol: Symbol) -> str:
    """Return the layer with its arguments, shorter than its ``repr``."""
    if symbol.layer is None:
        return f"Input({_sizes(symbol.shape)})"
    if _is_parameter(symbol):
        return f"Parameter({_sizes(symbol.shape)})"
    return re.sub(r"\b(in_features|out_features)=|\(\)$", "", repr(symbol.layer))


def _is_parameter(symbol: Symbol) -> bool:
    return isinstance(symbol.layer, Parameter)


def _wide(symbol: Symbol) -> str:
    """Return the shape of a value, for an edge without numbers."""
    return _bracketed(symbol.shape) if _is_parameter(symbol) else f"(N, {_sizes(symbol.shape)})"


def _bracketed(sizes: Sequence[int]) -> str:
    return f"({_sizes(sizes)})"


def _sizes(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes))
