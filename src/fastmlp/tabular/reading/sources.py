"""Where tables come from: files of several formats, folders of Parquet, standard input."""

from __future__ import annotations

import errno
import glob
import gzip
import io
import os
import sys
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastmlp.base.errors import FastMLPError
from fastmlp.tabular.reading.delimited import read_delimited
from fastmlp.tabular.reading.errors import TableError
from fastmlp.tabular.reading.frame import Frame
from fastmlp.tabular.reading.memory import from_arrow
from fastmlp.tabular.reading.options import ReadOptions
from fastmlp.tabular.text import quoted

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".data")
PARQUET_SUFFIXES = (".parquet", ".pq")
FORMATS = ".csv, .tsv, .txt, .data (also .gz or .zip) or .parquet"
STANDARD_INPUT = "-"
GZIP, ZIP, PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"


def is_table(path: str | Path) -> bool:
    """Tell from its name whether a file is a table; a folder and "-" count as tables.

    Examples
    --------
    >>> is_table("a/b.csv.gz"), is_table("digits"), is_table("a.xlsx"), is_table("-")
    (True, False, False, True)
    """
    name = Path(path).name.lower().removesuffix(".gz")
    if str(path) == STANDARD_INPUT or Path(path).is_dir():
        return True
    return name.endswith((*TEXT_SUFFIXES, *PARQUET_SUFFIXES, ".zip"))


def stem(path: Path) -> str:
    """Return the file's name without the suffixes of its format.

    Examples
    --------
    >>> stem(Path("folder/houses.2020.csv.gz")), stem(Path("-"))
    ('houses.2020', 'stdin')
    """
    if str(path) == STANDARD_INPUT:
        return "stdin"
    name = path.name.removesuffix(".gz").removesuffix(".zip")
    return name.removesuffix(Path(name).suffix) if is_table(Path(name)) else Path(name).stem


def frame_from_files(paths: Sequence[str | Path], options: ReadOptions) -> Frame:
    """Read one file, or several whose rows follow each other.

    Parameters
    ----------
    paths : sequence of str or Path
        Files whose names end in one of `FORMATS`, folders of Parquet files, patterns such as
        ``"2024-*.csv"``, or ``"-"`` for standard input.
    options : ReadOptions

    Raises
    ------
    TableError
        A file is empty, holds no rows, or is not what its name says; or the columns of several
        files differ.
    OSError
        A file is missing or may not be read.
    """
    frames = [_read(path, options) for path in expanded(paths)]
    return frames[0] if len(frames) == 1 else _joined(frames, paths)


def expanded(paths: Sequence[str | Path]) -> list[Path]:
    """Return the paths, and what patterns among them match."""
    found: list[Path] = []
    for path in paths:
        matches = sorted(glob.glob(str(path))) if glob.has_magic(str(path)) else []
        exact = str(path) == STANDARD_INPUT or Path(path).exists() or not matches
        found += [Path(path)] if exact else [Path(match) for match in matches]
    if not found:
        raise TableError("no file to read")
    return found


def _joined(frames: Sequence[Frame], paths: Sequence[str | Path]) -> Frame:
    import pyarrow as pa

    first = frames[0]
    for frame in frames[1:]:
        if set(frame.names) != set(first.names):
            differ = sorted(set(frame.names) ^ set(first.names))
            raise TableError(f"the files have different columns: not all have {quoted(differ)}")
    tables = [frame.table.select(first.names) for frame in frames]
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise TableError(f"the columns of the files do not fit together: {error}") from error
    notes = [note for frame in frames for note in frame.notes]
    return Frame(table, tuple(notes), first.separator)


def _read(path: Path, options: ReadOptions) -> Frame:
    what = str(path)
    if what != STANDARD_INPUT and not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), what)
    if not is_table(path):
        raise TableError(f"{path} is no table: want a file whose name ends in {FORMATS}")
    try:
        return _read_parquet_folder(path) if path.is_dir() else _read_file(path, options)
    except FastMLPError:
        raise
    except (ValueError, EOFError, OSError, zlib.error, zipfile.BadZipFile) as error:
        # Errors of the system have a number; those of decompressors and of pyarrow have none.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        kind = _suffix(path.name)[1:] or "a table"
        raise TableError(f"{path} cannot be read as {kind}: {error}") from error


def _suffix(name: str) -> str:
    return Path(name.lower().removesuffix(".gz")).suffix


def _read_file(path: Path, options: ReadOptions) -> Frame:
    if str(path) == STANDARD_INPUT:
        return _from_bytes(sys.stdin.buffer.read(), "standard input", options)
    with open(path, "rb") as file:
        data = file.read()
    return _from_bytes(data, str(path), options)


def _from_bytes(data: bytes, what: str, options: ReadOptions) -> Frame:
    """Read a file by its first bytes, and by its name where that says more."""
    suffix = _suffix(what)
    if data.startswith(GZIP) or what.lower().endswith(".gz"):
        return _from_bytes(
            gzip.decompress(data),
            what[: -len(".gz")] if what.lower().endswith(".gz") else what,
            options,
        )
    if data.startswith(ZIP) or suffix == ".zip":
        return _read_zip(data, what, options)
    if data.startswith(PARQUET) or suffix in PARQUET_SUFFIXES:
        return _read_parquet(io.BytesIO(data), what)
    found = read_delimited(data, options, what)
    return Frame(found.table, found.notes, found.separator)


def _read_zip(data: bytes, what: str, options: ReadOptions) -> Frame:
    """Read the tables in a .zip; other files in it do not matter."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        # Archives made on a Mac hold a second file for each one.
        names = [n for n in archive.namelist() if is_table(n) and not n.startswith("__MACOSX")]
        names = [name for name in names if not name.endswith("/")]
        if not names:
            raise TableError(f"{what} holds no table: want a file in it that ends in {FORMATS}")
        frames = [_from_bytes(archive.read(name), name, options) for name in sorted(names)]
    return frames[0] if len(frames) == 1 else _joined(frames, names)


def _read_parquet(source: Any, what: str) -> Frame:
    from pyarrow import parquet

    return from_arrow(_without_index(parquet.read_table(source)), what)


def _read_parquet_folder(path: Path) -> Frame:
    """Read a folder of Parquet files, also one that is split by columns such as year=2024."""
    from pyarrow import parquet

    if not any(path.rglob("*.parquet")) and not any(path.rglob("*.pq")):
        raise IsADirectoryError(errno.EISDIR, "is a folder without Parquet files", str(path))
    return from_arrow(_without_index(parquet.read_table(path)), str(path))


def _without_index(table: Any) -> Any:
    """Leave out the row numbers that pandas may have written."""
    names = [n for n in table.column_names if n.startswith("__index_level_")]
    return table.drop_columns(names) if names else table
