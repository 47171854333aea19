"""`fastmlp predict`: a model's predictions for the rows of a table, as CSV."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastmlp import tabular
from fastmlp.base.errors import ArgumentError
from fastmlp.cli.paths import check_output
from fastmlp.cli.tables import print_lines
from fastmlp.io import write_atomically
from fastmlp.tabular.reading import Frame, ReadOptions, TableError, frame_of

STANDARD_OUTPUT = Path("-")


def predict(model_path: Path, data: Sequence[str], out: Path, reading: ReadOptions) -> None:
    """Write a row with the prediction, and each class's probability, for each row of a table.

    Raises
    ------
    TableError
        The table cannot be read, or has not the model's columns.
    ModelFileError
        The model file is corrupt, or no model of a table.
    """
    if out != STANDARD_OUTPUT:
        for file in data:
            check_output(out, {"the model file": model_path, "the data file": Path(file)})
    model = tabular.load(model_path)
    frame = frame_of(list(data), reading)
    frame.check_names(reading.keep, "`keep`")
    # Of the training's columns to keep, those that are there.
    kept = [*reading.keep, *(n for n in model.keep if n in set(frame.names) - {*reading.keep})]
    try:
        read = model.reader.read(frame)
    except ArgumentError as error:
        files = ", ".join(data)
        raise TableError(f"{files} does not suit {model_path}: {error}") from error
    print_lines([*frame.notes, *read.notes.values()], sys.stderr)
    columns: dict[str, Any] = {name: _cells(frame, name) for name in kept}
    columns |= model.columns_of(model.outputs(read))
    text = _as_csv(columns)
    if out == STANDARD_OUTPUT:
        sys.stdout.write(text)
    else:
        write_atomically(out, [text.encode()])


def _cells(frame: Frame, name: str) -> list[Any]:
    """Return a column's values as they stand, None where missing."""
    return list(frame.column(name).to_pylist())


def _as_csv(columns: dict[str, Any]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    values = [c if isinstance(c, list) else c.tolist() for c in columns.values()]
    writer.writerows(zip(*values, strict=True))
    return buffer.getvalue()
