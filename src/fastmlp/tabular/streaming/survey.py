"""The one pass over all rows that learns how they are encoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base.validation import Array
from fastmlp.data.source import seed_of
from fastmlp.tabular.columns import ReadColumn, ReadTable, TableReader
from fastmlp.tabular.columns.chosen import Chosen
from fastmlp.tabular.columns.read import read_column, read_part
from fastmlp.tabular.encoding import Encoder
from fastmlp.tabular.reading import Frame, TableError
from fastmlp.tabular.side_by_side import side_by_side
from fastmlp.tabular.streaming.pieces import TableFiles
from fastmlp.tabular.streaming.statistics import ColumnStatistics
from fastmlp.tabular.streaming.targets import TargetReader

TRAIN, VALIDATION, TEST = 0, 1, 2
_STREAM = 1 << 22  # of the random numbers that choose rows
MOST_EXACT = 1 << 22  # values of a column that are kept, whatever the memory

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Roles:
    """Which rows are trained on, and which are held out: by lot, each for itself."""

    validation: float
    test: float
    seed: int

    def of(self, piece: int, rows: int) -> Array:
        """Return the roles of the rows of a piece."""
        draws = _core.random_uniform(rows, seed_of(self.seed, piece), _STREAM)
        held: Array = np.where(draws < self.test + self.validation, VALIDATION, TRAIN)
        return np.where(draws < self.test, TEST, held)


@dataclass
class Survey:
    """What a pass over all rows has found.

    Attributes
    ----------
    reader : TableReader
        With all levels.
    target : TargetReader
    statistics : list of ColumnStatistics
    rows : int
        Rows to train on.
    held : dict of int to Frame
        The held-out rows, by their role.
    """

    reader: TableReader
    target: TargetReader
    statistics: list[ColumnStatistics]
    rows: int = 0
    held: dict[int, Frame] = field(default_factory=dict)

    def encoder(self, template: Encoder) -> Encoder:
        """Fit an encoder to the rows that were seen."""
        parts = [one.parts(template) for one in self.statistics]
        return template.of_parts(parts, self.reader.names)

    @property
    def notes(self) -> dict[str, str]:
        """Values that were not understood, by column."""
        found = {one.rule.name: one.note() for one in self.statistics}
        return {name: note for name, note in found.items() if note}

    def read(self, frame: Frame) -> ReadTable:
        """Read some of the rows by the rules, each piece as the pass has read it."""
        hints = self.reader.hints_for(frame)

        def column(rule: Any) -> ReadColumn:
            chosen = Chosen.of(frame, rule.name)
            strict = rule.kind in ("numeric", "date")
            return (read_part if strict else read_column)(rule, chosen, hints)[0]

        columns = side_by_side(column, self.reader.rules, len(frame))
        return ReadTable(len(frame), tuple(columns))


def survey(
    files: TableFiles, reader: TableReader, target: TargetReader, roles: Roles, memory: int,
    progress: Progress,
) -> Survey:  # fmt: skip
    """Read all rows once.

    Parameters
    ----------
    reader : TableReader
        Fitted to a sample.
    memory : int
        Bytes; the values of columns are kept while they fit into a quarter of it.
    progress : callable
        ``progress(what, bytes, bytes in all)``.

    Raises
    ------
    TableError
        A file has changed or is damaged, or a column is not what the sample says.
    """
    most = min(MOST_EXACT, memory // (4 * 8 * 2 * max(len(reader.rules), 1)))
    found = Survey(reader, target, [ColumnStatistics(rule, most) for rule in reader.rules])
    kept: dict[int, list[Any]] = {VALIDATION: [], TEST: []}
    for number, piece in enumerate(files.pieces([*reader.names, target.name])):
        frame = piece.frame
        role = roles.of(number, len(frame))
        present = target.add(frame, role == TRAIN, piece.where)
        for kind, tables in kept.items():
            tables.append(frame.take(present & (role == kind)).chosen_table())
        chosen = present & (role == TRAIN)
        found.rows += int(np.count_nonzero(chosen))
        _add(found, frame, chosen, piece.where)
        progress("reading", piece.done, files.bytes)
    target.finish()
    for one in found.statistics:
        one.check()
    reader.adopt([one.final_rule() for one in found.statistics])
    found.held = {kind: _frame(tables, frame) for kind, tables in kept.items()}
    if found.rows == 0:
        raise TableError(f"target {target.name!r} has no values in the rows to train on")
    return found


def _add(found: Survey, frame: Frame, chosen: Array, where: str) -> None:
    hints = found.reader.hints_for(frame)

    def add(one: ColumnStatistics) -> None:
        one.add(Chosen.of(frame, one.rule.name), chosen, hints, where)

    side_by_side(add, found.statistics, len(frame))


def _frame(tables: Sequence[Any], like: Frame) -> Frame:
    import pyarrow as pa

    joined = pa.concat_tables(tables, promote_options="permissive")
    return Frame(joined.unify_dictionaries(), (), like.separator)
