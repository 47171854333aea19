"""Tables from files, data frames and dicts, as frames of columns.

Parsing is pyarrow's; what is decided here is how a file is to be parsed: its encoding, its
separator and quotes, where the names stand, and which rows are no rows of the table.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fastmlp.base.errors import ArgumentTypeError
from fastmlp.base.validation import shown
from fastmlp.tabular.reading.errors import TableError, require
from fastmlp.tabular.reading.frame import Frame, missing_names
from fastmlp.tabular.reading.memory import frame_from_memory
from fastmlp.tabular.reading.options import ReadOptions
from fastmlp.tabular.reading.sources import FORMATS, frame_from_files, is_table, stem

__all__ = [
    "FORMATS",
    "Frame",
    "ReadOptions",
    "TableError",
    "frame_of",
    "is_table",
    "missing_names",
    "require",
    "stem",
]


def frame_of(table: Any, options: ReadOptions | None = None) -> Frame:
    """Return a table as a frame; its column names are text, and all different.

    Parameters
    ----------
    table : Frame, data frame, dict of str to array_like, str, path-like, or list of paths
        A data frame of pandas, polars or pyarrow, columns by name, or files: see `ReadOptions` for
        how they are read.
    options : ReadOptions, optional

    Raises
    ------
    ArgumentTypeError
        `table` is none of these.
    TableError
        It has no rows, columns of different lengths, or two columns of one name; or a file is not
        what its name says.
    OSError
        A file is missing or may not be read.

    Examples
    --------
    >>> frame_of({"size": [1.0, 2.0], "city": ["Ghent", None]}).names
    ['size', 'city']
    """
    require("pyarrow")
    if options is not None and not isinstance(options, ReadOptions):
        raise ArgumentTypeError(f"options: got {shown(options)}; want ReadOptions")
    options = options or ReadOptions()
    if isinstance(table, Frame):
        return table
    if isinstance(table, (str, os.PathLike)):
        return frame_from_files([os.fspath(table)], options)
    paths = isinstance(table, (list, tuple)) and all(
        isinstance(path, (str, os.PathLike)) for path in table
    )
    if paths and table:
        return frame_from_files([Path(path) for path in table], options)
    return frame_from_memory(table)
