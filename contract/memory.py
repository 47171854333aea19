"""Requests for memory that fail, and memory that is not freed."""

from __future__ import annotations

from contract import memory_leaks, memory_sweeps
from contract.figures import Figure, Scale

TITLE = "Memory: failures of any request, and leaks"


def run(scale: Scale) -> list[Figure]:
    """Failures at three levels, then the leak test."""
    return memory_sweeps.run(scale) + memory_leaks.run(scale)
