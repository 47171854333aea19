"""`fastmlp train` with tables: its output and files, how often it reads, what it refuses."""

from __future__ import annotations

import builtins
import os
import re
import runpy
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("click")
pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
pytest.importorskip("tests.houses")  # skips where pandas is missing

import pandas as pd
from tests.houses import QUICK, houses, one_error_line, write

from fastmlp import tabular
from fastmlp.cli import main
from fastmlp.cli.train import _epochs
from fastmlp.tabular.training import hold_out

pytestmark = pytest.mark.usefixtures("in_tmp_path")


def scores(out: str) -> dict[str, list[float]]:
    """The printed scores by name: words, then three numbers or more."""
    found = {}
    for line in out.splitlines():
        match = re.fullmatch(r"(\S.*?)( +-?\d+\.\d+(?: +-?[\d.]+){2,})", line)
        if match is not None:
            found[match[1]] = [float(word) for word in match[2].split()]
    return found


def test_a_regression(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # Training on a file must not import scikit-learn.
    monkeypatch.setitem(sys.modules, "sklearn", None)
    data = houses()
    data.loc[:2, "price"] = np.nan
    write("houses.csv", data.drop(columns="grade"))
    assert main(["train", "houses.csv", "--target", "price", "--epochs", "60"]) == 0
    out = capsys.readouterr().out
    assert "rows without a target, left out: 3" in out
    assert "columns left out: key (identifier), country (constant)" in out
    assert "time left" in out
    found = scores(out)
    assert found["fastmlp"][0] > 0.9
    assert found["baseline: mean"][0] < 0.05
    assert found["fastmlp"][1] < found["baseline: mean"][1]
    assert "houses: regression" in out
    assert {path.name for path in Path().iterdir()} == {
        "houses.csv",
        "houses.safetensors",
        "houses.png",
    }


def test_without_pyarrow_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write("p.csv", houses(30))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["train", "p.csv", "--target", "grade"]) == 2
    assert capsys.readouterr().err == (
        'Error: tables need pyarrow: pip install "fastmlp[tabular]"\n'
    )


def test_the_task_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"x": np.arange(100.0), "y": np.arange(100) % 4})
    write("t.csv", frame)
    # By default, four different whole numbers are classes.
    assert main(["train", "t.csv", "--task", "regression", *QUICK]) == 0
    assert "t: regression" in capsys.readouterr().out


def test_cross_validation(capsys: pytest.CaptureFixture[str]) -> None:
    write("houses.csv", houses().drop(columns="price"))
    arguments = ["--target", "grade", "--cv", "4", "--hidden", "16", "--epochs", "15"]
    assert main(["train", "houses.csv", *arguments, "--lr", "0.01"]) == 0
    out = capsys.readouterr().out
    found = scores(out)
    assert out.count("validation accuracy") == 4
    of_folds = np.array([found[f"fold {k} of 4"] for k in range(1, 5)])
    np.testing.assert_allclose(found["mean"], of_folds.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(found["standard deviation"], of_folds.std(axis=0, ddof=1), atol=1e-3)
    assert found["mean"][0] < found["baseline: most frequent class"][0]
    assert "(4 folds)" in out
    assert tabular.load("houses.safetensors").classes == ["cheap", "dear"]


def test_a_training_that_diverges_leaves_the_old_model(capsys: pytest.CaptureFixture[str]) -> None:
    write("t.csv", houses().drop(columns="grade"))
    Path("t.safetensors").write_bytes(b"old")
    assert main(["train", "t.csv", "--target", "price", *QUICK, "--lr", "1e30"]) == 1
    line = one_error_line(capsys)
    assert "training diverged" in line
    assert line.endswith("try a smaller --lr\n")
    assert Path("t.safetensors").read_bytes() == b"old"
    assert not Path("t.png").exists()


def test_epochs_without_a_finite_loss_are_reported() -> None:
    model = tabular.MLP(hidden=(8, 8), epochs=1, batch_size=1000, lr=1e30)
    trained = tabular.train(tabular.load_dataset("iris"), model=model)
    assert _epochs(trained) == "1 (no epoch had a finite loss)"


@pytest.mark.parametrize("more", [[], ["--cv", "2"]])
def test_the_table_is_read_once_and_the_notes_are_the_models(
    more: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # One row of the test part has a level and a value that no other row has.
    frame = houses(60)[["size", "grade"]].assign(city="Ghent", lift=0)
    frame.loc[1::2, "city"] = "Bruges"
    row = int(hold_out(tabular.load_table(frame, "grade"), 0)[2][0])
    frame.loc[row, ["city", "lift"]] = ["Ypres", 1]
    write("t.csv", frame)
    opened: list[str] = []
    usual = builtins.open

    def counting(file: Any, *args: Any, **options: Any) -> Any:
        opened.append(os.path.basename(str(file)))
        return usual(file, *args, **options)

    monkeypatch.setattr(builtins, "open", counting)
    assert main(["train", "t.csv", "--target", "grade", *QUICK, *more]) == 0
    assert opened.count("t.csv") == 1
    notes = capsys.readouterr().out.split("\n\n")[0].splitlines()[1:]
    encoder = tabular.load("t.safetensors").description.encoder
    left_out = [f"{name} ({why})" for name, why in encoder.left_out.items()]
    unseen = "column 'city': 1 value (such as 'Ypres') not among the levels seen in training"
    assert left_out == ([] if more else ["lift (constant)"])
    assert notes == ([] if more else [unseen, "columns left out: lift (constant)"])
    opened.clear()
    assert main(["predict", "t.safetensors", "t.csv"]) == 0
    assert opened.count("t.csv") == opened.count("t.safetensors") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.csv", "--target", "x"], "missing.csv: No such file"),
        (["folder.csv", "--target", "x"], "folder.csv: is a folder without Parquet files"),
        (["empty.csv", "--target", "x"], "empty.csv is empty"),
        (["good.csv"], "which column is the target? Give --target one of 'x', 'one'"),
        (["good.csv", "--target", "text", "--cv", "21"], "40 rows are too few for 21 folds"),
        (["useless.csv", "--target", "text"], "no usable column is left: one (constant)"),
        (["good.csv", "--target", "text", "--checkpoint", "no/c"], "no such directory"),
        (["good.csv", "--target", "text", "--checkpoint", "good.safetensors"], "model file too"),
        (["good.csv", "--target", "text", "--checkpoint", "./good.png"], "not be the picture too"),
        (["good.csv", "--target", "text", "--checkpoint", "good.csv"], "the data file too"),
        (["good.csv", "--target", "text", "--output", "./good.csv"], "the data file too"),
        (["good.csv", "--target", "text", "--checkpoint", "."], "Error: .: is a directory"),
        (["good.csv", "--cv", "2", "--checkpoint", "c", "--output", "c.fold2"], "model file too"),
    ],
)
def test_tables_that_cannot_be_trained_on_are_refused(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pd.DataFrame({"x": np.arange(40.0), "one": "a", "text": list("ab") * 20})
    write("good.csv", rows)
    write("useless.csv", rows[["one", "text"]])
    Path("empty.csv").write_bytes(b"")
    Path("folder.csv").mkdir()
    before = set(Path().iterdir())
    assert main(["train", *arguments]) == 1
    assert words in one_error_line(capsys)
    assert set(Path().iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "table.xlsx"],
        ["train", "iris", "--target", "x"],
        ["train", "iris", "--task", "regression"],
        ["train", "iris", "--cv", "1"],
        ["predict", "m.safetensors"],
        ["predict", "m.safetensors", "new.xlsx"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "--help" in one_error_line(capsys)


def commands_of_the_documentation() -> list[str]:
    """The shell commands of docs/tables.md."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "tables.md").read_text("utf-8")
    blocks = page.split("```sh\n")[1:]
    return [line for block in blocks for line in block.split("```")[0].splitlines()]


def test_the_commands_of_the_documentation() -> None:
    write("houses.csv", houses(100).drop(columns="grade"))
    write("new.csv", houses(20, seed=1).drop(columns=["grade", "price"]))
    commands = [shlex.split(line) for line in commands_of_the_documentation()]
    assert {command[3] for command in commands} == {"train", "predict", "info"}
    for command in commands:
        assert command[:3] == ["python", "-m", "fastmlp"]
        assert main(command[3:]) == 0
    assert len(Path("prices.csv").read_text().splitlines()) == 21


@pytest.mark.parametrize("target", ["price", "grade"])
def test_the_example_compares(
    target: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("houses.csv", houses().drop(columns=({"price", "grade"} - {target}).pop()))
    script = str(Path(__file__).resolve().parents[2] / "examples" / "tabular.py")
    arguments = [script, "houses.csv", "--target", target, "--seeds", "2", "--cpu-time"]
    monkeypatch.setattr(sys, "argv", arguments)
    runpy.run_path(script, run_name="__main__")
    head, _, ours, *others = capsys.readouterr().out.splitlines()
    assert head.startswith("| houses | test ")
    assert ours.startswith("| fastmlp (defaults) | ")
    assert len(others) == 3
    assert all(float(line.split("|")[2].split()[0]) > 0.7 for line in (ours, *others))
