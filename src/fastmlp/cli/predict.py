"""`fastmlp predict`: a model's predictions for the rows of a table, as CSV."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastmlp import tabular
from fastmlp.base.errors import ArgumentError
from fastmlp.cli.paths import check_output
from fastmlp.cli.tables import print_lines
from fastmlp.io import write_atomically
from fastmlp.tabular.reading import ReadOptions, frame_of

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
    try:
        print_lines([*frame.notes, *model.notes(frame)], sys.stderr)
    except ArgumentError as error:
        files = ", ".join(data)
        raise tabular.TableError(f"{files} does not suit {model_path}: {error}") from error
    text = _csv(model.prediction_columns(frame, reading.keep))
    if out == STANDARD_OUTPUT:
        sys.stdout.write(text)
    else:
        write_atomically(out, [text.encode()])


def _csv(columns: Mapping[str, Any]) -> str:
    """Write columns as CSV; numbers with all the digits that tell them apart."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    values = [v.tolist() if hasattr(v, "tolist") else v for v in columns.values()]
    writer.writerows(zip(*values, strict=True))
    return buffer.getvalue()
