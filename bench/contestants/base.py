"""The interface of a contestant."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from bench.problems import Array, Problem


class Unsupported(Exception):
    """The library cannot run the cell; the message gives the reason."""


class Contestant(ABC):
    """One library on one problem, with the number of threads of its process.

    ``call`` makes one training step or one prediction. Only this call is timed, so a subclass sets
    it to the cheapest callable there is. Everything that a user does once (compiling, moving data,
    allocating) belongs into ``__init__``.
    """

    problem: Problem
    call: Callable[[], object]
    # Whether its dropout masks are those of the reference; if not, the comparison runs without
    # dropout.
    reference_masks: ClassVar[bool] = False

    @abstractmethod
    def __init__(self, problem: Problem, threads: int) -> None: ...

    def reset(self) -> None:  # noqa: B027 - what only predicts has nothing to go back to
        """Restore the first weights and a fresh optimizer (training only)."""

    def sync(self) -> None:  # noqa: B027 - only asynchronous libraries have to wait
        """Wait until all calls have finished."""

    def params(self) -> list[Array]:
        """The present W (fan_in, fan_out) and b of each layer."""
        raise NotImplementedError

    def output(self) -> Array:
        """Scores (batch, out) of a prediction."""
        raise NotImplementedError
