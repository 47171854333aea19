"""A model of a table in one file: the network, and as metadata all that a prediction needs.

The metadata key ``"fastmlp.table"`` holds JSON: a version, the target's name and its classes or its
scaling, and the encoder's description. It is read strictly, because files may be hostile.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import fastmlp as fm
from fastmlp.base.errors import ArgumentError
from fastmlp.io import ModelFileError, inspect
from fastmlp.io.safetensors import Malformed, naming, parse_json
from fastmlp.tabular.columns import check_keys, check_number, check_texts
from fastmlp.tabular.encoder import Encoder

if TYPE_CHECKING:
    import pandas as pd

KEY = "fastmlp.table"
VERSION = 1

Array = NDArray[Any]


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
    """What the metadata tells: how rows become inputs, and outputs become answers."""

    target_name: str
    classes: list[str]  # empty for a regression
    target: TargetScaling | None
    encoder: Encoder

    def to_json(self) -> str:
        """Return the text that `from_json` takes."""
        scaling = None if self.target is None else vars(self.target)
        fields = {
            "version": VERSION,
            "target": {"name": self.target_name, "classes": self.classes, "scaling": scaling},
            "encoder": self.encoder.describe(),
        }
        return json.dumps(fields, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> TableDescription:
        """Read and check a description.

        Raises
        ------
        Malformed
            If anything of it is not as `to_json` writes it.
        """
        fields = parse_json(text, "the description of its table")
        try:
            return cls._from_fields(fields)
        except ArgumentError as error:
            raise Malformed(f"the description of its table is invalid: {error}") from None

    @classmethod
    def _from_fields(cls, fields: Any) -> TableDescription:
        version = fields.get("version") if isinstance(fields, dict) else None
        if type(version) is not int or version != VERSION:
            raise ArgumentError(f"its version is {version!r:.40}, expected {VERSION}")
        check_keys(fields, {"version", "target", "encoder"}, "the table")
        target = fields["target"]
        check_keys(target, {"name", "classes", "scaling"}, "the target")
        name = check_texts([target["name"]], "the target's name")[0]
        classes = list(check_texts(target["classes"], "classes"))
        scaling = _scaling(target["scaling"])
        if (scaling is None) != (len(classes) >= 2) or len(classes) == 1:
            raise ArgumentError("a target has either two classes or more, or a scaling")
        return cls(name, classes, scaling, Encoder.from_description(fields["encoder"]))


def _scaling(fields: Any) -> TargetScaling | None:
    if fields is None:
        return None
    check_keys(fields, {"mean", "scale"}, "the target's scaling")
    mean, scale = (check_number(fields[key], f"the target's {key}") for key in ("mean", "scale"))
    if scale <= 0:
        raise ArgumentError(f"the target's scale is {scale}, expected a positive number")
    return TargetScaling(mean, scale)


@dataclass(frozen=True)
class TableModel:
    """A trained network with the description of its table."""

    net: fm.Sequential
    description: TableDescription

    def outputs(self, x: Array) -> Array:
        """Probabilities of the classes (N, C), or values in the target's own unit (N,)."""
        scores = self.net.predict(x)
        return self.answers(scores)

    def answers(self, scores: Array) -> Array:
        """What scores of the network say: see `outputs`."""
        scores = scores.astype(np.float64)
        if self.description.target is not None:
            return self.description.target.undo(scores)[:, 0]
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares: Array = powers / powers.sum(axis=1, keepdims=True)
        return shares

    def predict(self, frame: pd.DataFrame) -> Array:
        """Encode the rows of a table, found by the names of its columns; see `outputs`."""
        x = self.description.encoder.transform(frame)
        return self.outputs(np.ascontiguousarray(x, dtype=self.net.dtype))

    def save(self, path: str | os.PathLike[str], more: Mapping[str, str]) -> None:
        """Write one file, atomically, with more metadata beside."""
        self.net.save(path, {**more, KEY: self.description.to_json()})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TableModel:
        """Read what `save` wrote.

        Raises
        ------
        ModelFileError
            The file is corrupt or no model, or was not trained on a table.
        """
        net, file = fm.load(path), inspect(path)
        text = file.metadata.get(KEY)
        if text is None:
            why = (
                "is a checkpoint; the model file is what predicts"
                if file.is_checkpoint
                else "was not written by `fastmlp train`"
            )
            raise ModelFileError(f"{os.fspath(path)} {why}")
        with naming(path):
            description = TableDescription.from_json(text)
            _check_widths(net, description)
        assert isinstance(net, fm.Sequential)
        return cls(net, description)


def _check_widths(net: Any, description: TableDescription) -> None:
    expected = (description.encoder.width, len(description.classes) or 1)
    found = (net.in_features, net.out_features) if isinstance(net, fm.Sequential) else None
    if found != expected:
        raise Malformed(f"its network has the widths {found}, its table {expected}")
