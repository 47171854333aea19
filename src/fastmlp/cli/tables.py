"""Tables and one-line errors. Two-column tables use rich if it is installed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TextIO

Row = tuple[str, str]


def print_table(title: str, rows: Sequence[Row]) -> None:
    """Print `rows` of (name, value) below `title`; control characters in them are replaced."""
    shown = [(_printable(name), _printable(value)) for name, value in rows]
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ModuleNotFoundError:
        _print_plain(title, shown)
        return
    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD,
                  show_header=False)  # fmt: skip
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in shown:
        table.add_row(Text(name), Text(value))
    Console(highlight=False).print(table)


def print_lines(lines: Sequence[str], file: TextIO | None = None) -> None:
    """Print lines of text; control characters in them, and names of arguments, are replaced."""
    for line in lines:
        print(_printable(spelled_as_options(line)), file=file)


def spelled_as_options(message: str) -> str:
    """Put options in the place of Python arguments.

    Examples
    --------
    >>> spelled_as_options("try a smaller `lr`")
    'try a smaller --lr'
    """
    return re.sub(r"`(\w+)`", lambda found: "--" + found[1].replace("_", "-"), message)


def column_lines(
    head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], width: int
) -> list[str]:
    """Return the lines of a table with named rows and the column names `head`.

    No text is cut: if the names do not fit beside the columns, each one gets a line above its row.

    Examples
    --------
    >>> print(*column_lines(["a", "b"], [("one", ["1.5", "2"])], 80), sep="\\n")
          a b
    one 1.5 2
    >>> print(*column_lines(["a", "b"], [("one", ["1.5", "2"])], 5), sep="\\n")
      a b
    one
    1.5 2
    """
    columns = zip(head, *(cells for _, cells in rows), strict=True)
    widths = [max(map(len, column)) for column in columns]
    margin = max((len(name) for name, _ in rows), default=0)
    beside = margin + len(widths) + sum(widths) <= width
    lines = []
    for name, cells in [("", head), *rows]:
        line = " ".join(cell.rjust(w) for cell, w in zip(cells, widths, strict=True))
        if beside:
            lines.append(f"{name:<{margin}} {line}")
        else:
            lines += [name, line] if name else [line]
    return lines


def error_line(error: BaseException) -> str:
    """Return the message of an error as one line.

    Examples
    --------
    >>> error_line(FileNotFoundError(2, "No such file or directory", "net.safetensors"))
    'net.safetensors: No such file or directory'
    """
    if isinstance(error, OSError) and error.filename and error.strerror:
        return _printable(f"{error.filename}: {error.strerror}")
    text = " ".join(str(error).split())
    return _printable(text) or type(error).__name__


def _print_plain(title: str, rows: Sequence[Row]) -> None:
    width = max((len(name) for name, _ in rows), default=0)
    print(title)
    for name, value in rows:
        print(f"  {name:<{width}}  {value}")


def _printable(text: str) -> str:
    """Replace control characters, which could otherwise drive the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
