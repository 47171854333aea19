"""Columns of Arrow datasets: Parquet and Feather files, folders of them, CSV files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, MissingPackageError
from fastmlp.data import arrow_columns
from fastmlp.data.files import Stamp, changed
from fastmlp.data.source import Block, Rows, Source, block_order, checked_window

_FORMATS = {
    "parquet": "parquet", "pq": "parquet", "feather": "feather", "arrow": "ipc", "ipc": "ipc",
    "csv": "csv",
}  # fmt: skip
# Rows that are decoded at a time.
_PIECE_ROWS = 1 << 16


class ArrowSource(Source):
    """Columns of an Arrow dataset; see `arrow`."""

    def __init__(
        self,
        dataset: Any,
        inputs: Any = None,
        targets: Any = None,
        *,
        sample_weight: str | None = None,
        format: str | None = None,
        window: int | None = None,
    ) -> None:
        self._dataset = _opened(dataset, format)
        self.window = checked_window(window)
        names = arrow_columns.chosen(self._dataset.schema, inputs, targets, sample_weight)
        self._inputs, self._targets, self._weights = names
        flat = arrow_columns.flat(self._inputs) + arrow_columns.flat(self._targets)
        flat += [] if self._weights is None else [self._weights]
        self._columns = list(dict.fromkeys(flat))
        self._known = self._stamps()
        self._blocks = _row_groups(self._dataset)
        counts = [rows for _, rows in self._blocks]
        self.rows = None if None in counts else sum(one or 0 for one in counts)
        self.has_places = self.rows is not None
        if self.rows == 0:
            raise ArgumentError(f"dataset: got 0 rows in {check.shown(dataset)}; want at least one")

    def open(self, epoch: int, seed: int | None) -> Iterator[Block]:
        self._check_files()
        return self._blocks_of(epoch, seed)

    def _blocks_of(self, epoch: int, seed: int | None) -> Iterator[Block]:
        starts = np.cumsum([0, *(rows or 0 for _, rows in self._blocks)]).tolist()
        for number in block_order(len(self._blocks), epoch, seed):
            fragment, rows = self._blocks[number]
            start = None if self.rows is None else starts[number]
            yield Block(partial(self._read, fragment), rows, start)

    def _read(self, fragment: Any, dtype: np.dtype[Any]) -> Iterator[Rows]:
        for batch in _batches(fragment, self._columns, self._dataset.schema):
            if batch.num_rows:
                yield self._rows_of(batch, fragment, dtype)
        self._check_files()

    def _rows_of(self, batch: Any, fragment: Any, dtype: np.dtype[Any]) -> Rows:
        try:
            x = arrow_columns.matrices(batch, self._inputs, dtype)
            y = arrow_columns.values(batch, self._targets)
            weights = None if self._weights is None else arrow_columns.column(batch, self._weights)
        except (ArgumentError, ArgumentTypeError) as error:
            raise type(error)(f"{_name(fragment)}, {error}") from None
        return x, y, weights

    def _stamps(self) -> dict[str, Stamp | None]:
        """Return size and time of each file."""
        files = getattr(self._dataset, "files", [])
        if not files:
            return {}
        from pyarrow import fs

        found = self._dataset.filesystem.get_file_info(files)
        return {
            one.path: None if one.type == fs.FileType.NotFound else Stamp(one.size, one.mtime_ns)
            for one in found
        }

    def _check_files(self) -> None:
        for path, found in self._stamps().items():
            known = self._known[path]
            if known is not None and found != known:
                raise changed(path, known, found)

    def describe(self) -> dict[str, Any]:
        """Describe columns, and names and sizes of files."""
        files = [
            f"{os.path.basename(path)}: {stamp and stamp.size}"
            for path, stamp in self._known.items()
        ]
        columns: dict[str, Any] = {
            "inputs": self._inputs, "targets": self._targets, "sample_weight": self._weights
        }  # fmt: skip
        return {**super().describe(), **columns, "files": files}


def arrow(
    dataset: Any,
    inputs: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    targets: str | Sequence[str] | Mapping[str, Any] | None = None,
    *,
    sample_weight: str | None = None,
    format: str | None = None,
    window: int | None = None,
) -> ArrowSource:
    """Read rows from Parquet, Feather or CSV files, or any Arrow dataset (extra ``tabular``).

    Columns are numbers or booleans without missing values; a column of lists of a fixed size counts
    as so many columns. For text, dates and gaps there is ``fastmlp.tabular``.

    Parameters
    ----------
    dataset : path, list of paths, or pyarrow.dataset.Dataset
        A file, a folder (with its folders), or several files of one format.
    inputs : list of str, or dict of lists, optional
        Columns of ``x``; by name for a network of several inputs. By default all columns that are
        neither targets nor weights.
    targets : str, list of str, or dict of them
        Column or columns of ``y``: a name gives shape (N,), a list (N, columns); by name for a
        network of several outputs.
    sample_weight : str, optional
        Column of the weights.
    format : {"parquet", "feather", "ipc", "csv"}, optional
        By default told from the ending of the first file.
    window : int, optional
        Rows that are shuffled together; by default as many as have 64 MiB.

    Returns
    -------
    ArrowSource
        For ``fm.fit(net, source, loss=...)``, and for ``validation=source``. The blocks that are
        shuffled are row groups of Parquet, and files of the other formats.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If there are no such files or columns, or they hold other things than numbers; during a
        fit, if a file is damaged or has changed.
    MissingPackageError
        If pyarrow is not installed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np, pyarrow as pa, pyarrow.parquet as pq
    >>> import fastmlp as fm
    >>> rng = np.random.default_rng(0)
    >>> net = fm.Sequential(fm.Linear(2, 1), seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for k in range(3):
    ...         a, b = rng.standard_normal((2, 500))
    ...         table = pa.table({"a": a, "b": b, "y": a - b})
    ...         pq.write_table(table, pathlib.Path(folder, f"{k}.parquet"))
    ...     source = fm.data.arrow(folder, targets="y")
    ...     history = fm.fit(net, source, loss=fm.MSELoss(), epochs=2, validation=0.1)
    >>> source.rows, len(history)
    (1500, 2)
    """
    return ArrowSource(
        dataset, inputs, targets, sample_weight=sample_weight, format=format, window=window
    )


def _opened(given: Any, format: str | None) -> Any:
    try:
        import pyarrow as pa
        from pyarrow import dataset
    except ImportError as error:
        raise MissingPackageError(
            'fm.data.arrow needs pyarrow: pip install "fastmlp[tabular]"', name="pyarrow"
        ) from error
    if isinstance(given, dataset.Dataset):
        return given
    several = isinstance(given, (list, tuple))
    paths = [check.path(one, "dataset") for one in (given if several else [given])]
    if not paths:
        raise ArgumentError("dataset: got an empty list; want at least one path")
    missing = [path for path in paths if not os.path.exists(path)]
    if missing:
        raise ArgumentError(
            f"dataset: got {missing[0]!r}, which does not exist; want a file or a folder"
        )
    kind = _format_of(paths) if format is None else check.choice(format, "format", _KINDS)
    try:
        return dataset.dataset(paths if several else paths[0], format=kind)
    except (pa.ArrowException, OSError) as error:
        raise ArgumentError(
            f"dataset: got {check.shown(given)}, which cannot be read ({error})"
        ) from error


_KINDS = tuple(dict.fromkeys(_FORMATS.values()))


def _format_of(paths: Sequence[str]) -> str:
    """Tell the format from the first file with a known ending."""
    for path in paths:
        names = [path]
        if os.path.isdir(path):
            names = [name for _, _, files in sorted(os.walk(path)) for name in sorted(files)]
        for name in names:
            kind = _FORMATS.get(os.path.splitext(name)[1].lstrip(".").lower())
            if kind is not None:
                return kind
    raise ArgumentError(
        f"dataset: got {', '.join(paths)}, with no ending among {', '.join(_FORMATS)}; want format="
    )


def _row_groups(dataset: Any) -> list[tuple[Any, int | None]]:
    """Return what is read as one block, and its number of rows if the file tells it."""
    import pyarrow as pa

    found: list[tuple[Any, int | None]] = []
    for fragment in dataset.get_fragments():
        try:
            if hasattr(fragment, "split_by_row_group"):
                parts = fragment.split_by_row_group(schema=dataset.schema)
                found += [(one, sum(group.num_rows for group in one.row_groups)) for one in parts]
            elif _counts_without_reading(fragment):
                found.append((fragment, fragment.count_rows()))
            else:
                found.append((fragment, None))
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(fragment, error) from error
    return found


def _counts_without_reading(fragment: Any) -> bool:
    kind = getattr(getattr(fragment, "format", None), "default_extname", None)
    return kind != "csv"


def _batches(fragment: Any, columns: Sequence[str], schema: Any) -> Iterator[Any]:
    import pyarrow as pa

    options = {"batch_size": _PIECE_ROWS, "batch_readahead": 1, "fragment_readahead": 1}
    try:
        # A scan on threads of Arrow's own would take processors from the training.
        yield from fragment.to_batches(
            schema=schema, columns=list(columns), use_threads=False, **options
        )
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(fragment, error) from error


def _unreadable(fragment: Any, error: Exception) -> ArgumentError:
    return ArgumentError(f"x: the file {_name(fragment)} cannot be read: {error!s:.300}")


def _name(fragment: Any) -> str:
    return getattr(fragment, "path", None) or "the dataset"
