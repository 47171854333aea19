"""A trained model of a table in one file: several networks, and how tables are read for them.

The file is one of `fastmlp.io.networks`; the networks are called "0", "1", ... The metadata key
``"fastmlp.table"`` holds JSON, which is read strictly, because files may be hostile.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.io import ModelFileError
from fastmlp.io.networks import load_networks, save_networks
from fastmlp.io.safetensors import Malformed, naming, parse_json
from fastmlp.tabular.checking import check_count, check_keys, check_number, check_texts
from fastmlp.tabular.columns import TableReader
from fastmlp.tabular.labels import Target
from fastmlp.tabular.models import Member
from fastmlp.tabular.report.making import columns_of
from fastmlp.tabular.table_model import TableModel

KEY = "fastmlp.table"
VERSION = 2
KEYS = {
    "version", "target", "reader", "members", "temperature", "threshold", "positive",
    "training", "keep",
}  # fmt: skip


def save(model: TableModel, path: str | os.PathLike[str], metadata: Mapping[str, str]) -> None:
    """Write a model to one file, atomically, with texts of the caller."""
    nets = {str(number): member.net for number, member in enumerate(model.members)}
    save_networks(path, nets, {**metadata, KEY: json.dumps(_fields(model), allow_nan=False)})


def _fields(model: TableModel) -> dict[str, Any]:
    members = [
        {**member.describe(), "weight": weight, "temperature": temperature}
        for member, weight, temperature in zip(
            model.members, model.weights, model.temperatures, strict=True
        )
    ]
    return {
        "version": VERSION,
        "target": model.target.describe(),
        "reader": model.reader.describe(),
        "members": members,
        "temperature": model.temperature,
        "threshold": model.threshold,
        "positive": model.positive,
        "training": dict(model.training),
        "keep": list(model.keep),
    }


def load(path: str | os.PathLike[str]) -> TableModel:
    """Read a model of a table, written by `TableModel.save` or by the command line.

    Parameters
    ----------
    path : str or path-like

    Raises
    ------
    ModelFileError
        The file is corrupt or no model, was not trained on a table, or has weights that are not
        finite.
    OSError
        It is missing or unreadable.

    Examples
    --------
    >>> import tempfile, fastmlp.tabular
    >>> table = {"size": range(40), "grade": ["cheap", "dear"] * 20}
    >>> trained = fastmlp.tabular.train(table, target="grade")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trained.save(f"{folder}/grades.safetensors")
    ...     fastmlp.tabular.load(f"{folder}/grades.safetensors").classes
    ['cheap', 'dear']
    """
    nets, metadata = load_networks(path)
    with naming(path):
        text = metadata.pop(KEY, None)
        if text is None:
            raise Malformed("it holds networks, but no description of a table")
        fields = parse_json(text, "the description of its table")
        try:
            model = _model(fields, nets, metadata)
        except ArgumentError as error:
            raise Malformed(f"the description of its table is invalid: {error}") from None
    if not all(np.isfinite(net.params).all() for net in nets.values()):
        raise ModelFileError(f"{os.fspath(path)} has weights that are not finite")
    return model


def _model(fields: Any, nets: Mapping[str, Any], metadata: Mapping[str, str]) -> TableModel:
    version = fields.get("version") if isinstance(fields, dict) else None
    if type(version) is not int or version != VERSION:
        raise ArgumentError(f"its version is {version!r:.40}, expected {VERSION}")
    check_keys(fields, KEYS, "the table")
    target = Target.from_description(fields["target"])
    members, weights, temperatures = _members(fields, nets, target)
    temperature = check_number(fields["temperature"], "the temperature")
    threshold = check_number(fields["threshold"], "the threshold")
    if temperature <= 0 or not 0 <= threshold <= 1:
        raise ArgumentError("the temperature or the threshold is out of its range")
    if not isinstance(fields["training"], dict):
        raise ArgumentError("the training must be an object")
    return TableModel(
        target=target,
        reader=TableReader.from_description(fields["reader"]),
        members=members,
        weights=weights,
        temperatures=temperatures,
        temperature=temperature,
        threshold=threshold,
        positive=check_count(fields["positive"], "the positive class", 1),
        training=fields["training"],
        keep=tuple(check_texts(fields["keep"], "the columns to keep")),
        metadata=metadata,
    )


def _members(fields: Any, nets: Mapping[str, Any], target: Target) -> tuple[Any, Any, Any]:
    """Return the members, their weights and their temperatures."""
    described = fields["members"]
    if not isinstance(described, list) or not described:
        raise ArgumentError("the table must have a list of members")
    if nets.keys() != {str(number) for number in range(len(described))}:
        raise ArgumentError(f"it describes {len(described)} members for {len(nets)} networks")
    found = [_member(one, nets[str(n)], target) for n, one in enumerate(described)]
    members, weights, temperatures = zip(*found, strict=True)
    return members, weights, temperatures


def _member(fields: Any, net: Any, target: Target) -> tuple[Member, float, float]:
    check_keys(fields, {"encoder", "head", "weight", "temperature"}, "a member")
    weight = check_number(fields["weight"], "a weight")
    temperature = check_number(fields["temperature"], "a temperature")
    rest = {key: fields[key] for key in ("encoder", "head")}
    member = Member.from_description(net, rest)
    if weight <= 0 or temperature <= 0 or member.head.classes != target.classes:
        raise ArgumentError(
            "a weight or temperature is not positive, or a network has other classes"
        )
    return member, weight, temperature


def described(model: TableModel) -> dict[str, Any]:
    """Return what a model is, as values that JSON can hold."""
    found: dict[str, Any] = {
        **model.metadata,
        "target": model.target.name,
        "task": model.target.task,
        "parameters": model.n_parameters,
        "members": len(model.members),
        "training": dict(model.training),
        "columns": {column.name: vars(column) for column in columns_of(model)},
        "left_out": dict(model.reader.left_out),
    }
    if model.target.classes:
        found["classes"] = model.classes
        found |= {"temperature": model.temperature, "threshold": model.threshold}
    return found
