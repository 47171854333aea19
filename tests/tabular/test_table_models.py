"""Models of tables: predictions of frames, dicts and files, and hostile model files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

import pandas as pd
from tests.houses import houses, write

import fastmlp as fm
from fastmlp import tabular
from fastmlp.base.errors import ArgumentError, StateError
from fastmlp.io import ModelFileError
from fastmlp.io.networks import load_networks, save_networks
from fastmlp.tabular import MLP, TableError, TableModel
from fastmlp.tabular.labels import Labels
from fastmlp.tabular.model_file import KEY

pytestmark = pytest.mark.usefixtures("in_tmp_path")

QUICK = MLP(hidden=(16,), epochs=8, lr=0.01)
NEW = houses(50, seed=1).drop(columns=["price", "grade"])


def trained(target: str, **options: Any) -> TableModel:
    other = "price" if target == "grade" else "grade"
    options = {"model": QUICK, "n_members": 2, **options}
    return tabular.train(houses().drop(columns=other), target, **options).model


def test_frames_dicts_and_files_give_the_same_predictions() -> None:
    model = trained("grade")
    expected = model.predict(NEW)
    assert (expected == houses(50, seed=1)["grade"]).mean() > 0.85
    for table in (NEW.to_dict("list"), write("new.csv", NEW), Path("new.csv")):
        np.testing.assert_array_equal(model.predict(table), expected)


def test_probabilities_and_predictions_agree() -> None:
    model = trained("grade")
    shares, found = model.predict_proba(NEW), model.predictions(NEW)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert list(found) == ["prediction", "probability_cheap", "probability_dear"]
    assert found["prediction"].tolist() == model.predict(NEW).tolist()
    np.testing.assert_array_equal(found["probability_dear"], shares[:, 1])
    assert model.predict(NEW).tolist() == np.array(model.classes)[shares.argmax(axis=1)].tolist()


def test_the_threshold_decides() -> None:
    model = trained("grade", threshold=0.9)
    chance = model.predict_proba(NEW)[:, 1]
    assert model.threshold == 0.9
    assert (model.predict(NEW) == np.where(chance > 0.9, "dear", "cheap")).all()


def test_a_regression_predicts_numbers() -> None:
    model = trained("price")
    values = model.predict(NEW)
    assert np.corrcoef(values, houses(50, seed=1)["price"])[0, 1] > 0.9
    assert list(model.predictions(NEW)) == ["prediction"]
    with pytest.raises(StateError, match="a regression has no probabilities"):
        model.predict_proba(NEW)


def test_an_ensemble_is_the_weighted_mean_of_its_members() -> None:
    model = trained("price", n_members=3)
    read = model.read(NEW)
    parts = [member.outputs(read) for member in model.members]
    assert sum(model.weights) == pytest.approx(1)
    mean = sum(w * part for w, part in zip(model.weights, parts, strict=True))
    np.testing.assert_allclose(model.predict(NEW), mean)
    assert len({member.net.params.tobytes() for member in model.members}) == 3


def test_a_loaded_model_is_the_one_that_was_saved() -> None:
    frame = houses().drop(columns="price")
    result = tabular.train(frame, "grade", model=QUICK, n_members=2, threshold=0.4)
    result.save("m.safetensors")
    model = tabular.load("m.safetensors")
    np.testing.assert_array_equal(model.predict_proba(NEW), result.model.predict_proba(NEW))
    assert model.predict(NEW).tolist() == result.model.predict(NEW).tolist()
    assert model.metadata == {"data": "table", **result.summary}
    assert (model.temperature, model.threshold) == (result.model.temperature, 0.4)
    info = model.info()
    assert info == json.loads(json.dumps(result.model.info()))
    assert info["target"] == "grade"
    assert info["classes"] == ["cheap", "dear"]
    assert info["columns"]["city"]["kind"] == "categorical"
    assert info["left_out"] == {"key": "identifier", "country": "constant"}
    assert info["parameters"] == sum(member.net.params.size for member in model.members)
    assert info["training"]["models"] == ["MLP", "MLP"]
    model.save("again.safetensors")
    assert Path("again.safetensors").read_bytes() == Path("m.safetensors").read_bytes()


@pytest.mark.parametrize(
    "values", [["b", "a"], ["007", "7"], [3, -1], [0.5, 2.0], [True, False], [2**62, 2**62 + 1]]
)
def test_labels_come_back_exactly(values: list[Any]) -> None:
    labels = Labels.of(np.array(values))
    again = Labels.from_description(json.loads(json.dumps(labels.describe())))
    assert again.values.tolist() == values
    assert again.values.dtype == labels.values.dtype


def test_a_model_of_pixels() -> None:
    pytest.importorskip("sklearn")
    digits = tabular.load_dataset("digits")
    trained = tabular.train(digits, model=MLP(epochs=20), n_members=1, seed=5)
    assert trained.scores["accuracy"] > 0.95
    trained.save("digits.safetensors")
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
    with pytest.raises(ModelFileError, match="and no table's networks"):
        tabular.load("plain.safetensors")
    save_networks("bare.safetensors", {"0": fm.Sequential(fm.Linear(2, 2))}, {})
    with pytest.raises(ModelFileError, match="but no description of a table"):
        tabular.load("bare.safetensors")
    with pytest.raises(ModelFileError, match="is not a fastmlp model"):
        tabular.load(write("t.csv", NEW))
    model = trained("price")
    model.members[1].net.params[3] = np.nan
    model.save("nan.safetensors")
    with pytest.raises(ModelFileError, match="weights that are not finite"):
        tabular.load("nan.safetensors")


def changed(fields: Any, path: str, value: Any) -> Any:
    """A copy of nested fields with another value at a path such as "members/0/weight"."""
    copy = json.loads(json.dumps(fields))
    *outer, last = [int(key) if key.isdecimal() else key for key in path.split("/")]
    inner = copy
    for key in outer:
        inner = inner[key]
    inner[last] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 1),
        ("version", True),
        ("more", 1),
        ("target", {"name": "y"}),
        ("target/name", 1),
        ("target/labels/type", "date"),
        ("target/labels/values", ["a"]),
        ("target/labels/values", ["a", "b", "c"]),
        ("target/labels/values", ["a", "a"]),
        ("target/labels/values", ["a", 1]),
        ("target/labels/values", []),
        ("reader", None),
        ("reader/rules", []),
        ("members", []),
        ("members/0/encoder", 7),
        ("members/0/encoder/numbers", []),
        ("members/0/weight", 0),
        ("members/0/weight", "1"),
        ("members/0/temperature", -1),
        ("members/0/head/classes", 3),
        ("members/0/head/members", 2),
        ("temperature", 0),
        ("threshold", 1.5),
        ("positive", 2),
        ("training", []),
        ("keep", "x"),
    ],
)
def test_hostile_descriptions_of_tables(path: str, value: Any, good: Any) -> None:
    nets, metadata = good
    text = json.dumps(changed(json.loads(metadata[KEY]), path, value))
    save_networks("hostile.safetensors", nets, {KEY: text})
    with pytest.raises(ModelFileError, match=r"hostile\.safetensors is not a fastmlp model"):
        tabular.load("hostile.safetensors")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The networks and texts of a good file."""
    path = tmp_path_factory.mktemp("good") / "good.safetensors"
    trained("grade").save(path)
    return load_networks(path)


def test_texts_that_are_no_description_and_missing_networks(good: Any) -> None:
    nets, metadata = good
    for text in ("{", "[]", "3", json.dumps(None)):
        save_networks("hostile.safetensors", nets, {KEY: text})
        with pytest.raises(ModelFileError):
            tabular.load("hostile.safetensors")
    save_networks("hostile.safetensors", {"0": nets["0"]}, metadata)
    with pytest.raises(ModelFileError, match="2 members for 1 networks"):
        tabular.load("hostile.safetensors")


def test_a_model_without_held_out_rows_needs_a_table_for_its_report() -> None:
    model = trained("grade")
    assert "held-out rows" in str(model.report())
    from_rows = model.report(houses(80, seed=3))
    assert from_rows.scores["accuracy"] > 0.7
    model.save("m.safetensors")
    loaded = tabular.load("m.safetensors")
    assert loaded.report(houses(80, seed=3)).scores == from_rows.scores
    with pytest.raises(StateError, match="give a table"):
        loaded.report()
    with pytest.raises(TableError, match="target"):
        loaded.report(NEW)
    with pytest.raises(TableError, match="has the class 'huge', which training has not"):
        loaded.report(houses(80).assign(grade="huge"))
    assert replace(model, held=None) == model


def test_the_importance_of_columns_is_that_of_shuffling_them() -> None:
    rng = np.random.default_rng(0)
    table = {name: rng.normal(size=400) for name in "abc"}
    y = 10 * table["a"] + 3 * table["b"]
    model = tabular.train({**table, "y": y}, "y", model=MLP(epochs=40), n_members=3).model
    found = model.report().importance
    assert found is not None
    assert found.names == ("a", "b", "c")
    # Of the held-out rows, each predicted by a network that has not seen it.
    assert found.means[0] == pytest.approx(10 * np.sqrt(2), rel=0.15)
    assert abs(found.means[2]) < 0.2
    wide = {f"x{i}": rng.normal(size=40) for i in range(301)}
    model = tabular.train({**wide, "y": list("ab") * 20}, "y", model=MLP(epochs=1)).model
    assert model.report().importance is None
