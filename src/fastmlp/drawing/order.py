"""Ranks, order and heights of a layered drawing (Sugiyama, Tagawa and Toda, 1981).

A *slot* takes room in a column: it is a box, or the bend of an edge that passes the column.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fastmlp.drawing.diagram import Diagram

_SWEEPS = 12
PORT = 36.0  # room that an edge needs where it enters a box: a line above it, one below


@dataclass
class Slot:
    """A slot in the column ``rank``; ``y`` is the height of its middle."""

    rank: int
    height: float
    y: float = 0.0


@dataclass(frozen=True)
class Link:
    """Part of an edge between adjacent columns; ``port`` is the height of its end in the slot."""

    tail: Slot
    head: Slot
    port: float


def ranks(diagram: Diagram) -> list[int]:
    """Return the column of each box: its longest path from the inputs."""
    found: list[int] = []
    for k in range(len(diagram.boxes)):
        found.append(max((1 + found[e.tail] for e in diagram.edges if e.head == k), default=0))
    for k, box in enumerate(diagram.boxes):
        # A parameter has no inputs: put it in the column before its first reader.
        if box.kind == "node" and not any(edge.head == k for edge in diagram.edges):
            found[k] = min(found[edge.head] for edge in diagram.edges if edge.tail == k) - 1
    return found


def arrange(columns: list[list[Slot]], links: Sequence[Link], gap: float) -> None:
    """Order the slots of each column so that few links cross, and set their heights."""
    adjacency = _Adjacency(links)
    best, fewest = [list(column) for column in columns], _crossings(columns, links)
    for sweep in range(_SWEEPS):
        _sort(columns, adjacency, forwards=sweep % 2 == 0)
        count = _crossings(columns, links)
        if count < fewest:
            best, fewest = [list(column) for column in columns], count
    columns[:] = best
    for column in columns:
        _spread(column, [0.0] * len(column), gap)
    for sweep in range(2 * _SWEEPS):
        sides = (sweep % 2 == 0, sweep % 2 == 1) if sweep < _SWEEPS else (True, True)
        for column in columns if sweep % 2 == 0 else reversed(columns):
            _spread(column, [adjacency.height(slot, *sides) for slot in column], gap)


class _Adjacency:
    """Links by the slots at their ends."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._into: dict[int, list[Link]] = {}
        self._out: dict[int, list[Link]] = {}
        for link in links:
            self._into.setdefault(id(link.head), []).append(link)
            self._out.setdefault(id(link.tail), []).append(link)

    def barycentre(self, slot: Slot, places: dict[int, float], forwards: bool) -> float:
        """Return the mean position of the adjacent slots on one side; without any, its own."""
        if forwards:
            found = [places[id(link.tail)] for link in self._into.get(id(slot), ())]
        else:
            found = [_end(link, places) for link in self._out.get(id(slot), ())]
        return sum(found) / len(found) if found else places[id(slot)]

    def height(self, slot: Slot, left: bool, right: bool) -> float:
        """Return the height at which the links on these sides are straight, on average."""
        found = [link.tail.y - link.port for link in self._into.get(id(slot), ()) if left]
        found += [link.head.y + link.port for link in self._out.get(id(slot), ()) if right]
        return sum(found) / len(found) if found else slot.y


def _end(link: Link, places: dict[int, float]) -> float:
    return places[id(link.head)] + link.port / (link.head.height + PORT)


def _places(columns: Iterable[Sequence[Slot]]) -> dict[int, float]:
    return {id(slot): float(k) for column in columns for k, slot in enumerate(column)}


def _sort(columns: list[list[Slot]], adjacency: _Adjacency, forwards: bool) -> None:
    places = _places(columns)
    for column in columns if forwards else reversed(columns):
        # Compute the keys first: sorting changes the positions.
        keys = {id(s): adjacency.barycentre(s, places, forwards) for s in column}
        column.sort(key=lambda slot, keys=keys: keys[id(slot)])  # type: ignore[misc]
        places.update(_places([column]))


def _crossings(columns: Sequence[Sequence[Slot]], links: Iterable[Link]) -> int:
    """Count pairs of links that cross: inversions between their order at both ends."""
    places = _places(columns)
    gaps: dict[int, list[tuple[float, float]]] = {}
    for link in links:
        gaps.setdefault(link.head.rank, []).append((places[id(link.tail)], _end(link, places)))
    count = 0
    for pairs in gaps.values():
        seen: list[float] = []
        for _, end in sorted(pairs):
            count += len(seen) - bisect_right(seen, end)
            insort(seen, end)
    return count


def _spread(column: Sequence[Slot], wanted: Sequence[float], gap: float) -> None:
    """Set the heights closest to the wanted ones, in least squares, with order and distances.

    Up to the distances this is isotonic regression, by pooling adjacent violators.
    """
    offsets, pools = [0.0], list[tuple[float, int]]()
    for above, below in pairwise(column):
        offsets.append(offsets[-1] + (above.height + below.height) / 2 + gap)
    for y, offset in zip(wanted, offsets, strict=False):
        mean, size = y - offset, 1
        while pools and pools[-1][0] > mean:
            other, count = pools.pop()
            mean, size = (mean * size + other * count) / (size + count), size + count
        pools.append((mean, size))
    fitted = [mean for mean, size in pools for _ in range(size)]
    for slot, y, offset in zip(column, fitted, offsets, strict=False):
        slot.y = y + offset
