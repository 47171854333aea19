"""The description of a parameter array: everything but its numbers."""

from __future__ import annotations

from typing import NamedTuple


class ParameterArray(NamedTuple):
    """One parameter array: its layer, name and role, its place in the flat array of parameters,
    and whether it is trained."""

    layer: str
    name: str
    role: str
    start: int
    stop: int
    trainable: bool
