"""The process of one contestant: builds it, returns its results, and times it.

`bench.pool` starts it. Both exchange pickled (command, arguments) frames over its standard streams.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
import traceback
from typing import Any, BinaryIO

from bench.contestants import CONTESTANTS
from bench.contestants.base import Contestant, Unsupported
from bench.problems import CHECK_STEPS, Array, Problem

# Before each timed block, so that pools are awake and caches are warm; at least one call.
WARM_SECONDS = 2e-3


class Server:
    """Holds contestants in slots and runs the commands in the frames."""

    def __init__(self, kind: type[Contestant], threads: int) -> None:
        self.kind, self.threads = kind, threads
        self.slots: dict[int, Contestant] = {}

    def setup(self, slot: int, problem: Problem) -> None:
        """Build the contestant that will be timed."""
        self.slots[slot] = self.kind(problem, self.threads)

    def result(self, problem: Problem) -> list[Array]:
        """The results of another contestant, built for this problem, for the check."""
        return result_of(self.kind(problem, self.threads))

    def result_in(self, slot: int) -> list[Array]:
        """The results of the timed contestant, for the check."""
        return result_of(self.slots[slot])

    def has_reference_masks(self) -> bool:
        return self.kind.reference_masks

    def seconds(self, slot: int, calls: int) -> float:
        """Seconds for a call, over `calls` calls that start from the first weights."""
        contestant = self.slots[slot]
        if contestant.problem.cell.kind == "train":
            contestant.reset()
        until = time.perf_counter() + WARM_SECONDS
        _timed(contestant, 1)
        while time.perf_counter() < until:
            _timed(contestant, 1)
        return _timed(contestant, calls) / calls

    def drop(self, slot: int) -> None:
        self.slots.pop(slot, None)


def result_of(contestant: Contestant) -> list[Array]:
    """Parameters after some steps from the first weights, or the output of a prediction."""
    if contestant.problem.cell.kind == "predict":
        return [contestant.output()]
    contestant.reset()
    for _ in range(CHECK_STEPS):
        contestant.call()
    contestant.sync()
    return contestant.params()


def _timed(contestant: Contestant, calls: int) -> float:
    call = contestant.call
    start = time.perf_counter()
    for _ in range(calls):
        call()
    contestant.sync()
    return time.perf_counter() - start


def serve(server: Server, source: BinaryIO, target: BinaryIO) -> None:
    """Answer frames until the other side closes the stream."""
    while True:
        try:
            command, arguments = pickle.load(source)
        except EOFError:
            return
        try:
            answer: tuple[str, Any] = ("ok", getattr(server, command)(*arguments))
        except Unsupported as error:
            answer = ("unsupported", str(error))
        except Exception:
            answer = ("error", traceback.format_exc(limit=-3))
        pickle.dump(answer, target, protocol=pickle.HIGHEST_PROTOCOL)
        target.flush()


def main() -> None:
    # Libraries print to standard output, so frames get a separate stream.
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    name, threads = sys.argv[1], int(sys.argv[2])
    serve(Server(CONTESTANTS[name].load(), threads), sys.stdin.buffer, target)


if __name__ == "__main__":
    main()
