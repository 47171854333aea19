"""`fastmlp predict` with models of `fastmlp train`: its output, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("click")
pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
pytest.importorskip("tests.houses")  # skips where pandas is missing

import pandas as pd
from tests.houses import QUICK, houses, one_error_line, write

import fastmlp as fm
from fastmlp import tabular
from fastmlp.cli import main

pytestmark = pytest.mark.usefixtures("in_tmp_path")


def train_both() -> tuple[pd.DataFrame, str]:
    """A classification and a regression model, and rows that training has not seen."""
    for target, other in (("grade", "price"), ("price", "grade")):
        write(f"{target}.csv", houses().drop(columns=other))
        assert main(["train", f"{target}.csv", "--target", target, *QUICK]) == 0
    new = houses(50, seed=1).drop(columns=["price", "grade"])
    return new, write("new.csv", new)


def test_predictions_are_those_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    new, path = train_both()
    capsys.readouterr()
    assert main(["predict", "grade.safetensors", path, "--out", "p.csv"]) == 0
    assert capsys.readouterr().out == ""
    expected = tabular.load("grade.safetensors").predictions(new)
    pd.testing.assert_frame_equal(pd.read_csv("p.csv"), expected, check_dtype=False, rtol=1e-12)
    for arguments in ([], ["--out", "-"]):
        assert main(["predict", "price.safetensors", path, *arguments]) == 0
        name, *prices = capsys.readouterr().out.splitlines()
        assert name == "prediction"
        # Without pandas, which did not always parse to the nearest number.
        found = [float(price) for price in prices]
        np.testing.assert_array_equal(found, tabular.load("price.safetensors").predict(new))


@pytest.mark.parametrize("data", ["iris", "diabetes"])
def test_models_of_built_in_data(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", data, "--model", "mlp", "--epochs", "30"]) == 0
    table = tabular.load_dataset(data)
    write("x.csv", table.frame.table.to_pandas())
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
    assert "models 2 x MLP" in out
    assert "size numeric: numbers; " in out
    assert "city categorical: 3 levels; text; " in out
    assert "left out key (identifier), country (constant)" in out
    assert main(["info", "price.safetensors"]) == 0
    assert "target price: numbers" in " ".join(capsys.readouterr().out.split())


def test_tables_that_cannot_be_predicted_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    new, path = train_both()
    fm.Sequential(fm.Linear(2, 2)).save("plain.safetensors")
    write("less.csv", new[["key"]])
    write("words.csv", new.assign(size="large"))
    for arguments, words in [
        (["price.safetensors", "less.csv"], "2 columns are missing: 'size', 'city'"),
        (["price.safetensors", "words.csv"], "column 'size' must be numeric, got 'large'"),
        (["price.safetensors", "none.csv"], "none.csv: No such file"),
        (["none.safetensors", path], "none.safetensors: No such file"),
        (["plain.safetensors", path], "and no table's networks"),
        ([path, path], "is not a fastmlp model"),
        (["price.safetensors", path, "--out", "no/p.csv"], "no such directory"),
        (["price.safetensors", path, "--out", "."], "Error: .: is a directory"),
        (["price.safetensors", path, "--out", path], "must not be the data file too"),
        (["price.safetensors", path, "--out", "./price.safetensors"], "the model file too"),
    ]:
        capsys.readouterr()
        assert main(["predict", *arguments]) == 1
        assert words in one_error_line(capsys)
    with pytest.raises(tabular.TableError):
        main(["predict", "price.safetensors", "less.csv", "--debug"])


def test_columns_are_copied_into_predictions(capsys: pytest.CaptureFixture[str]) -> None:
    write("t.csv", houses()[["key", "size", "city", "grade"]])
    arguments = ["--target", "grade", *QUICK, "--keep", "key", "--drop", "city"]
    assert main(["train", "t.csv", *arguments]) == 0
    write("new.csv", houses(5, seed=1)[["key", "size", "city"]])
    capsys.readouterr()
    assert main(["predict", "t.safetensors", "new.csv", "--keep", "city"]) == 0
    name, *lines = capsys.readouterr().out.splitlines()
    assert name == "city,key,prediction,probability_cheap,probability_dear"
    assert [line.split(",")[1] for line in lines] == [f"house {i}" for i in range(5)]
    assert tabular.load("t.safetensors").reader.names == ["size"]
    write("new.csv", houses(5)[["size"]])
    assert main(["predict", "t.safetensors", "new.csv"]) == 0
    assert capsys.readouterr().out.startswith("prediction,")
    assert main(["predict", "t.safetensors", "new.csv", "--keep", "key"]) == 1
    assert "--keep: a column is missing: 'key'" in one_error_line(capsys)


def test_options_of_files(capsys: pytest.CaptureFixture[str]) -> None:
    write("t.csv", houses()[["size", "city", "grade"]])
    assert main(["train", "t.csv", "--target", "grade", *QUICK]) == 0
    new = houses(5, seed=1)[["size", "city"]]
    text = "made up\n" + new.assign(city="G\xe9nt").to_csv(index=False, sep="~")
    with open("new.csv", "w", encoding="cp1252") as file:
        file.write(text)
    options = ["--encoding", "cp1252", "--sep", "~", "--skip-rows", "1"]
    capsys.readouterr()
    assert main(["predict", "t.safetensors", "new.csv", *options]) == 0
    captured = capsys.readouterr()
    assert "G\xe9nt" in captured.err
    assert len(captured.out.splitlines()) == 6
