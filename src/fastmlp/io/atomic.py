"""Atomic file replacement: after a crash at any moment, the old file or the new one is there."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from io import BufferedWriter
from pathlib import Path
from typing import Any

from fastmlp.base import validation

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

Chunk = Any  # whatever supports the buffer protocol; typing.Buffer needs Python 3.12


def write_atomically(path: str | os.PathLike[str], chunks: Iterable[Chunk]) -> None:
    """Write `chunks` to a temporary file beside `path`, then rename it to `path`.

    The data reaches the disk before the rename and the rename before the return, so no reader and
    no power cut ever sees half a file. An existing file keeps its permission bits, a symbolic link
    keeps pointing at the file it names. A failure removes the temporary file; where the process is
    killed, the next write to the same path does (on POSIX).

    Parameters
    ----------
    path : str or path-like
        File to create or to replace. Its directory must exist.
    chunks : iterable of bytes-like
        The contents in order; C-contiguous arrays are written without a copy.

    Raises
    ------
    ArgumentTypeError, ArgumentError
        `path` is no path.
    OSError
        The directory is missing or not writable, or the disk is full; it names ``path``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(f"{folder}/greeting.txt", [b"hello, ", b"world"])
    ...     Path(folder, "greeting.txt").read_text()
    'hello, world'
    """
    name = validation.path(path)
    target = Path(os.path.realpath(name))
    try:
        _remove_abandoned(target)
        while not _replace(target, chunks):
            pass
        _sync_directory(target.parent)
    except OSError as error:
        # Writing knows no name, and opening the temporary file's alone.
        raise OSError(error.errno, error.strerror, name) from error


def _replace(target: Path, chunks: Iterable[Chunk]) -> bool:
    """Write a temporary file and rename it; False if another saver has taken it away before."""
    # An interrupt may come when the file exists and nothing refers to it: its name is known before.
    temporary = target.with_name(f"{_prefix(target)}{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            # Locked until it has its name, or others would remove it.
            _lock(file.fileno())
            if os.fstat(file.fileno()).st_nlink == 0:
                return False
            _fill(file, chunks)
            _copy_mode(target, temporary)
            if fcntl is None:
                file.close()  # Windows renames no open file
            os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    return True


def _prefix(target: Path) -> str:
    # File systems allow names of 255 bytes.
    return f".{os.fsdecode(os.fsencode(target.name)[:200])}."


def _lock(descriptor: int) -> None:
    if fcntl is not None:
        # A file system without locks: what others cannot lock either, they leave alone.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _remove_abandoned(target: Path) -> None:
    """Remove temporary files for this target whose writers were killed.

    The kernel drops a writer's lock when the writer ends, however it ends, so a file that can be
    locked is nobody's. Links, files of other users and other names are left alone.
    """
    if fcntl is None:
        return
    name = re.compile(re.escape(_prefix(target)) + r"[0-9a-f]{16}\.tmp")
    with suppress(OSError), os.scandir(target.parent) as entries:
        for path in [entry.path for entry in entries if name.fullmatch(entry.name)]:
            with suppress(OSError):
                _remove_if_abandoned(path)


def _remove_if_abandoned(path: str) -> None:
    # A link is not followed, a pipe not waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
    finally:
        os.close(descriptor)


def _fill(file: BufferedWriter, chunks: Iterable[Chunk]) -> None:
    for chunk in chunks:
        file.write(chunk)
    file.flush()
    os.fsync(file.fileno())


def _copy_mode(source: Path, destination: Path) -> None:
    with suppress(FileNotFoundError):
        os.chmod(destination, stat.S_IMODE(source.stat().st_mode))


def _sync_directory(directory: Path) -> None:
    """Make the rename itself durable. Only POSIX lets a directory be opened for that."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
