"""`fastmlp info`: what runs here, or what a model file holds. Needs NumPy alone."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from fastmlp.base.build import show_config
from fastmlp.cli.tables import Row
from fastmlp.io import inspect
from fastmlp.io.safetensors import naming
from fastmlp.tabular.description import KEY, TableDescription
from fastmlp.tabular.text import four_digits

MAX_VALUE_LENGTH = 56  # with the names, this fits a terminal of 80 columns
MOST_COLUMNS = 24  # of a table that are shown


def describe_build() -> tuple[str, list[Row]]:
    """Title and rows of `fastmlp.show_config`, with the versions of Python and NumPy."""
    rows = [(name, _text(value)) for name, value in show_config().items()]
    rows += [("python", platform.python_version()), ("numpy", np.__version__)]
    return "fastmlp", rows


def describe_model(path: str) -> tuple[str, list[Row]]:
    """Title and rows for a model file: its layers, its size and the metadata it carries."""
    model = inspect(path)
    network = model.network
    layers = network.get("layers")
    rows = [("checkpoint", "a training under way")] if model.is_checkpoint else []
    rows += [(key, _text(value)) for key, value in network.items() if key != "layers"]
    for index, layer in enumerate(layers if isinstance(layers, list) else []):
        rows.append((f"layer {index}", _layer_text(layer)))
    parameters = sum(int(np.prod(shape, dtype=np.uint64)) for shape in model.shapes.values())
    rows += [("parameters", f"{parameters:,}"), ("file size", f"{model.size:,} bytes")]
    others = {key: value for key, value in model.metadata.items() if key != KEY}
    rows += [(key, _text(value)) for key, value in sorted(others.items())]
    if KEY in model.metadata:
        with naming(path):
            rows += _table_rows(TableDescription.from_json(model.metadata[KEY]).info())
    return path, rows


def _table_rows(table: dict[str, Any]) -> list[Row]:
    """Rows for the target, for each column and its encoding, and for the unused columns."""
    classes = table.get("classes")
    kind = f"classes {', '.join(classes)}" if classes else "numbers"
    rows = [("target", _text(f"{table['target']}: {kind}"))]
    if not classes:
        mean, scale = (four_digits(table["target_scaling"][key]) for key in ("mean", "scale"))
        rows.append(("target scaling", f"mean {mean}, deviation {scale}"))
    columns = list(table["columns"].items())
    rows.append(("columns", f"{len(columns)}, {table['inputs']} inputs"))
    rows += [(f"  {name:.24}", _text(how)) for name, how in columns[:MOST_COLUMNS]]
    if len(columns) > MOST_COLUMNS:
        rows.append(("  ...", f"and {len(columns) - MOST_COLUMNS} more"))
    left_out = [f"{name} ({why})" for name, why in table["left_out"].items()]
    return [*rows, ("left out", _text(left_out))] if left_out else rows


def _layer_text(layer: Any) -> str:
    if not isinstance(layer, dict):
        return _text(layer)
    kind = layer.get("type", "")
    given = {k: v for k, v in layer.items() if k != "type" and v is not None}
    return f"{kind}({', '.join(f'{key}={_text(value)}' for key, value in given.items())})"


def _text(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 3] + "..."
