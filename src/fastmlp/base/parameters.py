"""What is known of each array of parameters, apart from its numbers."""

from __future__ import annotations

from typing import NamedTuple

# Arrays of the layers by their names; all others have the role "free".
ROLES = {"W": "weight", "b": "bias", "gamma": "gain", "beta": "shift"}


class ParameterArray(NamedTuple):
    """One array: whose it is, what it is for, where it lies in the flat array, if it is trained."""

    layer: str
    name: str
    role: str
    start: int
    stop: int
    trainable: bool
