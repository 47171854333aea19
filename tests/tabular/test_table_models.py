"""Models of tables: predictions of frames, dicts and files, and hostile model files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pandas")

import pandas as pd
from tests.houses import houses, write

import fastmlp as fm
from fastmlp import tabular
from fastmlp.base.errors import ArgumentError, StateError
from fastmlp.io import ModelFileError, read_metadata
from fastmlp.io.safetensors import Malformed
from fastmlp.tabular import MLP, Encoder, TableDescription, TableError, TableModel
from fastmlp.tabular.description import KEY, TargetScaling

pytestmark = pytest.mark.usefixtures("in_tmp_path")

QUICK = MLP(hidden=(16,), epochs=8, lr=0.01)
NEW = houses(50, seed=1).drop(columns=["price", "grade"])


def trained(target: str) -> TableModel:
    other = "price" if target == "grade" else "grade"
    return tabular.train(houses().drop(columns=other), target, model=QUICK).model


def test_frames_dicts_and_files_give_the_same_predictions() -> None:
    model = trained("grade")
    expected = model.predict(NEW)
    assert (expected == houses(50, seed=1)["grade"]).mean() > 0.85
    for table in (NEW.to_dict("list"), write("new.csv", NEW), Path("new.csv")):
        np.testing.assert_array_equal(model.predict(table), expected)


def test_a_model_in_bfloat16_remembers_it() -> None:
    quick = MLP(hidden=(16,), epochs=8, lr=0.01, compute="bfloat16")
    model = tabular.train(houses().drop(columns="price"), "grade", model=quick).model
    assert model.net.compute == "bfloat16"
    assert (model.predict(NEW) == houses(50, seed=1)["grade"]).mean() > 0.85
    with pytest.raises(ArgumentError, match="compute"):
        MLP(dtype="float64", compute="bfloat16")


def test_probabilities_and_predictions_agree() -> None:
    model = trained("grade")
    shares, found = model.predict_proba(NEW), model.predictions(NEW)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert list(found) == ["prediction", "probability_cheap", "probability_dear"]
    assert found["prediction"].tolist() == model.predict(NEW).tolist()
    np.testing.assert_array_equal(found["probability_dear"], shares[:, 1])
    assert model.predict(NEW).tolist() == np.array(model.classes)[shares.argmax(axis=1)].tolist()


def test_a_regression_predicts_numbers() -> None:
    model = trained("price")
    values = model.predict(NEW)
    assert np.corrcoef(values, houses(50, seed=1)["price"])[0, 1] > 0.9
    assert list(model.predictions(NEW)) == ["prediction"]
    with pytest.raises(StateError, match="a regression has no probabilities"):
        model.predict_proba(NEW)


def test_a_loaded_model_is_the_one_that_was_saved() -> None:
    result = tabular.train(houses().drop(columns="price"), "grade", model=QUICK)
    result.save("m.safetensors")
    model = tabular.load("m.safetensors")
    np.testing.assert_array_equal(model.predict_proba(NEW), result.model.predict_proba(NEW))
    assert model.metadata == {"data": "table", "task": "classification", **result.summary}
    info = model.info()
    assert info["target"] == "grade"
    assert info["classes"] == ["cheap", "dear"]
    assert info["columns"]["city"] == "categorical: Bruges, Ghent, Ypres"
    assert info["left_out"] == {"key": "identifier", "country": "constant"}
    assert info["parameters"] == model.net.params.size
    assert info["test accuracy"] == result.summary["test accuracy"]
    model.save("again.safetensors")
    assert Path("again.safetensors").read_bytes() == Path("m.safetensors").read_bytes()


def test_a_model_of_pixels_with_a_known_maximum() -> None:
    pytest.importorskip("sklearn")
    digits = tabular.load_dataset("digits")
    tabular.train(digits, model=MLP(epochs=20), seed=5).save("digits.safetensors")
    model = tabular.load("digits.safetensors")
    assert (model.predict_proba(digits.frame).argmax(axis=1) == digits.y).mean() > 0.95
    assert model.classes == [str(i) for i in range(10)]


def test_other_columns_gaps_and_new_levels_do_not_matter() -> None:
    model = trained("price")
    changed = NEW[["country", "city", "size"]].assign(more="?")
    changed.loc[3, "city"], changed.loc[4, "city"] = "Paris", None
    changed.loc[5, "size"] = None
    found, same = model.predict(changed), np.ones(50, dtype=bool)
    assert np.isfinite(found).all()
    same[3:6] = False
    np.testing.assert_array_equal(found[same], model.predict(NEW)[same])


def test_levels_that_look_like_numbers_are_read_as_text() -> None:
    codes = ["007", "7", "x"] * 40
    write("t.csv", pd.DataFrame({"code": codes, "y": np.tile(["a", "b", "b"], 40)}))
    model = tabular.train("t.csv", model=MLP(epochs=60, lr=0.01)).model
    write("new.csv", pd.DataFrame({"code": ["007", "007", "7"]}))
    assert model.predict("new.csv").tolist() == ["a", "a", "b"]


def test_tables_that_do_not_suit_the_model() -> None:
    model = trained("price")
    with pytest.raises(ArgumentError, match="2 columns are missing: 'size', 'city'"):
        model.predict(NEW[["key"]])
    with pytest.raises(ArgumentError, match="column 'size' must be numeric, got 'large'"):
        model.notes(NEW.assign(size="large"))
    with pytest.raises(TableError, match="no rows"):
        model.predict(NEW[:0])


def test_files_that_are_no_models_of_tables() -> None:
    fm.Sequential(fm.Linear(2, 2)).save("plain.safetensors")
    with pytest.raises(ModelFileError, match="holds a network, but no description of the table"):
        tabular.load("plain.safetensors")
    tabular.train(houses(60), "grade", model=QUICK, checkpoint="c")
    with pytest.raises(ModelFileError, match="c is a checkpoint: it can resume"):
        tabular.load("c")
    with pytest.raises(ModelFileError, match="is not a fastmlp model"):
        tabular.load(write("t.csv", NEW))
    model = trained("price")
    model.net.params[3] = np.nan
    model.save("nan.safetensors")
    with pytest.raises(ModelFileError, match="weights that are not finite"):
        tabular.load("nan.safetensors")


def test_hostile_descriptions_of_tables() -> None:
    trained("grade").save("good.safetensors")
    net, good = fm.load("good.safetensors"), read_metadata("good.safetensors")[KEY]
    fields = json.loads(good)
    target, encoder = fields["target"], fields["encoder"]
    for text in [
        "{",
        "[]",
        json.dumps({**fields, "version": 1}),
        json.dumps({**fields, "version": 3}),
        json.dumps({**fields, "version": True}),
        json.dumps({**fields, "more": 1}),
        json.dumps({**fields, "encoder": None}),
        json.dumps({**fields, "target": {**target, "classes": ["a"]}}),
        json.dumps({**fields, "target": {**target, "classes": ["a", "b", "c"]}}),
        json.dumps({**fields, "target": {**target, "classes": ["a", "a"]}}),
        json.dumps({**fields, "target": {**target, "classes": []}}),
        json.dumps({**fields, "target": {**target, "scaling": {"mean": 0, "scale": 1}}}),
        json.dumps({**fields, "target": {**target, "name": 1}}),
        json.dumps({**fields, "encoder": {**encoder, "columns": encoder["columns"][:1]}}),
    ]:
        net.save("hostile.safetensors", {KEY: text})
        with pytest.raises(ModelFileError, match=r"hostile\.safetensors is not a fastmlp model"):
            tabular.load("hostile.safetensors")


@pytest.mark.parametrize("scale", [0, -1.5])
def test_a_scale_that_is_not_positive_is_refused(scale: float) -> None:
    encoder = Encoder().fit(pd.DataFrame({"x": [0.0, 1.0]}))
    fields = json.loads(TableDescription("y", [], TargetScaling(0.0, 1.0), encoder).to_json())
    fields["target"]["scaling"]["scale"] = scale
    with pytest.raises(Malformed, match=rf"scale is {scale:.1f}, expected a positive number"):
        TableDescription.from_json(json.dumps(fields))
