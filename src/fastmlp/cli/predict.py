"""`fastmlp predict`: a model's predictions for the rows of a table, as CSV."""

from __future__ import annotations

import sys
from pathlib import Path

from fastmlp import tabular
from fastmlp.base.errors import ArgumentError
from fastmlp.cli.paths import check_output
from fastmlp.cli.tables import print_lines
from fastmlp.io import write_atomically

STANDARD_OUTPUT = Path("-")


def predict(model_path: Path, data: Path, out: Path) -> None:
    """Write a row with the prediction, and each class's probability, for each row of a table.

    Raises
    ------
    TableError
        The table cannot be read, or has not the model's columns.
    ModelFileError
        The model file is corrupt, or no model of a table.
    """
    if out != STANDARD_OUTPUT:
        check_output(out, {"the model file": model_path, "the data file": data})
    model = tabular.load(model_path)
    frame = model.read(data)
    try:
        print_lines(model.notes(frame), sys.stderr)
    except ArgumentError as error:
        raise tabular.TableError(f"{data} does not suit {model_path}: {error}") from error
    text = model.predictions(frame).to_csv(index=False)
    if out == STANDARD_OUTPUT:
        sys.stdout.write(text)
    else:
        write_atomically(out, [text.encode()])
