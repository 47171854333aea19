"""What a training tells while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmlp.tabular.columns import ReadTable, TableReader
    from fastmlp.tabular.table import Table
    from fastmlp.tabular.table_model import TableModel


class Reporter:
    """Receives the progress of `train`. Subclass it and override the methods that you need."""

    def on_table(self, table: Table) -> None:
        """Take the table, before the first training."""

    def on_bytes(self, title: str, done: int, total: int) -> None:
        """Take how many bytes of a table are read that does not fit into memory.

        Titles are "reading" and "encoding".
        """

    def on_columns(self, title: str, reader: TableReader, read: ReadTable) -> None:
        """Take how the columns are read for a training, and its rows."""

    def on_members(self, title: str, count: int) -> None:
        """Take the number of networks of a training."""

    def on_trials(self, title: str, done: int, count: int, best: float | None) -> None:
        """Take how many trials of a search are done, and the best score on held-out rows."""

    def callbacks(self, title: str) -> Sequence[Any]:
        """Return the callbacks of a network's training; they may be called by several threads.

        Titles are "training", "fold 1 of 5" or "all rows"; if there are several networks, followed
        by ", member 1 of 8".
        """
        return ()

    def on_trained(self, title: str, model: TableModel) -> None:
        """Take the model of a training."""
