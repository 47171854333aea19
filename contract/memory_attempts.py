"""One call in which one request for memory fails, and its outcome."""

from __future__ import annotations

import pickle
import traceback
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from contract.memory_cases import Case, as_bytes, rewind, state


class Level(Protocol):
    """A place where requests for memory can be made to fail."""

    is_certain: bool  # whether `happened` is sure

    def failing(self, nth: int) -> AbstractContextManager[Any]:
        """Make the ``nth`` request in a block fail."""

    def happened(self) -> bool:
        """Whether the last block made that request."""


# Exceptions that NumPy and CPython raise for a failure inside them, and parts of their texts.
_FOREIGN = {
    SystemError: (
        "without exception set",
        "without setting an exception",
        "an exception set",
        "NULL object passed to Py_BuildValue",
    ),
    TypeError: ("not PosixPath",),
    RuntimeError: ("can't allocate read lock", "can't allocate lock"),
    pickle.PicklingError: ("import of module",),
}


def _is_foreign(error: Exception) -> bool:
    """Whether NumPy or CPython raised this error instead of MemoryError."""
    frames = traceback.extract_tb(error.__traceback__)
    text = str(error)
    ours = "fastmlp._core" in text or frames[-1].filename.endswith(".pyx")
    return not ours and any(part in text for part in _FOREIGN.get(type(error), ()))


def _module(error: Exception) -> str:
    """The module whose line raised an error, or called the C function that did."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return str(frames[-1].f_globals["__name__"])


@dataclass
class Tally:
    """Outcomes of the attempts; ``wrong`` describes each broken promise."""

    failures: int = 0
    absorbed: int = 0  # the call gave the right result all the same
    # Raised by others instead of MemoryError: count of each exception and place.
    foreign: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Subject:
    """A case, and its results without failures."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case, self.folder = case, folder
        self._begin()
        self.start = state(self.net)
        self.allowed = {self.start} | case.finished()
        self.right = self._result()

    def _begin(self) -> None:
        """Make a network without a workspace."""
        self.net = self.case.make()
        self.call = self.case.prepare(self.net, self.folder)

    def _result(self) -> Any:
        """The results of the call from the start, and the state afterwards."""
        rewind(self.net, self.start)
        return [as_bytes(self.call()), state(self.net), self._files()]

    def fail(self, level: Level, nth: int) -> tuple[Any, Exception | None]:
        """Call while the ``nth`` request fails; return the value, or None and the error."""
        self._begin()
        value = caught = None
        with level.failing(nth):
            try:
                value = self.call()
            except Exception as error:
                caught = error
        return value, caught

    def attempt(self, level: Level, nth: int, tally: Tally) -> bool:
        """Make the ``nth`` request of the call fail; False if the call makes fewer requests."""
        value, caught = self.fail(level, nth)
        if not level.happened():
            return False
        tally.failures += 1
        if caught is None:
            tally.absorbed += 1
            self._expect(as_bytes(value) == self.right[0], "a wrong result", nth, tally)
        else:
            what = f"{type(caught).__name__}: {caught}"
            foreign = _is_foreign(caught)
            if foreign:
                tally.foreign[type(caught).__name__] += 1
                tally.places[_module(caught)] += 1
            self._expect(isinstance(caught, MemoryError) or foreign, what, nth, tally)
            self._expect(state(self.net) in self.allowed, "a step half made", nth, tally)
            # A file that the call writes must not change other files.
            left = self._files().items() <= self.right[2].items()
            self._expect(left, "a file torn or left over", nth, tally)
        del value, caught
        self._expect(self._result() == self.right, "another result afterwards", nth, tally)
        return True

    def _files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def _expect(self, right: bool, what: str, nth: int, tally: Tally) -> None:
        if not right:
            tally.wrong.append(f"{self.case.name}, request {nth}: {what}")
