"""What reads what in a network, for drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fastmlp.layers.symbol import Symbol


class Structure(NamedTuple):
    """The symbols of a network: inputs and outputs by name, the others in the order of the run.

    ``names`` has the name of each input and each layer, by the id of its symbol.
    """

    inputs: Mapping[str, Symbol]
    order: Sequence[Symbol]
    outputs: Mapping[str, Symbol]
    names: Mapping[int, str]
