"""Tests of saves: a file is replaced by another content, in two ways of saving.

``python -m contract.interruption_writes`` runs one of the two tests.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import fastmlp as fm
from fastmlp.io import checkpoint

SIZES = {"2 kB": 20, "1 MB": 500, "8 MB": 1400}
MANY = 10**6
HAPPENED = -1  # set instead of the number of calls left


@dataclass
class Target:
    """A file in a separate folder, with the old network; a save replaces it with the new one."""

    path: Path
    save: Callable[[str], None]
    hashes: dict[str, str]

    @staticmethod
    def make(folder: Path, size: str, is_checkpoint: bool) -> Target:
        """Two networks of the same shape with different weights."""
        width = SIZES[size]
        trainers = {}
        for seed, name in enumerate(("old", "new")):
            net = fm.Sequential(fm.Linear(width, width), seed=seed)
            trainers[name] = fm.Trainer(net, fm.MSELoss(), fm.SGD(momentum=0.9))
        path = folder / f"{size} {is_checkpoint}" / "file"
        path.parent.mkdir()

        def save(name: str) -> None:
            trainer = trainers[name]
            if is_checkpoint:
                checkpoint.save(path, trainer.net, {"trainer": trainer.state_dict()})
            else:
                trainer.net.save(path)

        target = Target(path, save, {})
        for name in ("new", "old"):
            save(name)
            target.hashes[name] = target.digest()
        return target

    def digest(self) -> str:
        """The hash of the present file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def which(self) -> str:
        """Old, new or torn, by its hash; old and new files must load."""
        digest = self.digest()
        for name, known in self.hashes.items():
            if digest == known:
                fm.load(self.path)
                return name
        return "torn"

    def left_over(self) -> list[str]:
        """Other files in the folder."""
        return [other.name for other in self.path.parent.iterdir() if other != self.path]


def _targets(folder: Path, sizes: int) -> list[Target]:
    """Files of some of the sizes, smallest first."""
    chosen = list(SIZES)[:sizes]
    return [Target.make(folder, size, kind) for size in chosen for kind in (False, True)]


# ---- kills ----


def kills(folder: Path, count: int, sizes: int) -> dict[str, Any]:
    """Kill saving processes at moments spread over the whole save."""
    rng = random.Random(3)
    outcomes: Counter[str] = Counter()
    targets = _targets(folder, sizes)
    lengths = [_seconds(target) for target in targets]
    for k in range(count):
        target, length = targets[k % len(targets)], lengths[k % len(targets)]
        outcomes[_kill(target, rng.uniform(0.0, 1.3 * length))] += 1
        outcomes["with a temporary file"] += bool(target.left_over())
        target.save("old")
        outcomes["left over by the next save"] += len(target.left_over())
        for name in target.left_over():
            (target.path.parent / name).unlink()
    return dict(outcomes)


def _seconds(target: Target) -> float:
    start = time.perf_counter()
    for name in ("new", "old"):
        target.save(name)
    return (time.perf_counter() - start) / 2


def _kill(target: Target, seconds: float) -> str:
    """Let a child process save, and kill it; return the state of the file."""
    started, starts = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(starts, b"!")
        target.save("new")
        signal.pause()
    os.read(started, 1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(started)
    os.close(starts)
    return target.which()


# ---- errors ----


class Calls:
    """Failures of system calls on files, with the library from interruption_files.c.

    The ``nth`` call in a block fails with error ``number``. With ``cut``, the ``nth`` write is a
    short one, and the next call fails, unless the number is 0.
    """

    def __init__(self) -> None:
        self._fail = ctypes.CDLL(None).contract_fail_file
        self._fail.argtypes, self._fail.restype = [ctypes.c_int] * 3, ctypes.c_int

    @contextmanager
    def failing(self, nth: int, number: int, cut: bool) -> Iterator[None]:
        """Make the ``nth`` call fail; RuntimeError if the block makes fewer calls."""
        self._fail(nth, number, cut)
        try:
            yield
        finally:
            if self._fail(0, 0, 0) != HAPPENED:
                raise RuntimeError(f"there was no call {nth} to fail")

    def of(self, target: Target, cut: bool) -> int:
        """The number of calls of a save, or of its writes."""
        self._fail(MANY, 0, cut)
        target.save("old")
        return MANY - self._fail(0, 0, 0)


@dataclass(frozen=True)
class Way:
    """A way to make saves of a target fail."""

    name: str
    target: Target
    number: int
    failing: Callable[[], Any]


def errors(folder: Path, count: int, sizes: int, has_library: bool) -> dict[str, Any]:
    """Make saves fail in ``count`` ways, drawn from all; 0: in all ways."""
    ways = []
    for target in _targets(folder, sizes):
        ways += [*_limits(target), *(_by_library(target) if has_library else _by_patches(target))]
    random.Random(5).shuffle(ways)
    done: Counter[str] = Counter()
    wrong: list[str] = []
    for way in ways[: count or None]:
        done[way.name] += 1
        wrong += [f"{way.name}, {way.target.path.parent.name}: {what}" for what in _one_error(way)]
    return {"ways": dict(done), "wrong": wrong}


def _limits(target: Target) -> Iterator[Way]:
    """Limit the size of files: a short write, then an error."""
    for k in range(8):
        size = int((k + 0.5) / 8 * target.path.stat().st_size)
        yield Way("limit of size", target, errno.EFBIG, partial(_limited, size))


@contextmanager
def _limited(size: int) -> Iterator[None]:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def _by_library(target: Target) -> Iterator[Way]:
    """Each call on files of a save, with each error."""
    calls = Calls()
    for cut, numbers in ((False, (errno.ENOSPC, errno.EIO)), (True, (errno.ENOSPC, errno.EIO, 0))):
        for nth, number in product(range(1, calls.of(target, cut) + 1), numbers):
            name = errno.errorcode.get(number, "nothing")
            name += " after a short write" if cut else ""
            yield Way(name, target, number, partial(calls.failing, nth, number, cut))


def _by_patches(target: Target) -> Iterator[Way]:
    """Patches of Python's functions, if no library can be built."""
    for function in ("open", "fsync", "replace", "chmod"):
        for number in (errno.ENOSPC, errno.EIO):
            name = f"{errno.errorcode[number]} of os.{function}"
            yield Way(name, target, number, partial(_patched, function, number))


def _patched(function: str, number: int) -> Any:
    def fails(first: Any, *others: Any) -> None:
        named = [first] if isinstance(first, (str, os.PathLike)) else []
        raise OSError(number, os.strerror(number), *named)

    return mock.patch.object(os, function, fails)


def _one_error(way: Way) -> list[str]:
    """Save during the failure; return the faults found afterwards."""
    target, wrong = way.target, []
    caught: OSError | None = None
    with way.failing():
        try:
            target.save("new")
        except OSError as error:
            caught = error
    state = target.which()
    if state == "torn" or (caught is None and state == "old"):
        wrong.append(f"the file is {state}")
    if caught is not None and caught.errno != way.number:  # 0: the save completes it
        wrong.append(f"{caught!r}")
    if caught is not None and str(target.path) not in str(caught):
        wrong.append(f"{caught} does not name the path")
    wrong += [f"left {name}" for name in target.left_over()]
    for name in target.left_over():
        (target.path.parent / name).unlink()
    target.save("old")
    if target.which() != "old":
        wrong.append("the next save did not work")
    return wrong


if __name__ == "__main__":
    test, place, tries, sizes, *library = sys.argv[1:]
    if test == "kills":
        result = kills(Path(place), int(tries), int(sizes))
    else:
        result = errors(Path(place), int(tries), int(sizes), bool(library))
    print(json.dumps(result))
