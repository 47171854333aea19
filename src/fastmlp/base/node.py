"""How a layer describes a node to the core."""

from __future__ import annotations

from typing import Any, NamedTuple


class Node(NamedTuple):
    """One operation of a network, with the sources that it reads.

    ``op`` is a name of the core's ``ops.def``. Source ``-1 - k`` is the network's input ``k``.
    ``fan_in`` is the width of each source, or of all together where the operation says so. What
    ``kind``, ``params``, ``sizes``, ``bias`` and ``indices`` mean is the operation's own business.
    Where ``index_end`` is not 0, the sources hold whole numbers below it.
    """

    op: str
    sources: tuple[int, ...]
    fan_in: int
    fan_out: int
    kind: int = 0
    params: tuple[float, ...] = ()
    sizes: tuple[int, ...] = ()
    bias: bool = False
    runner: Any = None  # the object that computes a node written by the user
    index_end: int = 0
    indices: Any = None  # whole numbers, an int64 array (n,)
