"""`fastmlp info`: what runs here, or what a model file holds. Needs NumPy alone."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from fastmlp.cli.tables import Row
from fastmlp.config import show_config
from fastmlp.io import inspect

MAX_VALUE_LENGTH = 56  # with the names, what fits a terminal of 80 columns


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
    rows = [(key, _text(value)) for key, value in network.items() if key != "layers"]
    for index, layer in enumerate(layers if isinstance(layers, list) else []):
        rows.append((f"layer {index}", _layer_text(layer)))
    parameters = sum(int(np.prod(shape, dtype=np.uint64)) for shape in model.shapes.values())
    rows += [("parameters", f"{parameters:,}"), ("file size", f"{model.size:,} bytes")]
    rows += [(key, _text(value)) for key, value in sorted(model.metadata.items())]
    return path, rows


def _layer_text(layer: Any) -> str:
    if not isinstance(layer, dict):
        return _text(layer)
    kind = layer.get("type", "")
    given = {k: v for k, v in layer.items() if k != "type" and v is not None}
    return f"{kind}({', '.join(f'{key}={_text(value)}' for key, value in given.items())})"


def _text(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 3] + "..."
