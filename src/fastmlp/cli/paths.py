"""Paths that are to be written."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def check_folder(path: Path) -> None:
    """Refuse a file that is to be written where none can be, before time goes into its contents.

    Raises
    ------
    OSError
        The folder is missing, or nothing may be written there.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such directory", str(folder))
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, "directory is not writable", str(folder))
