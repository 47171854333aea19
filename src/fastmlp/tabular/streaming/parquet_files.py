"""Parquet files, and folders of them, that are read in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.tabular.reading import Frame, TableError
from fastmlp.tabular.reading.memory import from_arrow
from fastmlp.tabular.reading.options import normal_name
from fastmlp.tabular.streaming.pieces import Piece, TableFiles

PIECE_ROWS = 1 << 17
SPOTS = 64  # row groups that a sample is taken from


class ParquetFiles(TableFiles):
    """Parquet files of the same columns; folders may be split by columns such as year=2024."""

    def __init__(self, paths: Sequence[Path], piece_rows: int = PIECE_ROWS) -> None:
        import pyarrow as pa
        from pyarrow import dataset

        hive = dataset.HivePartitioning.discover(infer_dictionary=True)
        given: Any = [str(path) for path in paths]
        try:
            self._dataset = dataset.dataset(
                given[0] if len(given) == 1 else _listed(paths), format="parquet", partitioning=hive
            )
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"{given[0]} cannot be read as parquet: {error}") from error
        super().__init__([Path(name) for name in self._dataset.files])
        self._rows = piece_rows
        self._groups = [group for fragment in self._fragments() for group in fragment]
        names = [n for n in self._dataset.schema.names if not n.startswith("__index_level_")]
        self._names = {normal_name(name): name for name in names}

    def _fragments(self) -> Iterator[list[Any]]:
        for fragment in self._dataset.get_fragments():
            with _Naming(fragment.path):
                yield fragment.split_by_row_group(schema=self._dataset.schema)

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        self.check()
        done, bytes_of_group = 0.0, self.bytes / max(len(self._groups), 1)
        for group in self._groups:
            rows = 0
            for batch in self._batches(group, self._rows, columns):
                rows += batch.num_rows
                read = done + bytes_of_group * min(1.0, rows / max(_rows_of(group), 1))
                if batch.num_rows:
                    yield Piece(self._frame([batch]), group.path, int(read))
            done += bytes_of_group
        self.check()

    def sample(self, most_bytes: int) -> Frame:
        stored = sum(group.row_groups[0].total_byte_size for group in self._groups)
        rows = self.count_rows(Frame(None), 0)
        most = max(1000, int(most_bytes / max(stored / max(rows, 1), 8 * len(self._names))))
        places = np.arange(len(self._groups))
        if rows > most and len(places) > SPOTS:
            places = np.unique(np.linspace(0, len(places) - 1, SPOTS).astype(np.int64))
        of_group = rows if rows <= most else -(-most // len(places))
        batches: list[Any] = []
        for place in places:
            left = of_group
            for batch in self._batches(self._groups[place], min(of_group, self._rows), None):
                batches.append(batch.slice(0, left))
                left -= batch.num_rows
                if left <= 0:
                    break
        return self._frame(batches)

    def count_rows(self, sample: Frame, most_bytes: int) -> int:
        return sum(map(_rows_of, self._groups))

    def _batches(self, group: Any, rows: int, columns: Sequence[str] | None) -> Iterator[Any]:
        names = [self._names[name] for name in columns or self._names]
        with _Naming(group.path):
            yield from group.to_batches(
                schema=self._dataset.schema, columns=names, batch_size=rows, batch_readahead=1
            )

    def _frame(self, batches: list[Any]) -> Frame:
        import pyarrow as pa

        return from_arrow(pa.Table.from_batches(batches), "the table")


def _listed(paths: Sequence[Path]) -> list[str]:
    """Return the files of paths, of which some may be folders."""
    found: list[str] = []
    for path in paths:
        inner = [one for end in ("*.parquet", "*.pq") for one in path.rglob(end)]
        found += sorted(map(str, inner)) if path.is_dir() else [str(path)]
    return found


def _rows_of(group: Any) -> int:
    return int(group.row_groups[0].num_rows)


class _Naming:
    """Names the file in Arrow's errors, in a ``with`` statement."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is None:
            return
        import pyarrow as pa

        if isinstance(error, pa.ArrowException) or (
            isinstance(error, OSError) and error.errno is None
        ):
            raise TableError(f"{self._path} cannot be read as parquet: {error}") from error
