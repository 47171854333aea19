"""Atomic file replacement: after a crash at any moment, the old file or the new one is there."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

Chunk = Any  # whatever supports the buffer protocol; typing.Buffer needs Python 3.12


def write_atomically(path: str | os.PathLike[str], chunks: Iterable[Chunk]) -> None:
    """Write `chunks` to a temporary file beside `path`, then rename it to `path`.

    The data reaches the disk before the rename and the rename before the return, so no reader and
    no power cut ever sees half a file. An existing file keeps its permission bits, a symbolic link
    keeps pointing at the file it names. A failure removes the temporary file.

    Parameters
    ----------
    path : str or path-like
        File to create or to replace. Its directory must exist.
    chunks : iterable of bytes-like
        The contents in order; C-contiguous arrays are written without a copy.

    Raises
    ------
    OSError
        The directory is missing or not writable, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(f"{folder}/greeting.txt", [b"hello, ", b"world"])
    ...     Path(folder, "greeting.txt").read_text()
    'hello, world'
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(8)}.tmp")
    # Mode 0o666 lets the kernel apply the umask, which mkstemp's 0o600 would not.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        _fill(descriptor, chunks)
        _copy_mode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_directory(target.parent)


def _fill(descriptor: int, chunks: Iterable[Chunk]) -> None:
    with os.fdopen(descriptor, "wb") as file:
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
