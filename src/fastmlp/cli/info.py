"""`fastmlp info`: what runs here, or what a model file holds. Needs NumPy alone."""

from __future__ import annotations

import os
import platform
from typing import Any

import numpy as np

from fastmlp.base.build import show_config
from fastmlp.cli.tables import Row
from fastmlp.io import inspect
from fastmlp.io.networks import holds_networks
from fastmlp.tabular import TableModel, load
from fastmlp.tabular.report.content import ColumnReport
from fastmlp.tabular.report.making import columns_of, facts_of

MAX_VALUE_LENGTH = 56  # with the names, this fits a terminal of 80 columns
MOST_COLUMNS = 24  # of a table that are shown


def describe_build() -> tuple[str, list[Row]]:
    """Title and rows of `fastmlp.show_config`, with the versions of Python and NumPy."""
    rows = [(name, _text(value)) for name, value in show_config().items()]
    rows += [("python", platform.python_version()), ("numpy", np.__version__)]
    return "fastmlp", rows


def describe_model(path: str) -> tuple[str, list[Row]]:
    """Title and rows for a model file: its layers, its size and the metadata it carries."""
    if holds_networks(path):
        return path, _table_rows(load(path), os.path.getsize(path))
    model = inspect(path)
    network = model.network
    layers = network.get("layers")
    rows = [("checkpoint", "a training under way")] if model.is_checkpoint else []
    rows += [(key, _text(value)) for key, value in network.items() if key != "layers"]
    for index, layer in enumerate(layers if isinstance(layers, list) else []):
        rows.append((f"layer {index}", _layer_text(layer)))
    parameters = sum(int(np.prod(shape, dtype=np.uint64)) for shape in model.shapes.values())
    rows += [("parameters", f"{parameters:,}"), ("file size", f"{model.size:,} bytes")]
    return path, [*rows, *((key, _text(value)) for key, value in sorted(model.metadata.items()))]


def _table_rows(model: TableModel, size: int) -> list[Row]:
    """Rows for a model of a table: its target, what was trained, and each column."""
    labels = model.target.labels.names
    kind = f"classes {', '.join(labels)}" if labels else "numbers"
    rows = [("target", _text(f"{model.target.name}: {kind}"))]
    rows += [(key, _text(value)) for key, value in sorted(model.metadata.items())]
    rows += [(key, _text(value)) for key, value in facts_of(model).items()]
    rows.append(("file size", f"{size:,} bytes"))
    columns = columns_of(model)
    rows.append(("columns", str(len(columns))))
    rows += [(f"  {c.name:.24}", _how(c)) for c in columns[:MOST_COLUMNS]]
    if len(columns) > MOST_COLUMNS:
        rows.append(("  ...", f"and {len(columns) - MOST_COLUMNS} more"))
    left_out = model.reader.left_out_line()
    return [*rows, ("left out", _text(left_out))] if left_out else rows


def _how(column: ColumnReport) -> str:
    """How a column is read and encoded."""
    warning = f" (warning: {column.warning})" if column.warning else ""
    return f"{column.kind}: {column.reason}{warning}; {column.encoding}"


def _layer_text(layer: Any) -> str:
    if not isinstance(layer, dict):
        return _text(layer)
    kind = layer.get("type", "")
    given = {k: v for k, v in layer.items() if k != "type" and v is not None}
    return f"{kind}({', '.join(f'{key}={_text(value)}' for key, value in given.items())})"


def _text(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 3] + "..."
