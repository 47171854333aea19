"""The items of the contract, by name."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from contract.figures import Figure, Scale

NAMES = (
    "bits",
    "functions",
    "products",
    "bad_input",
    "memory",
    "processes",
    "interruption",
    "streams",
    "sanitizers",
    "fuzzing",
    "quota",
    "free_threading",
    "coverage",
    "mutants",
)
# Coverage runs the whole suite and has no quick part.
QUICK = tuple(name for name in NAMES if name != "coverage")
# Items whose quick parts build the core or its test programs; in fuzzing, a part does.
BUILDING = ("functions", "sanitizers", "fuzzing", "mutants")


class Item(Protocol):
    """The module of an item."""

    TITLE: str

    def run(self, scale: Scale) -> list[Figure]:
        """Measure all figures."""


def load(name: str) -> Item:
    """The item's module."""
    return cast(Item, importlib.import_module(f"contract.{name}"))
