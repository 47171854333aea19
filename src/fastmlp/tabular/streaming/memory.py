"""How much memory a training may take, and how much a table would take."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import shown

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
LEAST = 64 * 10**6  # bytes, with which pieces of a table can still be read
# Bytes in memory for one in the file, while a table is read, encoded and trained on; measured with
# columns of numbers, which grow most.
OF_TEXT, OF_PARQUET, OF_COMPRESSED = 4.0, 5.0, 20.0
SHARE = 0.5  # of the machine's memory, unless told


def checked_memory(memory: Any) -> int | None:
    """Return a number of bytes, or a text such as "2GB", as a number of bytes.

    Raises
    ------
    ArgumentError
        If it is none, or too few.

    Examples
    --------
    >>> checked_memory("2GB"), checked_memory("1.5 GiB")
    (2000000000, 1610612736)
    """
    if memory is None:
        return None
    wanted = 'bytes, or a text such as "2GB"'
    if isinstance(memory, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?\s*", memory.upper())
        if found is None or (found[3] and not found[2]):
            raise ArgumentError(f"memory: got {shown(memory)}; want {wanted}")
        size = int(float(found[1]) * (BINARY if found[3] else UNITS)[found[2]])
    elif isinstance(memory, (int, float)) and not isinstance(memory, bool):
        size = int(memory) if memory == memory and abs(memory) < 2**63 else 0
    else:
        raise ArgumentError(f"memory: got {shown(memory)}; want {wanted}")
    if size < LEAST:
        raise ArgumentError(f"memory: got {shown(memory)}; want at least {LEAST // 10**6}MB")
    return size


def default_memory() -> int | None:
    """Return half of the machine's memory, or None if it is not known."""
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
    return int(SHARE * pages * size) if pages > 0 and size > 0 else None


def needed_memory(paths: Sequence[Path]) -> float:
    """Estimate the bytes that a training on files takes if they are read as a whole."""
    total = 0.0
    for path in paths:
        name = path.name.lower()
        parquet = path.is_dir() or name.endswith((".parquet", ".pq"))
        if parquet:
            total += OF_PARQUET * _parquet_bytes(path)
        elif path.is_file():
            packed = name.endswith((".gz", ".zip"))
            total += (OF_COMPRESSED if packed else OF_TEXT) * path.stat().st_size
    return total


def _parquet_bytes(path: Path) -> float:
    """Bytes of the columns of Parquet files before compression."""
    import pyarrow as pa
    from pyarrow import parquet

    files = [path]
    if path.is_dir():
        files = [one for end in ("*.parquet", "*.pq") for one in path.rglob(end)]
    total = 0.0
    for one in files:
        try:
            # Encoded values are shorter than those in memory, which have eight bytes each.
            found = parquet.read_metadata(one)
            groups = range(found.num_row_groups)
            stored = sum(found.row_group(group).total_byte_size for group in groups)
            total += max(stored, 8 * found.num_rows * found.num_columns)
        except (pa.ArrowException, OSError):
            total += one.stat().st_size  # the reader says what is wrong with it
    return total
