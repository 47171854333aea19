"""The description of a table in a model file: its target, and how its columns are encoded.

The metadata key ``"fastmlp.table"`` holds JSON: a version, the target's name and its classes or its
scaling, and the encoder's description. It is read strictly, because files may be hostile.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.io.safetensors import Malformed, parse_json
from fastmlp.tabular.checking import check_keys, check_number, check_texts
from fastmlp.tabular.encoder import Encoder

KEY = "fastmlp.table"
VERSION = 2


@dataclass(frozen=True)
class TargetScaling:
    """The map v -> (v - mean) / scale of a regression's target."""

    mean: float
    scale: float

    @classmethod
    def fit(cls, values: Array) -> TargetScaling:
        with np.errstate(over="ignore", invalid="ignore"):
            mean, deviation = float(values.mean()), float(values.std())
        if not math.isfinite(mean + deviation):
            raise ArgumentError("the target holds numbers too large to standardise")
        return cls(mean, deviation or 1.0)

    def apply(self, values: Array) -> Array:
        return (values - self.mean) / self.scale

    def undo(self, values: Array) -> Array:
        return values * self.scale + self.mean


@dataclass(frozen=True)
class TableDescription:
    """How the rows of a table become inputs, and the network's outputs become predictions."""

    target_name: str
    classes: list[str]  # empty for a regression
    target: TargetScaling | None
    encoder: Encoder
    keep: tuple[str, ...] = ()  # columns that are copied into tables of predictions

    def to_json(self) -> str:
        """Return the text that `from_json` takes."""
        scaling = None if self.target is None else vars(self.target)
        fields = {
            "version": VERSION,
            "target": {"name": self.target_name, "classes": self.classes, "scaling": scaling},
            "encoder": self.encoder.describe(),
            "keep": list(self.keep),
        }
        return json.dumps(fields, allow_nan=False)

    def info(self) -> dict[str, Any]:
        """Return the description as plain values.

        The keys are target, task, classes or target_scaling, reading (how each column is read and
        why), columns (how each one is encoded), inputs (of the network) and left_out (why columns
        are not used).
        """
        task = "classification" if self.classes else "regression"
        found: dict[str, Any] = {"target": self.target_name, "task": task}
        if self.target is None:
            found["classes"] = self.classes
        else:
            found["target_scaling"] = vars(self.target)
        columns = {column.name: str(column) for column in self.encoder.columns}
        left_out = dict(self.encoder.left_out)
        found["reading"] = {rule.name: str(rule) for rule in self.encoder.reader.rules}
        return {**found, "columns": columns, "inputs": self.encoder.width, "left_out": left_out}

    @classmethod
    def from_json(cls, text: str) -> TableDescription:
        """Read and check a description.

        Raises
        ------
        Malformed
            If it differs in form from what `to_json` writes.
        """
        fields = parse_json(text, "the description of its table")
        try:
            return cls._from_fields(fields)
        except ArgumentError as error:
            raise Malformed(f"the description of its table is invalid: {error}") from None

    @classmethod
    def _from_fields(cls, fields: Any) -> TableDescription:
        version = fields.get("version") if isinstance(fields, dict) else None
        if type(version) is int and version < VERSION:
            raise ArgumentError("an older version of fastmlp wrote it; train the model again")
        if type(version) is not int or version != VERSION:
            raise ArgumentError(f"its version is {version!r:.40}, expected {VERSION}")
        check_keys(fields, {"version", "target", "encoder", "keep"}, "the table")
        keep = tuple(check_texts(fields["keep"], "columns to keep"))
        target = fields["target"]
        check_keys(target, {"name", "classes", "scaling"}, "the target")
        name = check_texts([target["name"]], "the target's name")[0]
        classes = list(check_texts(target["classes"], "classes"))
        scaling = _scaling(target["scaling"])
        if (scaling is None) != (len(classes) >= 2) or len(classes) == 1:
            raise ArgumentError("a target has either two classes or more, or a scaling")
        return cls(name, classes, scaling, Encoder.from_description(fields["encoder"]), keep)


def _scaling(fields: Any) -> TargetScaling | None:
    if fields is None:
        return None
    check_keys(fields, {"mean", "scale"}, "the target's scaling")
    mean, scale = (check_number(fields[key], f"the target's {key}") for key in ("mean", "scale"))
    if scale <= 0:
        raise ArgumentError(f"the target's scale is {scale}, expected a positive number")
    return TargetScaling(mean, scale)
