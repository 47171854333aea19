"""Checks of output files."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from fastmlp.base.errors import ArgumentError


def check_output(path: Path, others: Mapping[str, Path]) -> None:
    """Refuse a file that cannot be written, before its contents are computed.

    Parameters
    ----------
    path : Path
    others : mapping of str to Path
        Files that it must differ from, by what they are.

    Raises
    ------
    ArgumentError
        It is the same as one of the others.
    OSError
        It is a directory, or its folder is missing or not writable.
    """
    for what, other in others.items():
        if path.resolve() == other.resolve():
            raise ArgumentError(f"{path} must not be {what} too: name another file")
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a directory", str(path))
    folder = path.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such directory", str(folder))
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, "directory is not writable", str(folder))
