"""The registry of contestants. A new one needs one row here and one small class.

A row names the class by its module, which only the process of the contestant imports.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import NamedTuple

from bench.contestants.base import Contestant


class Row(NamedTuple):
    """The module and class of a contestant, and the packages that it needs."""

    name: str
    place: str
    packages: tuple[str, ...]
    kinds: tuple[str, ...] = ("train", "predict")
    quick: bool = True  # part of a quick run
    groups: tuple[str, ...] = ("core", "more")

    def missing(self) -> str:
        """The reason why it cannot run here; empty if it can."""
        absent = [name for name in self.packages if importlib.util.find_spec(name) is None]
        return f"not installed: {', '.join(absent)}" if absent else ""

    def load(self) -> type[Contestant]:
        module, _, name = self.place.partition(":")
        return getattr(importlib.import_module(module), name)


OURS = "fastmlp"
_HERE = "bench.contestants"
CONTESTANTS: dict[str, Row] = {
    row.name: row
    for row in (
        Row(OURS, f"{_HERE}.ours:FastMLP", ("fastmlp",)),
        Row("torch", f"{_HERE}.pytorch:Eager", ("torch",)),
        Row(
            "torch.compile", f"{_HERE}.pytorch:Compiled", ("torch",), quick=False, groups=("core",)
        ),
        Row("jax", f"{_HERE}.jaxjit:Jax", ("jax",)),
        Row("numpy", f"{_HERE}.byhand:ByHand", ("numpy",)),
        Row("scikit-learn", f"{_HERE}.scikit:Scikit", ("sklearn",)),
        Row("onnxruntime", f"{_HERE}.onnxrt:OnnxRuntime", ("onnxruntime", "onnx"), ("predict",)),
    )
}
