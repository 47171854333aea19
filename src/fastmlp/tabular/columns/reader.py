"""The strict reader of tables: rules for columns, learnt from training rows, then fixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastmlp.base.errors import ArgumentError
from fastmlp.tabular.checking import check_choice, check_keys, check_text, check_texts
from fastmlp.tabular.columns.chosen import Chosen
from fastmlp.tabular.columns.dates import ORDERS
from fastmlp.tabular.columns.decide import decide
from fastmlp.tabular.columns.decision import Decision, Hints
from fastmlp.tabular.columns.read import UNSEEN_NOTE, column_of_decision, is_known, read_column
from fastmlp.tabular.columns.rule import ColumnRule
from fastmlp.tabular.columns.table import ReadColumn, ReadTable
from fastmlp.tabular.reading import Frame, ReadOptions, frame_of, missing_names
from fastmlp.tabular.reading.options import DECIMALS, THOUSANDS
from fastmlp.tabular.side_by_side import side_by_side

FIELDS = {"rules", "left_out", "missing", "decimal", "thousands"}
MOST_SHOWN = 6


class TableReader:
    """Decides how each column of a table is read, and reads tables by these rules.

    Identifiers, constant and empty columns, and columns of lists are left out.

    Attributes
    ----------
    rules : list of ColumnRule
        How the columns are read.
    left_out : dict of str to str
        Why other columns are not read.

    Examples
    --------
    >>> table = {"size": ["1,5", "2,25", None], "city": ["Ghent", "Ypres", "Ghent"]}
    >>> reader = TableReader().fit(table)
    >>> [str(rule) for rule in reader.rules]
    ['numeric: numbers with decimal commas', 'categorical: 2 levels; text']
    >>> read = reader.read(table)
    >>> read["size"].values.tolist(), read["city"].codes.tolist()
    ([1.5, 2.25, nan], [0, 1, 0])
    """

    def __init__(self) -> None:
        self.rules: list[ColumnRule] = []
        self.left_out: dict[str, str] = {}
        self._hints = Hints()

    @property
    def names(self) -> list[str]:
        """Names of the columns that are read."""
        return [rule.name for rule in self.rules]

    @property
    def warnings(self) -> list[str]:
        """What columns look like beside what they are taken for, one line each."""
        return [f"column {rule.name!r}: {rule.warning}" for rule in self.rules if rule.warning]

    def fit(self, table: Any, options: ReadOptions | None = None) -> TableReader:
        """Decide how columns are read.

        Parameters
        ----------
        table : Frame, data frame, dict of str to array_like, or path
            Training rows.
        options : ReadOptions, optional
            Its `kinds` are not decided; columns of `drop` and `keep` are not read.

        Raises
        ------
        ArgumentError
            If no column is left.
        TableError
            If a column of the options is not there, or does not suit the kind that it was given.
        """
        self._decided(frame_of(table, options), options or ReadOptions())
        return self

    def fit_read(self, table: Any, options: ReadOptions | None = None) -> ReadTable:
        """Decide how columns are read, and read the table: as `fit` and `read`, but faster."""
        frame = frame_of(table, options)
        return self._read(frame, self._decided(frame, options or ReadOptions()))

    def _decided(self, frame: Frame, told: ReadOptions) -> dict[str, Decision]:
        """Decide on all columns, and keep the rules."""
        frame.check_options(told)
        self._hints = Hints(told.kinds, told.missing, told.decimal, told.thousands)
        left = {*told.drop, *told.keep}
        names = [name for name in frame.names if name not in left]
        found = side_by_side(lambda name: self._decide(frame, name, self._hints), names, len(frame))
        decisions = dict(zip(names, found, strict=True))
        self._second_look(frame, decisions)
        self.left_out = {name: d.left_out for name, d in decisions.items() if d.rule is None}
        self.rules = [d.rule for d in decisions.values() if d.rule is not None]
        self._check_rules()
        return decisions

    def read(self, table: Any) -> ReadTable:
        """Read a table; columns are found by name, and others are ignored.

        Raises
        ------
        ArgumentError
            If columns are missing, or a column of numbers or dates holds none.
        """
        frame = frame_of(table)
        found = set(frame.names)
        missing = [name for name in self.names if name not in found]
        if missing:
            raise ArgumentError(missing_names(missing, frame.names))
        return self._read(frame, {})

    def _read(self, frame: Frame, decisions: Mapping[str, Decision]) -> ReadTable:
        """Read the columns of the rules; what decisions came by is not read again."""
        hints = self.hints_for(frame)

        def column(rule: ColumnRule) -> tuple[ReadColumn, str]:
            decision = decisions.get(rule.name)
            if decision is not None and is_known(decision):
                return column_of_decision(decision, hints)
            return read_column(rule, Chosen.of(frame, rule.name), hints)

        read = side_by_side(column, self.rules, len(frame))
        notes = {column.name: note for column, note in read if note}
        return ReadTable(len(frame), tuple(column for column, _ in read), notes)

    def hints_for(self, frame: Frame) -> Hints:
        """Return what is known beside the values of the columns of a frame."""
        return replace(self._hints, commas=frame.separator == ";")

    def adopt(self, rules: Sequence[ColumnRule]) -> None:
        """Take rules for the same columns that know more levels."""
        self.rules = list(rules)

    def keep(self, names: Sequence[str], left_out: Mapping[str, str]) -> None:
        """Read some of the columns only; `left_out` says why others are not."""
        kept = set(names)
        self.rules = [rule for rule in self.rules if rule.name in kept]
        self.left_out = dict(left_out)
        self._check_rules()

    def notes(self, table: Any, known: Sequence[str] = ()) -> list[str]:
        """List the values of a table that count as missing or unknown, one line a column.

        New levels of the columns `known` are not listed.
        """
        notes = dict(self.read(table).notes)
        return [
            note for name, note in notes.items() if name not in known or UNSEEN_NOTE not in note
        ]

    def left_out_line(self) -> str:
        """Return the columns that are left out, by reason: one short line, or ""."""
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.left_out.items():
            by_reason.setdefault(reason, []).append(name)
        return ", ".join(_short(names, reason) for reason, names in by_reason.items())

    def describe(self) -> dict[str, Any]:
        """Return the reader as values that JSON can hold."""
        return {
            "rules": [rule.describe() for rule in self.rules],
            "left_out": self.left_out,
            "missing": list(self._hints.missing),
            "decimal": self._hints.decimal,
            "thousands": self._hints.thousands,
        }

    @classmethod
    def from_description(cls, fields: Any) -> TableReader:
        """Build a reader from what `describe` returned; it may come from a hostile file.

        Raises
        ------
        ArgumentError
            If it does not have that form.
        """
        check_keys(fields, FIELDS, "the reader")
        rules, left_out = fields["rules"], fields["left_out"]
        if not isinstance(rules, list) or not rules or not isinstance(left_out, dict):
            raise ArgumentError("the reader must have a list of columns")
        reader = cls()
        reader.rules = [ColumnRule.from_description(rule) for rule in rules]
        check_texts([*reader.names, *left_out], "names of columns")
        reader.left_out = {name: check_text(why, "a reason") for name, why in left_out.items()}
        decimal, thousands = fields["decimal"], fields["thousands"]
        if decimal is not None:
            check_choice(decimal, DECIMALS, "decimal")
        if thousands is not None:
            check_choice(thousands, THOUSANDS, "thousands")
        missing = tuple(check_texts(fields["missing"], "texts for missing values"))
        reader._hints = Hints({}, missing, decimal, thousands)
        return reader

    def _check_rules(self) -> None:
        if not self.rules:
            why = self.left_out_line() or "there is none"
            raise ArgumentError(f"no usable column is left: {why}")

    @staticmethod
    def _decide(frame: Frame, name: str, hints: Hints) -> Decision:
        return decide(name, Chosen.of(frame, name), hints)

    def _second_look(self, frame: Frame, decisions: dict[str, Decision]) -> None:
        """Decide again on columns that the values of others make clear."""
        evidence = [decision.evidence for decision in decisions.values()]
        points, commas = evidence.count("decimal ."), evidence.count("decimal ,")
        use_commas = points == 0 and (commas > 0 or frame.separator == ";")
        orders = [order for order in ORDERS if order in evidence]
        order = orders[0] if len(orders) == 1 else ""
        if not (use_commas or order):
            return
        hints = replace(self._hints, commas=use_commas, order=order)
        for name, decision in decisions.items():
            plain = use_commas and decision.rule is not None and decision.rule.kind == "numeric"
            if decision.ambiguous or plain:
                decisions[name] = self._decide(frame, name, hints)


def _short(names: Sequence[str], reason: str) -> str:
    if len(names) <= MOST_SHOWN:
        return ", ".join(f"{name} ({reason})" for name in names)
    return f"{', '.join(names[:MOST_SHOWN])} and {len(names) - MOST_SHOWN:,} more ({reason})"
