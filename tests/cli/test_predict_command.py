"""Predictions of tables on the command line, and model files that are hostile."""

from __future__ import annotations

import json

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.cli import main
from fastmlp.io import read_metadata

pytest.importorskip("houses")  # skips where packages of the command line are missing

import pandas as pd
from houses import QUICK, houses, one_error_line, write

from fastmlp.io.safetensors import Malformed
from fastmlp.tabular.encoder import Encoder
from fastmlp.tabular.model_file import KEY, TableDescription, TableModel, TargetScaling
from fastmlp.tabular.reading import TableError
from fastmlp.tabular.table import BUILT_IN

pytestmark = pytest.mark.usefixtures("in_tmp_path")


def train_both() -> tuple[pd.DataFrame, str]:
    """A classification and a regression, each with its model; rows that training has not seen."""
    for target, other in (("grade", "price"), ("price", "grade")):
        write(f"{target}.csv", houses().drop(columns=other))
        assert main(["train", f"{target}.csv", "--target", target, *QUICK]) == 0
    new = houses(50, seed=1).drop(columns=["price", "grade"])
    return new, write("new.csv", new)


def test_predictions(capsys: pytest.CaptureFixture[str]) -> None:
    new, path = train_both()
    truth = houses(50, seed=1)
    capsys.readouterr()
    assert main(["predict", "grade.safetensors", path, "--out", "p.csv"]) == 0
    assert capsys.readouterr().out == ""
    found = pd.read_csv("p.csv")
    assert list(found) == ["prediction", "probability_cheap", "probability_dear"]
    np.testing.assert_allclose(found[["probability_cheap", "probability_dear"]].sum(axis=1), 1)
    chosen = found["probability_dear"] > found["probability_cheap"]
    assert (found["prediction"] == np.where(chosen, "dear", "cheap")).all()
    assert (found["prediction"] == truth["grade"]).mean() > 0.85
    assert main(["predict", "price.safetensors", path]) == 0
    name, *prices = capsys.readouterr().out.splitlines()
    assert name == "prediction"
    # Not by pandas, which did not always read the number next to the text.
    np.testing.assert_array_equal(
        [float(price) for price in prices], TableModel.load("price.safetensors").predict(new)
    )


def test_predictions_do_not_mind_other_columns_gaps_and_levels(
    capsys: pytest.CaptureFixture[str],
) -> None:
    new, _ = train_both()
    changed = new[["country", "city", "size"]].assign(more="?")
    changed.loc[3, "city"], changed.loc[4, "city"] = "Paris", None
    changed.loc[5, "size"] = None
    write("changed.csv", changed)
    capsys.readouterr()
    assert main(["predict", "price.safetensors", "changed.csv", "--out", "-"]) == 0
    captured = capsys.readouterr()
    found = np.array(captured.out.split()[1:], dtype=float)
    assert np.isfinite(found).all()
    expected = TableModel.load("price.safetensors").predict(new)
    same = np.ones(50, dtype=bool)
    same[3:6] = False
    np.testing.assert_array_equal(found[same], expected[same])


def test_levels_that_look_like_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    codes = ["007", "7", "x"] * 40
    write("t.csv", pd.DataFrame({"code": codes, "y": np.tile(["a", "b", "b"], 40)}))
    assert main(["train", "t.csv", "--no-progress", "--epochs", "60", "--lr", "0.01"]) == 0
    write("new.csv", pd.DataFrame({"code": ["007", "007", "7"]}))
    capsys.readouterr()
    assert main(["predict", "t.safetensors", "new.csv"]) == 0
    answers = [line.split(",")[0] for line in capsys.readouterr().out.splitlines()]
    assert answers == ["prediction", "a", "a", "b"]


@pytest.mark.parametrize("data", ["iris", "diabetes"])
def test_models_of_built_in_data(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", data, "--no-progress", "--epochs", "30"]) == 0
    table = BUILT_IN[data]()
    write("x.csv", table.frame)
    capsys.readouterr()
    assert main(["predict", f"{data}.safetensors", "x.csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(table.y) + 1
    if data == "iris":
        answers = np.array([line.split(",")[0] for line in lines[1:]])
        assert (answers == np.array(table.classes)[table.y]).mean() > 0.9


def test_info_shows_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    train_both()
    capsys.readouterr()
    assert main(["info", "grade.safetensors"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "target grade: classes cheap, dear" in out
    assert "size numeric, mean " in out
    assert "city categorical: Bruges, Ghent" in out
    assert "left out key (identifier), country (constant)" in out
    assert main(["info", "price.safetensors"]) == 0
    assert "target scaling" in capsys.readouterr().out


def test_what_cannot_be_predicted(capsys: pytest.CaptureFixture[str]) -> None:
    new, path = train_both()
    fm.Sequential(fm.Linear(2, 2)).save("bare.safetensors")
    write("less.csv", new[["key"]])
    write("words.csv", new.assign(size="large"))
    for arguments, words in [
        (["price.safetensors", "less.csv"], "2 columns are missing: 'size', 'city'"),
        (["price.safetensors", "words.csv"], "column 'size' must be numeric, got 'large'"),
        (["price.safetensors", "none.csv"], "none.csv: No such file"),
        (["none.safetensors", path], "none.safetensors: No such file"),
        (["bare.safetensors", path], "was not written by `fastmlp train`"),
        ([path, path], "is not a fastmlp model"),
        (["price.safetensors", path, "--out", "no/p.csv"], "no such directory"),
        (["price.safetensors", path, "--out", "."], "Error: .: is a directory"),
        (["price.safetensors", path, "--out", path], "must not be the data file too"),
        (["price.safetensors", path, "--out", "./price.safetensors"], "the model file too"),
    ]:
        capsys.readouterr()
        assert main(["predict", *arguments]) == 1
        assert words in one_error_line(capsys)
    with pytest.raises(TableError):
        main(["predict", "price.safetensors", "less.csv", "--debug"])


def test_hostile_descriptions_of_tables(capsys: pytest.CaptureFixture[str]) -> None:
    _, path = train_both()
    net, good = fm.load("grade.safetensors"), read_metadata("grade.safetensors")[KEY]
    fields = json.loads(good)
    target, encoder = fields["target"], fields["encoder"]
    for text in [
        "{",
        "[]",
        json.dumps({**fields, "version": 2}),
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
        capsys.readouterr()
        assert main(["predict", "hostile.safetensors", path]) == 1
        assert "hostile.safetensors is not a fastmlp model" in one_error_line(capsys)


@pytest.mark.parametrize("scale", [0, -1.5])
def test_a_scale_that_is_not_positive_is_refused(scale: float) -> None:
    encoder = Encoder().fit(pd.DataFrame({"x": [0.0, 1.0]}))
    fields = json.loads(TableDescription("y", [], TargetScaling(0.0, 1.0), encoder).to_json())
    fields["target"]["scaling"]["scale"] = scale
    with pytest.raises(Malformed, match=rf"scale is {scale:.1f}, expected a positive number"):
        TableDescription.from_json(json.dumps(fields))
