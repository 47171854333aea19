"""The plain layout, without ``dot``: columns from left to right, labels on straight lines."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from itertools import pairwise

from fastmlp.drawing.diagram import Box, Diagram, Edge, Part
from fastmlp.drawing.order import PORT, Link, Slot, arrange, ranks

NAME_SIZE, SIZE = 13.0, 11.0  # of text
_LINE = 16.0  # from one line of text to the next
_EM, _BOLD = 0.62, 1.2  # width of a character, in sizes of the text; how much wider if bold
_MARGIN, _PADDING, _GAP, _BEND = 16.0, 10.0, 18.0, 12.0
_CURVES = 52.0  # width of the zone in which edges change their height

Point = tuple[float, float]


@dataclass(frozen=True)
class Rectangle:
    """A box, by its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    box: Box


@dataclass(frozen=True)
class Text:
    """A line of text around ``x`` (or from it, on the left), its middle at the height ``y``."""

    x: float
    y: float
    part: Part
    is_name: bool = False
    centred: bool = True

    @property
    def size(self) -> float:
        return NAME_SIZE if self.is_name else SIZE


@dataclass(frozen=True)
class Arrow:
    """Where it starts, then the three further points of each cubic Bézier curve."""

    edge: Edge
    points: list[Point]


@dataclass
class Scene:
    """What is where, in pixels from the upper left; three lists, each drawn over the one before."""

    width: float = 0.0
    height: float = 0.0
    arrows: list[Arrow] = field(default_factory=list)
    rectangles: list[Rectangle] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)


def place(diagram: Diagram) -> Scene:
    """Return the positions of all parts of a diagram."""
    slots, routes = _slots(diagram)
    columns = _columns([slot for route in routes for slot, _ in route] + slots)
    links = [
        Link(tail, head, port) for route in routes for (tail, _), (head, port) in pairwise(route)
    ]
    arrange(columns, links, _GAP)
    widths = [
        max((_box_width(box) for box, slot in zip(diagram.boxes, slots, strict=True)
             if slot.rank == rank), default=0.0)
        for rank in range(len(columns))
    ]  # fmt: skip
    labels = [0.0] * len(columns)
    for edge, route in zip(diagram.edges, routes, strict=True):
        wide = 12 + max((_text_width(text, SIZE) for text, _ in edge.lines), default=0.0)
        labels[route[-1][0].rank] = max(labels[route[-1][0].rank], wide)
    lefts = [_MARGIN]
    for rank in range(1, len(columns)):
        lefts.append(lefts[-1] + widths[rank - 1] + _CURVES + labels[rank])
    top = _MARGIN - min(slot.y - slot.height / 2 for column in columns for slot in column)
    for slot in {id(slot): slot for column in columns for slot in column}.values():
        slot.y += top
    scene = Scene(lefts[-1] + widths[-1] + _MARGIN)
    for box, slot in zip(diagram.boxes, slots, strict=True):
        _add_box(scene, box, slot, lefts[slot.rank], widths[slot.rank])
    for edge, route in zip(diagram.edges, routes, strict=True):
        _add_edge(scene, edge, route, lefts, widths, labels)
    _add_legend(scene, diagram, max(s.y + s.height / 2 for column in columns for s in column))
    return scene


# The slots of an edge, each with the height of its entry, from the middle of the slot.
_Route = list[tuple[Slot, float]]


def _slots(diagram: Diagram) -> tuple[list[Slot], list[_Route]]:
    """Return a slot for each box, and the route of each edge through new slots for its bends."""
    into = [[edge for edge in diagram.edges if edge.head == k] for k in range(len(diagram.boxes))]
    slots = [
        Slot(rank, max(PORT * len(entering), _LINE * len(box.lines) + _PADDING))
        for rank, box, entering in zip(ranks(diagram), diagram.boxes, into, strict=True)
    ]
    routes = []
    for edge in diagram.edges:
        tail, head = slots[edge.tail], slots[edge.head]
        entering = into[edge.head]
        position = next(k for k, other in enumerate(entering) if other is edge)
        port = PORT * (position - (len(entering) - 1) / 2)
        bends = [(Slot(rank, _BEND), 0.0) for rank in range(tail.rank + 1, head.rank)]
        routes.append([(tail, 0.0), *bends, (head, port)])
    return slots, routes


def _columns(slots: list[Slot]) -> list[list[Slot]]:
    columns: list[list[Slot]] = [[] for _ in range(1 + max(slot.rank for slot in slots))]
    for slot in {id(slot): slot for slot in slots}.values():
        columns[slot.rank].append(slot)
    return columns


def _add_box(scene: Scene, box: Box, slot: Slot, left: float, width: float) -> None:
    scene.rectangles.append(Rectangle(left, slot.y - slot.height / 2, width, slot.height, box))
    first = slot.y - _LINE * (len(box.lines) - 1) / 2
    for k, part in enumerate(box.lines):
        scene.texts.append(Text(left + width / 2, first + _LINE * k, part, is_name=k == 0))


def _add_edge(
    scene: Scene,
    edge: Edge,
    route: _Route,
    lefts: list[float],
    widths: list[float],
    labels: list[float],
) -> None:
    """Add curves between the columns, straight lines through them, and the text at the end."""
    y = route[0][0].y
    points = [(lefts[route[0][0].rank] + widths[route[0][0].rank], y)]
    for slot, port in route[1:]:
        start, middle = points[-1][0], points[-1][0] + _CURVES / 2
        new, end = slot.y + port, start + _CURVES
        points += [(middle, y), (middle, new), (end, new)]
        y = new
        is_bend = slot is not route[-1][0]
        right = lefts[slot.rank] + (widths[slot.rank] if is_bend else 0.0)
        points += [(end, y), (right, y), (right, y)]
    scene.arrows.append(Arrow(edge, points))
    head = route[-1][0].rank
    # The arrow head takes some of the room on the right.
    x = lefts[head] - labels[head] / 2 - 3
    for part, shift in ((edge.above, -SIZE * 0.75), (edge.below, SIZE * 0.8)):
        if part is not None:
            scene.texts.append(Text(x, y + shift, part))


def _add_legend(scene: Scene, diagram: Diagram, bottom: float) -> None:
    scene.height = bottom + _MARGIN
    x = _MARGIN
    for part in diagram.legend:
        scene.texts.append(Text(x, scene.height + _LINE / 2, part, centred=False))
        x += _text_width(part[0], SIZE) + _GAP
    if diagram.legend:
        scene.height += _LINE + _MARGIN / 2
        scene.width = max(scene.width, x)


def _box_width(box: Box) -> float:
    (name, _), *rest = box.lines
    lines = [_BOLD * _text_width(name, NAME_SIZE), *(_text_width(text, SIZE) for text, _ in rest)]
    return max(lines) + 2 * _PADDING


def _text_width(text: str, size: float) -> float:
    """Return the approximate width of text; East Asian characters count twice."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return _EM * size * (len(text) + wide)
