"""Atomic file replacement: after a crash at any moment, the old or the new file is complete."""

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

Chunk = Any  # any object with the buffer protocol; its type needs Python 3.12


def write_atomically(path: str | os.PathLike[str], chunks: Iterable[Chunk]) -> None:
    """Write `chunks` to a temporary file beside `path`, then rename it to `path`.

    The data is on disk before the rename, and the rename before the return. So neither a reader nor
    a power cut finds half a file. An existing file keeps its permission bits, and a symbolic link
    keeps its target. A failure removes the temporary file. If the process is killed, the next write
    to the same path removes it (on POSIX).

    Parameters
    ----------
    path : str or path-like
        File to create or to replace. Its directory must exist.
    chunks : iterable of bytes-like
        The contents in order; C-contiguous arrays are written without a copy.

    Raises
    ------
    ArgumentTypeError, ArgumentError
        `path` is not a path.
    OSError
        The directory is missing or not writable, or the disk is full; the error names ``path``.

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
        # The original error has no file name, or that of the temporary file.
        raise OSError(error.errno, error.strerror, name) from error


def _replace(target: Path, chunks: Iterable[Chunk]) -> bool:
    """Write a temporary file and rename it; return False if another writer has removed it."""
    # The name is chosen before the file is made, so an interrupt at any moment can remove the file.
    temporary = target.with_name(f"{_prefix(target)}{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            # Locked until the rename: other writers remove temporary files that are not locked.
            _lock(file.fileno())
            if os.fstat(file.fileno()).st_nlink == 0:
                return False
            _fill(file, chunks)
            _copy_mode(target, temporary)
            if fcntl is None:
                file.close()  # Windows cannot rename an open file
            os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    return True


def _prefix(target: Path) -> str:
    # File systems limit names to 255 bytes.
    return f".{os.fsdecode(os.fsencode(target.name)[:200])}."


def _lock(descriptor: int) -> None:
    if fcntl is not None:
        # Without locks in this file system, other writers remove nothing either.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _remove_abandoned(target: Path) -> None:
    """Remove temporary files for this target whose writers were killed.

    The kernel releases the lock of a writer when its process ends, so a file that can be locked is
    abandoned. Links, files of other users and files with other names are left alone.
    """
    if fcntl is None:
        return
    name = re.compile(re.escape(_prefix(target)) + r"[0-9a-f]{16}\.tmp")
    with suppress(OSError), os.scandir(target.parent) as entries:
        for path in [entry.path for entry in entries if name.fullmatch(entry.name)]:
            with suppress(OSError):
                _remove_if_abandoned(path)


def _remove_if_abandoned(path: str) -> None:
    # Do not follow a link, and do not wait for a pipe.
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
