"""Files of a table that are read in pieces, again and again, and must not change meanwhile."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastmlp.tabular.reading import Frame, TableError


@dataclass(frozen=True)
class Piece:
    """Rows that follow one another.

    Attributes
    ----------
    frame : Frame
    where : str
        The file, for messages.
    done : int
        Bytes of all files up to the end of this piece.
    """

    frame: Frame
    where: str
    done: int


class TableFiles(ABC):
    """Files whose rows follow one another.

    Attributes
    ----------
    paths : list of Path
        All files.
    bytes : int
        Their sizes together.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        self._known = self._stamps()
        self.bytes = sum(size for size, _ in self._known)

    @abstractmethod
    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """Read all rows once, in order; only some columns, if they are given."""

    @abstractmethod
    def sample(self, most_bytes: int) -> Frame:
        """Read rows from many places; all rows if they have no more than so many bytes."""

    @abstractmethod
    def count_rows(self, sample: Frame, most_bytes: int) -> int:
        """Return the number of rows, or an estimate by a sample."""

    def check(self) -> None:
        """Refuse files that have changed since they were opened."""
        for path, known, found in zip(self.paths, self._known, self._stamps(), strict=True):
            if found != known:
                what = f"has {found[0]:,} bytes, and had {known[0]:,}"
                what = what if found[0] != known[0] else "was written to"
                raise TableError(
                    f"{path} {what} since the training began: it needs files that do not change"
                )

    def _stamps(self) -> list[tuple[int, int]]:
        found = []
        for path in self.paths:
            try:
                state = os.stat(path)
            except FileNotFoundError:
                found.append((0, 0))  # as for a file that was emptied
                continue
            found.append((state.st_size, state.st_mtime_ns))
        return found


def same_columns(names: Sequence[str], first: Sequence[str], where: Any) -> None:
    """Refuse a file whose columns are not those of the first one."""
    if set(names) != set(first):
        from fastmlp.tabular.text import quoted

        differ = sorted(set(names) ^ set(first))
        raise TableError(f"{where}: not all files have the columns {quoted(differ)}")
