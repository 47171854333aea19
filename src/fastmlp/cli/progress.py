"""What `fastmlp train` prints while it runs: the table, notes, and one line of progress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastmlp.cli.tables import print_lines
from fastmlp.tabular.progress import ProgressLine

if TYPE_CHECKING:
    from fastmlp.tabular.columns import ReadTable, TableReader
    from fastmlp.tabular.table import Table

MOST_NOTES = 20


class TrainProgress(ProgressLine):
    """Print the notes on a table, and the line of progress.

    Parameters
    ----------
    notes : bool
        Whether to print the notes.
    verbose : bool
        Whether to print how each column is read.
    progress : bool
        Whether to show the line.
    """

    def __init__(self, notes: bool, verbose: bool, progress: bool) -> None:
        super().__init__()
        self._notes, self._verbose, self._progress = notes, verbose, progress

    def on_table(self, table: Table) -> None:
        """Print the size of the table, its task and the notes on it."""
        if self._notes:
            print_lines([str(table), *table.notes])

    def on_columns(self, title: str, reader: TableReader, read: ReadTable) -> None:
        """Print the columns that are left out, and what is unusual in the others."""
        if not self._notes or title.startswith("fold"):
            return
        left_out = reader.left_out_line()
        print_lines([f"columns left out: {left_out}"] if left_out else [])
        lines = [*reader.warnings, *read.notes.values()]
        print_lines(lines[:MOST_NOTES])
        if len(lines) > MOST_NOTES:
            print_lines([f"and {len(lines) - MOST_NOTES} more notes"])
        if self._verbose:
            print_lines([f"  {rule.name}: {rule}" for rule in reader.rules])

    def callbacks(self, title: str) -> Sequence[Any]:
        """Return the callbacks that tell of a network's epochs."""
        resumed = [_Resumed(title)] if self._notes else []
        return [*resumed, *super().callbacks(title)] if self._progress else resumed


class _Resumed:
    """Prints how many epochs of a network were done before."""

    def __init__(self, title: str) -> None:
        self._title = title

    def on_fit_ready(self, state: Any) -> None:
        """Print the epochs that a checkpoint held."""
        if state.epoch >= 0:
            print_lines([f"{self._title}: {state.epoch + 1} epochs (from the checkpoint)"])

    def on_epoch_end(self, state: Any) -> None:
        """Do nothing: epochs are told by the line of progress."""
