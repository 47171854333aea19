"""What a contestant must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from bench.problems import Array, Problem


class Unsupported(Exception):
    """The library cannot do what the cell asks; the message says what."""


class Contestant(ABC):
    """One library on one problem, at the number of threads that its process is pinned to.

    ``call`` makes one training step or one prediction; it is what the clock sees, so a subclass
    sets it to the cheapest callable there is. Everything that a user would do once (compiling,
    moving data, allocating) belongs into ``__init__``.
    """

    problem: Problem
    call: Callable[[], object]
    # Whether dropout masks are those of the reference, so that they need not be left out of the
    # comparison.
    reference_masks: ClassVar[bool] = False

    @abstractmethod
    def __init__(self, problem: Problem, threads: int) -> None: ...

    def reset(self) -> None:  # noqa: B027 - what only predicts has nothing to go back to
        """Go back to the first weights and a fresh optimizer (training only)."""

    def sync(self) -> None:  # noqa: B027 - only asynchronous libraries have to wait
        """Wait until all calls made are done."""

    def params(self) -> list[Array]:
        """W (fan_in, fan_out) and b of each layer, as they are now."""
        raise NotImplementedError

    def output(self) -> Array:
        """Scores (batch, out) of a prediction."""
        raise NotImplementedError
