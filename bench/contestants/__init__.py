"""The registry of contestants. A new one needs one row here and one small class.

A row names the class by its module, which only the process of the contestant imports.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import NamedTuple

from bench.cells import Cell
from bench.contestants.base import Contestant


class Row(NamedTuple):
    """The module and class of a contestant, the packages that it needs, and what it runs.

    A row with ``aside`` shows another setting beside the others, such as fastmlp in float32 in a
    cell for bfloat16; it is not a peer. ``precision`` is that of its products, if it differs from
    the cell's.
    """

    name: str
    place: str
    packages: tuple[str, ...]
    kinds: tuple[str, ...] = ("train", "predict")
    quick: bool = True  # part of a quick run
    groups: tuple[str, ...] = ("core", "more", "graph")
    aside: bool = False
    precision: str = ""

    @property
    def ours(self) -> bool:
        return self.packages[0] == OURS

    def runs(self, cell: Cell) -> bool:
        return cell.kind in self.kinds and cell.group in self.groups

    def missing(self) -> str:
        """The reason why it cannot run here; empty if it can."""
        absent = [name for name in self.packages if importlib.util.find_spec(name) is None]
        return f"not installed: {', '.join(absent)}" if absent else ""

    def load(self) -> type[Contestant]:
        module, _, name = self.place.partition(":")
        return getattr(importlib.import_module(module), name)


OURS = "fastmlp"
_HERE = "bench.contestants"
_ALL = ("core", "more", "bfloat16", "frozen", "graph", "blocks")
_OURS = ("fastmlp",)
CONTESTANTS: dict[str, Row] = {
    row.name: row
    for row in (
        Row(OURS, f"{_HERE}.ours:FastMLP", _OURS, groups=_ALL),
        Row("fastmlp float32", f"{_HERE}.ours:Float32", _OURS,
            groups=("bfloat16",), aside=True, precision="float32"),
        Row("fastmlp unfrozen", f"{_HERE}.ours:Unfrozen", _OURS, groups=("frozen",), aside=True),
        Row("fastmlp bfloat16", f"{_HERE}.ours:FrozenBfloat16", _OURS,
            groups=("frozen",), aside=True, precision="bfloat16"),
        Row("fastmlp int8", f"{_HERE}.ours:FrozenInt8", _OURS,
            groups=("frozen",), aside=True, precision="int8"),
        Row("torch", f"{_HERE}.pytorch:Eager", ("torch",),
            groups=("core", "more", "bfloat16", "graph", "blocks")),
        # To compile for all other cells would take most of the run's time.
        Row("torch.compile", f"{_HERE}.pytorch:Compiled", ("torch",), quick=False,
            groups=("core", "bfloat16")),
        Row("jax", f"{_HERE}.jaxjit:Jax", ("jax",), groups=("core", "more", "bfloat16", "graph")),
        Row("numpy", f"{_HERE}.byhand:ByHand", ("numpy",)),
        Row("scikit-learn", f"{_HERE}.scikit:Scikit", ("sklearn",), groups=("core", "more")),
        Row("onnxruntime", f"{_HERE}.onnxrt:OnnxRuntime", ("onnxruntime", "onnx"), ("predict",),
            groups=("core", "more", "frozen", "graph")),
        Row("onnxruntime int8", f"{_HERE}.onnxrt:Int8", ("onnxruntime", "onnx"), ("predict",),
            groups=("frozen",), aside=True, precision="int8"),
    )
}  # fmt: skip
PEERS = [name for name, row in CONTESTANTS.items() if not row.ours and not row.aside]
