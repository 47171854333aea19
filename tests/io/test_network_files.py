"""Files of several networks: the same bits back, and hostile files refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.io import ModelFileError, safetensors
from fastmlp.io.model import NETWORKS_KEY
from fastmlp.io.networks import load_networks, save_networks

pytestmark = pytest.mark.usefixtures("in_tmp_path")


def networks() -> dict[str, Any]:
    """A chain with dropout, and a graph in float64."""
    chain = fm.Sequential(fm.Linear(3, 4), fm.ReLU(), fm.Dropout(0.5), fm.Linear(4, 2), seed=1)
    x = fm.Input(3)
    graph = fm.Graph(x, fm.Linear(3, 1)(fm.Tanh()(x)), seed=2, dtype="float64")
    return {"0": chain, "1": graph}


def test_networks_and_texts_come_back() -> None:
    nets = networks()
    save_networks("n.safetensors", nets, {"data": "made up"})
    found, metadata = load_networks("n.safetensors")
    assert metadata == {"data": "made up"}
    assert list(found) == ["0", "1"]
    for name, net in nets.items():
        assert found[name].describe() == net.describe()
        np.testing.assert_array_equal(found[name].params, net.params)
    save_networks("again.safetensors", found, metadata)
    assert Path("again.safetensors").read_bytes() == Path("n.safetensors").read_bytes()


def test_each_kind_of_file_names_its_reader() -> None:
    save_networks("n.safetensors", networks(), {})
    with pytest.raises(ModelFileError, match=r"which fastmlp\.tabular\.load reads"):
        fm.load("n.safetensors")
    networks()["0"].save("one.safetensors")
    with pytest.raises(ModelFileError, match="and no table's networks"):
        load_networks("one.safetensors")
    with pytest.raises(fm.ArgumentError, match="reserved"):
        networks()["0"].save("one.safetensors", {NETWORKS_KEY: "x"})


def changed(change: Any) -> dict[str, str]:
    """The metadata of a file after a change of the description of its networks."""
    nets = {name: net.describe() for name, net in networks().items()}
    fields = {"format": 1, "networks": nets}
    change(fields)
    return {NETWORKS_KEY: json.dumps(fields)}


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.update(format=True),
        lambda fields: fields.update(format=2),
        lambda fields: fields.update(more=1),
        lambda fields: fields.update(networks=[]),
        lambda fields: fields["networks"].update({"0": 3}),
        lambda fields: fields["networks"].pop("1"),
        lambda fields: fields["networks"].update({"2": fields["networks"]["0"]}),
        lambda fields: fields["networks"]["0"].update(dtype="float64"),
        lambda fields: fields["networks"]["0"].update(layers="x"),
        lambda fields: fields["networks"]["0"]["layers"].pop(),
    ],
)
def test_descriptions_that_do_not_fit_are_refused(change: Any) -> None:
    tensors = {
        f"{name}/{place}.{part}": array
        for name, net in networks().items()
        for place, layer in enumerate(net.layers)
        if isinstance(layer, fm.Linear)
        for part, array in (("W", layer.W), ("b", layer.b))
    }
    safetensors.write("n.safetensors", tensors, changed(lambda fields: None))
    load_networks("n.safetensors")
    safetensors.write("n.safetensors", tensors, changed(change))
    with pytest.raises(ModelFileError, match=r"n\.safetensors is not a fastmlp model"):
        load_networks("n.safetensors")
