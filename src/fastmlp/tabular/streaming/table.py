"""A table to learn from that stays in its files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastmlp.tabular.reading import ReadOptions, TableError
from fastmlp.tabular.reading.sources import PARQUET_SUFFIXES, STANDARD_INPUT, expanded
from fastmlp.tabular.streaming.memory import checked_memory, default_memory, needed_memory
from fastmlp.tabular.streaming.parquet_files import ParquetFiles
from fastmlp.tabular.streaming.pieces import TableFiles
from fastmlp.tabular.streaming.targets import TargetReader
from fastmlp.tabular.streaming.text_files import TextFiles
from fastmlp.tabular.table import Table, hints_of, target_name
from fastmlp.tabular.target import Task

LARGEST_SAMPLE = 1 << 25  # bytes
SHARE_OF_SAMPLE = 24  # of the memory, at most one part in so many


@dataclass(frozen=True)
class StreamedTable(Table):
    """A table in files that are read in pieces.

    `frame` and `y` are those of a sample of its rows, by which the columns are judged.

    Attributes
    ----------
    files : TableFiles
    memory : int
        Bytes that a training may take.
    rows : int
        Number of rows; an estimate for text files.
    reader : TargetReader
    """

    files: TableFiles = field(kw_only=True, repr=False)
    memory: int = field(kw_only=True)
    rows: int = field(kw_only=True)
    reader: TargetReader = field(kw_only=True, repr=False)

    def __str__(self) -> str:
        what = f"{len(self.classes)} classes" if self.classes else "numbers"
        return (
            f"about {self.rows:,} rows in files of {self.files.bytes / 1e9:.3g} GB, read in pieces "
            f"(they do not fit into {self.memory / 1e9:.3g} GB), {len(self.frame.names)} columns; "
            f"{self.target_name} ({what}): {self.task}"
        )


def streamed_table(
    table: Any, target: str | None, task: Task | None, name: str, options: ReadOptions, memory: Any
) -> StreamedTable | None:
    """Return a table that does not fit into memory; None if it does, or is no file.

    Raises
    ------
    TableError
        As `load_table`.
    """
    told = checked_memory(memory)
    paths = _paths(table)
    most = told or default_memory()
    if paths is None or most is None or needed_memory(paths) <= most:
        return None
    return open_table(paths, target, task, name, options, most)


def open_table(
    paths: Sequence[Path], target: str | None, task: Task | None, name: str, options: ReadOptions,
    memory: int,
) -> StreamedTable:  # fmt: skip
    """Open files as a table that is read in pieces, see `load_table`."""
    files = _opened(paths, options)
    most = min(LARGEST_SAMPLE, memory // SHARE_OF_SAMPLE)
    sample = files.sample(most)
    rows = files.count_rows(sample, most)
    target = target_name(sample, target)
    sample.check_options(options)
    reader = TargetReader(sample, target, task, hints_of(options, sample))
    frame = sample.drop([target, *options.drop, *options.keep])
    if len(reader.sample_rows) < len(sample):
        frame = frame.take(reader.sample_rows)
    return StreamedTable(
        name, frame, reader.sample_y, target, reader.sample_classes, None,
        (*sample.notes, *reader.notes), options, files=files, memory=memory, rows=rows,
        reader=reader,
    )  # fmt: skip


def _paths(table: Any) -> list[Path] | None:
    """Return the files that a table is in, if it is in files that can be read twice."""
    several = table if isinstance(table, (list, tuple)) else [table]
    if not several or not all(isinstance(path, (str, os.PathLike)) for path in several):
        return None
    if any(str(path) == STANDARD_INPUT for path in several):
        return None
    found = expanded([Path(path) for path in several])
    return found if all(path.exists() for path in found) else None


def _opened(paths: Sequence[Path], options: ReadOptions) -> TableFiles:
    parquet = [path.is_dir() or path.name.lower().endswith(PARQUET_SUFFIXES) for path in paths]
    if all(parquet):
        return ParquetFiles(paths)
    if any(parquet):
        raise TableError("the files do not fit into memory, and are of several formats: want one")
    packed = [path for path in paths if path.name.lower().endswith(".zip")]
    if packed:
        raise TableError(f"{packed[0]} does not fit into memory: unpack it first")
    return TextFiles(paths, options)
