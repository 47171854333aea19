"""Tables from files (CSV, TSV and Parquet, read by pandas), data frames and dicts of columns."""

from __future__ import annotations

import csv
import errno
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from fastmlp.base.errors import ArgumentTypeError, FastMLPError, MissingPackageError
from fastmlp.base.validation import shown

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = {".csv": ",;\t|", ".tsv": "\t"}  # the most frequent one in the first line is taken
PARQUET = ".parquet"
FORMATS = ".csv, .tsv, .csv.gz, .tsv.gz or .parquet"
# pandas reads empty cells, NA, NaN, null and the like as missing. UCI's tables also use "?".
MORE_MISSING = ["?"]


class TableError(FastMLPError, ValueError):
    """A table cannot be read, or nothing can be learnt from it.

    Messages write Python arguments in backticks; the command line replaces them by its options.
    """


def is_table(path: str | Path) -> bool:
    """Tell from its name whether a file is a table.

    Examples
    --------
    >>> is_table("a/b.csv.gz"), is_table("digits"), is_table("a.xlsx")
    (True, False, False)
    """
    return _suffix(Path(path)) in {*SEPARATORS, PARQUET}


def stem(path: Path) -> str:
    """Return the file's name without the suffixes of its format.

    Examples
    --------
    >>> stem(Path("folder/houses.2020.csv.gz"))
    'houses.2020'
    """
    name = path.name.removesuffix(".gz")
    return name[: len(name) - len(Path(name).suffix)]


def require_pandas() -> None:
    """Raise an error that names the extra if pandas is not installed."""
    try:
        import pandas  # noqa: F401
    except ModuleNotFoundError as error:
        hint = 'pip install "fastmlp[tabular]"'
        raise MissingPackageError(f"tables need pandas: {hint}", name="pandas") from error


def frame_of(table: Any, text_names: Iterable[str] = ()) -> pd.DataFrame:
    """Return a table as a data frame; its column names are text, and all different.

    Parameters
    ----------
    table : pandas.DataFrame, dict of str to array_like, str or path-like
        A data frame, its columns by name, or the path of a file (see `read_table`).
    text_names : iterable of str
        Columns to read from a file as text, see `read_table`.

    Raises
    ------
    ArgumentTypeError
        `table` is none of these.
    TableError
        It has no rows, columns of different lengths, or two columns of one name; or the file is
        not what its name says.

    Examples
    --------
    >>> frame_of({"size": [1.0, 2.0], "city": ["Ghent", None]}).shape
    (2, 2)
    """
    require_pandas()
    import pandas as pd

    if isinstance(table, (str, os.PathLike)):
        return read_table(Path(table), text_names)
    if isinstance(table, Mapping):
        for name, column in table.items():
            if not pd.api.types.is_list_like(column):
                wanted = "an array with one value for each row"
                raise TableError(f"the column {name!r} is {shown(column)}; want {wanted}")
        try:
            table = pd.DataFrame(dict(table))
        except ValueError as error:
            raise TableError(f"the columns do not make a table: {error}") from error
    if not isinstance(table, pd.DataFrame):
        wanted = "a pandas DataFrame, a dict of columns, or the path of a file"
        raise ArgumentTypeError(f"table: got {type(table).__name__}; want {wanted}")
    return _checked(table, table.columns, "the table")


def read_table(path: Path, text_names: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table; its column names are text, and all different.

    A text file is opened once and read from its beginning to its end, so it may be a pipe.

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
    if not is_table(path):
        raise TableError(f"{path} is no table: want a file whose name ends in {FORMATS}")
    try:
        return _read_parquet(path) if _suffix(path) == PARQUET else _read_text(path, text_names)
    except FastMLPError:
        raise
    except (ValueError, EOFError, OSError, zlib.error, csv.Error) as error:
        # Errors of the system have a number; those of decompressors and of pyarrow have none.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise TableError(f"{path} cannot be read as {_suffix(path)[1:]}: {error}") from error


def _suffix(path: Path) -> str:
    name = path.name.lower()
    if name.endswith(PARQUET):
        return PARQUET
    return Path(name.removesuffix(".gz")).suffix


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except ImportError as error:
        raise MissingPackageError(
            "Parquet needs pyarrow: pip install pyarrow", name="pyarrow"
        ) from error
    return _checked(frame, frame.columns, str(path))


def _read_text(path: Path, text_names: Iterable[str]) -> pd.DataFrame:
    import pandas as pd

    opened: Any = gzip.open if path.name.lower().endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        text = _Rewindable(file)
        separator = _separator(next(text.lines(), ""), path)
        # The names as they stand in the file: pandas renames columns that occur twice.
        text.rewind()
        names = next(csv.reader(text.lines(), delimiter=separator, skipinitialspace=True))
        text.rewind()
        frame = pd.read_csv(
            text,
            sep=separator,
            dtype=dict.fromkeys(text_names, str),
            skipinitialspace=True,
            na_values=MORE_MISSING,
            # Read in parts, a column could have numbers in one part and text in another.
            low_memory=False,
        )
    # If rows have one value more than there are names, pandas makes the first one an index.
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        raise TableError(f"{path} has more values in a row than names in its first line")
    return _checked(frame, names, str(path))


class _Rewindable:
    """A text file whose first lines can be read again, without opening it twice."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._taken: list[str] = []
        self._again: list[str] = []

    def lines(self) -> Iterator[str]:
        """Yield the lines from here on, and remember them."""
        while line := self._again.pop(0) if self._again else self._file.readline():
            self._taken.append(line)
            yield line

    __iter__ = lines  # pandas requires it of a file, but calls `read`

    def rewind(self) -> None:
        """Go back to the beginning; not after `read`."""
        self._again, self._taken = self._taken + self._again, []

    def read(self, size: int) -> str:
        """Return up to `size` characters, "" at the end."""
        text = "".join(self._again) or self._file.read(size)
        self._again = [text[size:]] if len(text) > size else []
        return text[:size]


def _separator(line: str, path: Path) -> str:
    """Return the separator of a file, by its first line."""
    if not line.strip():
        raise TableError(
            f"{path} is empty" if not line else f"{path} has no names in its first line"
        )
    return max(SEPARATORS[_suffix(path)], key=line.count)


def _checked(frame: pd.DataFrame, names: Iterable[Any], what: str) -> pd.DataFrame:
    """Make the column names text without outer blanks; refuse double names and empty tables."""
    import pandas as pd

    frame = frame.set_axis([str(name).strip() for name in frame.columns], axis=1)
    given = pd.Index([str(name).strip() for name in names])
    if not given.is_unique:
        raise TableError(f"{what} has two columns named {given[given.duplicated()][0]!r}")
    if len(frame) == 0:
        raise TableError(f"{what} has no rows")
    return frame
