"""`fastmlp predict`: the answers of a model for the rows of a table, as CSV."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.cli.paths import check_output
from fastmlp.cli.tables import print_lines
from fastmlp.io import write_atomically
from fastmlp.tabular.model_file import Array, TableDescription, TableModel
from fastmlp.tabular.reading import TableError, read_table

if TYPE_CHECKING:
    import pandas as pd

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
    model = TableModel.load(model_path)
    if not np.isfinite(model.net.params).all():
        raise TableError(f"{model_path} has weights that are not finite: its training diverged")
    encoder = model.description.encoder
    frame = read_table(data, encoder.text_names)
    try:
        print_lines(encoder.notes(frame), sys.stderr)
    except ArgumentError as error:
        raise TableError(f"{data} does not suit {model_path}: {error}") from error
    text = answers(model.description, model.predict(frame)).to_csv(index=False)
    if out == STANDARD_OUTPUT:
        sys.stdout.write(text)
    else:
        write_atomically(out, [text.encode()])


def answers(description: TableDescription, outputs: Array) -> pd.DataFrame:
    """Name what a model says: a column `prediction`, then one of each class's probability."""
    import pandas as pd

    if not description.classes:
        return pd.DataFrame({"prediction": outputs})
    chosen = [description.classes[i] for i in outputs.argmax(axis=1)]
    columns = [f"probability_{name}" for name in description.classes]
    probabilities = pd.DataFrame(outputs, columns=columns)
    probabilities.insert(0, "prediction", chosen)
    return probabilities
