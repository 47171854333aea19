"""The options that tell how a table is read, shared by the commands."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from fastmlp.base.errors import ArgumentError
from fastmlp.tabular.reading import ReadOptions
from fastmlp.tabular.reading.options import DECIMALS, THOUSANDS

# Options that give columns a kind, and the kind.
KINDS = {"numeric": "numeric", "categorical": "categorical", "date": "date", "text_as": "text"}
ORDERS = (":dmy", ":mdy", ":ymd")


def _columns(name: str, text: str) -> Callable[[Any], Any]:
    return click.option(f"--{name}", metavar="COLUMN", multiple=True, help=text)


FILE_OPTIONS = [
    click.option("--encoding", metavar="NAME", help="Encoding of text files.  [default: detected]"),
    click.option(
        "--sep",
        metavar="CHARACTER",
        help="What stands between values of a text file; tab and space can be written out.  "
        "[default: detected]",
    ),
    click.option(
        "--skip-rows",
        type=click.IntRange(min=0),
        metavar="N",
        help="Number of lines before the names of the columns.  [default: detected]",
    ),
    _columns("keep", "Copy this column into predictions, and do not learn from it; repeatable."),
]
COLUMN_OPTIONS = [
    _columns("drop", "Leave out this column; repeatable, as the next four."),
    _columns("numeric", "Take this column as numbers."),
    _columns("categorical", "Take this column as levels."),
    _columns("date", "Take this column as dates; COLUMN:dmy or COLUMN:mdy tells the order."),
    _columns("text-as", "Take this column as free text."),
    click.option(
        "--decimal",
        type=click.Choice(DECIMALS),
        help="Decimal point of all columns.  [default: detected]",
    ),
    click.option(
        "--thousands",
        type=click.Choice(THOUSANDS),
        help="What separates groups of digits in all columns.  [default: detected]",
    ),
    click.option(
        "--missing",
        metavar="TEXT",
        multiple=True,
        help="Take this text or number as missing too; repeatable.",
    ),
]


def reading_options(columns: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options that tell how a table is read; the command gets them as `reading`.

    Parameters
    ----------
    columns : bool
        Whether to add those on columns and numbers too, which training decides.
    """
    options = FILE_OPTIONS + (COLUMN_OPTIONS if columns else [])

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_options(**given: Any) -> Any:
            return command(**_collected(given))

        for option in reversed(options):
            with_options = option(with_options)
        return with_options

    return decorate


def _collected(given: dict[str, Any]) -> dict[str, Any]:
    """Put the options on reading together, under the key ``"reading"``."""
    kinds: dict[str, str] = {}
    for option, kind in KINDS.items():
        for column in given.pop(option, ()):
            name, order = column, ""
            if kind == "date" and column.endswith(ORDERS):
                name, order = column[:-4], column[-4:]
            if name in kinds:
                raise click.UsageError(f"the column {name!r} is given two kinds.")
            kinds[name] = kind + order
    names = [n for n in ReadOptions.__dataclass_fields__ if n in given]
    try:
        reading = ReadOptions(**{name: given.pop(name) for name in names}, kinds=kinds)
    except ArgumentError as error:
        raise click.UsageError(f"--{str(error).replace('skip_rows', 'skip-rows')}.") from error
    return {**given, "reading": reading}
