"""Tables in files: CSV, TSV and Parquet, read by pandas."""

from __future__ import annotations

import errno
import gzip
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp.base.errors import FastMLPError, MissingPackageError

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = {".csv": ",;\t|", ".tsv": "\t"}  # the one most frequent in the first line counts
PARQUET = ".parquet"
FORMATS = ".csv, .tsv, .csv.gz, .tsv.gz or .parquet"
LONGEST_HEADER = 2**20
# What pandas takes as missing is empty, NA, NaN, null and their like; UCI's tables have this.
MORE_MISSING = ["?"]


class TableError(FastMLPError, ValueError):
    """A table that cannot be read, or that nothing can be learnt from."""


def is_table(path: str | Path) -> bool:
    """Tell by its name whether a file is a table.

    Examples
    --------
    >>> is_table("a/b.csv.gz"), is_table("digits"), is_table("a.xlsx")
    (True, False, False)
    """
    return _suffix(Path(path)) in {*SEPARATORS, PARQUET}


def stem(path: Path) -> str:
    """Return the file's name without what tells its format.

    Examples
    --------
    >>> stem(Path("folder/houses.2020.csv.gz"))
    'houses.2020'
    """
    name = path.name.removesuffix(".gz")
    return name[: len(name) - len(Path(name).suffix)]


def read_table(path: Path, text_names: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table; its columns have text for names, all different.

    Parameters
    ----------
    path : Path
        A file whose name ends in one of `FORMATS`.
    text_names : iterable of str
        Columns to take as text, whatever they look like: 007 is then not 7.

    Raises
    ------
    TableError
        The file is empty, holds no rows, or is not what its name says.
    OSError
        It is missing or may not be read.
    """
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    try:
        frame = _read(path, text_names)
    except FastMLPError:
        raise
    except (ValueError, EOFError, OSError, zlib.error) as error:
        # Those of the system have a number, those of decompressors and of pyarrow have none.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise TableError(f"{path} cannot be read as {_suffix(path)[1:]}: {error}") from error
    return _checked(frame, path)


def _suffix(path: Path) -> str:
    name = path.name.lower()
    if name.endswith(PARQUET):
        return PARQUET
    return Path(name.removesuffix(".gz")).suffix


def _read(path: Path, text_names: Iterable[str]) -> pd.DataFrame:
    import pandas as pd

    if _suffix(path) == PARQUET:
        try:
            return pd.read_parquet(path, engine="pyarrow")
        except ImportError as error:
            raise MissingPackageError(
                "Parquet needs pyarrow: pip install pyarrow", name="pyarrow"
            ) from error
    return pd.read_csv(
        path,
        sep=_separator(path),
        dtype=dict.fromkeys(text_names, str),
        skipinitialspace=True,
        na_values=MORE_MISSING,
        encoding="utf-8-sig",
        # In parts, one column could be numbers here and text there.
        low_memory=False,
    )


def _names_in_file(path: Path) -> pd.Index:
    """The first line as it stands: pandas gives names that occur twice others."""
    import pandas as pd

    first = pd.read_csv(
        path,
        sep=_separator(path),
        header=None,
        nrows=1,
        dtype=str,
        skipinitialspace=True,
        keep_default_na=False,
        encoding="utf-8-sig",
    )
    return pd.Index([str(name).strip() for name in first.iloc[0]])


def _separator(path: Path) -> str:
    """The separator of a file, by its first line."""
    opened: Any = gzip.open if path.name.lower().endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8-sig") as file:
        line = file.readline(LONGEST_HEADER)
    if not line.strip():
        raise TableError(
            f"{path} is empty" if not line else f"{path} has no names in its first line"
        )
    return max(SEPARATORS[_suffix(path)], key=line.count)


def _checked(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    import pandas as pd

    # Rows with a value more than there are names have made the first one an index.
    if _suffix(path) != PARQUET and not frame.index.equals(pd.RangeIndex(len(frame))):
        raise TableError(f"{path} has more values in a row than names in its first line")
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    names = frame.columns if _suffix(path) == PARQUET else _names_in_file(path)
    if not names.is_unique:
        raise TableError(f"{path} has two columns named {names[names.duplicated()][0]!r}")
    if len(frame) == 0:
        raise TableError(f"{path} has no rows")
    return frame
