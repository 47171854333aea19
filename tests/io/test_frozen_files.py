"""Files of frozen predictors."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from tests.frozen_networks import (
    NETS,
    assert_same,
    calibrated,
    chain,
    rows_of,
)

import fastmlp as fm
from fastmlp.io import safetensors


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("weights", [None, "bfloat16", "int8"])
def test_a_file_holds_the_predictor(name, weights, tmp_path):
    net = NETS[name]()
    x, path = rows_of(net, 20), tmp_path / "frozen.safetensors"
    frozen = fm.freeze(net, weights=weights, rows=rows_of(net, 100))
    frozen.save(path, metadata={"data": "drawn"})
    again = fm.FrozenPredictor.load(path)
    assert again.weights == frozen.weights
    assert again.describe() == frozen.describe()
    assert_same(again.predict(x), frozen.predict(x))
    assert fm.io.read_metadata(path) == {"data": "drawn"}
    with pytest.raises(fm.io.ModelFileError, match=r"fm\.FrozenPredictor\.load reads"):
        fm.load(path)
    pickled = pickle.loads(pickle.dumps(frozen))
    assert_same(pickled.predict(x), frozen.predict(x))


def test_a_file_of_8_bits_is_small(tmp_path):
    net = chain((300, 400, 200))
    calibrated(net).save(tmp_path / "int8")
    net.save(tmp_path / "float32")
    sizes = {name: (tmp_path / name).stat().st_size for name in ("int8", "float32")}
    assert sizes["int8"] < 0.3 * sizes["float32"]


def test_a_file_of_a_network_is_no_frozen_predictor(tmp_path):
    chain((3, 2)).save(tmp_path / "net")
    with pytest.raises(fm.io.ModelFileError, match=r"no frozen predictor; fm\.load"):
        fm.FrozenPredictor.load(tmp_path / "net")


def rewritten(path, change):
    """The file with its header and its tensors as ``change`` leaves them."""
    with safetensors.open_tensors(path) as (file, header):
        arrays = {}
        for name, entry in header.tensors.items():
            arrays[name] = np.empty(entry.shape, entry.dtype)
            safetensors.read_into(file, header, name, arrays[name])
        metadata = dict(header.metadata)
    change(arrays, metadata)
    safetensors.write(path, arrays, metadata)


DAMAGE = {
    "no scales": lambda arrays, _: arrays.pop("0.W.scale"),
    "scales of no columns": lambda arrays, _: arrays.update({"0.W.scale": arrays["0.W.scale"][:1]}),
    "a negative scale": lambda arrays, _: arrays["0.W.scale"].__setitem__(0, -1),
    "a NaN scale": lambda arrays, _: arrays["0.W.scale"].__setitem__(0, np.nan),
    "a step of 0": lambda arrays, _: arrays["0.W.input"].__setitem__(0, 0),
    "a broken zero": lambda arrays, _: arrays["0.W.input"].__setitem__(1, 0.5),
    "a NaN zero": lambda arrays, _: arrays["0.W.input"].__setitem__(1, np.nan),
    "an infinite zero": lambda arrays, _: arrays["0.W.input"].__setitem__(1, np.inf),
    "a zero of 256": lambda arrays, _: arrays["0.W.input"].__setitem__(1, 256),
    "a weight of -128": lambda arrays, _: arrays["0.W"].__setitem__((0, 0), -128),
    "weights of floats": lambda arrays, _: arrays.update({"0.W": arrays["0.W"].astype("f4")}),
    "a bias of 8 bits": lambda arrays, _: arrays.update({"0.b": arrays["0.b"].astype("i1")}),
    "other weights": lambda _, metadata: metadata.update({"fastmlp.frozen": '{"weights":"int4"}'}),
    "a list": lambda _, metadata: metadata.update({"fastmlp.frozen": '{"weights":["int8"]}'}),
    "no object": lambda _, metadata: metadata.update({"fastmlp.frozen": "3"}),
    "float32": lambda _, metadata: metadata.update({"fastmlp.frozen": '{"weights":"float32"}'}),
    "float64": lambda _, metadata: metadata.update({"fastmlp.frozen": '{"weights":"float64"}'}),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_refused(name, tmp_path):
    path = tmp_path / "frozen"
    calibrated(chain((3, 5, 2))).save(path)
    rewritten(path, lambda *_: None)
    fm.FrozenPredictor.load(path)
    rewritten(path, DAMAGE[name])
    with pytest.raises(fm.io.ModelFileError):
        fm.FrozenPredictor.load(path)
