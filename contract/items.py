"""The items of the contract, by the names they are called with."""

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
    "sanitizers",
    "fuzzing",
    "quota",
    "free_threading",
    "coverage",
    "mutants",
)
# Coverage takes the whole suite, and has no quick share.
QUICK = tuple(name for name in NAMES if name != "coverage")
# Items whose quick shares build the core or its test programs; the other part of fuzzing does not.
BUILDING = ("functions", "sanitizers", "fuzzing", "mutants")


class Item(Protocol):
    """A module of an item."""

    TITLE: str

    def run(self, scale: Scale) -> list[Figure]:
        """Measure all figures."""


def load(name: str) -> Item:
    """The item's module."""
    return cast(Item, importlib.import_module(f"contract.{name}"))
