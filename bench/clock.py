"""The clock that pytest-benchmark reads."""

from __future__ import annotations


class WorkersClock:
    """A clock that advances only by the seconds that workers measured."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


CLOCK = WorkersClock()
