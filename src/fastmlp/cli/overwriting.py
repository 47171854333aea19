"""Whether a file may be replaced by a new model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.io import ModelFileError
from fastmlp.io.networks import read_networks_metadata
from fastmlp.tabular.streaming.table import StreamedTable

if TYPE_CHECKING:
    from fastmlp.tabular.table import Table

DATA_KEY = "data fingerprint"
BLOCK = 1 << 20  # bytes


def check_replacing(path: Path, fingerprint: str) -> None:
    """Refuse to replace a file, unless it holds a model of the same data and target.

    Raises
    ------
    ArgumentError
        The message says what the file holds.
    """
    if not path.exists():
        return
    try:
        metadata = read_networks_metadata(path)
    except (ModelFileError, OSError):
        raise ArgumentError(
            f"{path} exists and is no model of a table: name another --output, or give --force"
        ) from None
    if metadata.get(DATA_KEY) != fingerprint:
        what = metadata.get("data", "other data")
        raise ArgumentError(
            f"{path} holds a model of other data or another target ({what}): name another "
            "--output, or give --force"
        )


def fingerprint_of(table: Table, paths: Sequence[str]) -> str:
    """Return a hash of a table's data and target.

    Parameters
    ----------
    table : Table
    paths : sequence of str
        The files that it was read from. If they are all regular files, their bytes count, so that
        other options of reading do not make other data.
    """
    import hashlib

    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((table.target_name, table.task)).encode())
    if isinstance(table, StreamedTable):
        # A sample of the rows tells it, because reading all of them takes long.
        digest.update(repr(table.files.bytes).encode())
        _add_cells(digest, table)
    elif paths and all(Path(path).is_file() for path in paths):
        for path in paths:
            with open(path, "rb") as file:
                while block := file.read(BLOCK):
                    digest.update(block)
    else:
        _add_cells(digest, table)
    return digest.hexdigest()


def _add_cells(digest: Any, table: Table) -> None:
    import pyarrow as pa

    digest.update(repr((table.classes, table.frame.names)).encode())
    digest.update(np.ascontiguousarray(table.y))
    for name in table.frame.names:
        batch = pa.record_batch([table.frame.column(name)], names=["column"])
        digest.update(batch.serialize())
