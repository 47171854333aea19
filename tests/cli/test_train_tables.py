"""`fastmlp train` with tables: its output and files, how often it reads, what it refuses."""

from __future__ import annotations

import json
import re
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
from fastmlp.tabular.reading import sources

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
    data = houses()
    data.loc[:2, "price"] = np.nan
    write("houses.csv", data.drop(columns="grade"))
    # Training on a file must import none of these.
    for name in ("sklearn", "matplotlib", "pandas", "tqdm"):
        monkeypatch.setitem(sys.modules, name, None)
    options = ["--model", "mlp", "--epochs", "60", "--verbose"]
    assert main(["train", "houses.csv", "--target", "price", *options]) == 0
    captured = capsys.readouterr()
    out = captured.out
    assert captured.err == ""  # no line of progress, as this is no terminal
    assert "rows without a target, left out: 3" in out
    assert "columns left out: key (identifier), country (constant)" in out
    assert "  city: categorical: 3 levels; text" in out
    found = scores(out)
    assert found["fastmlp"][0] > 0.9
    assert found["baseline: mean"][0] < 0.05
    assert found["fastmlp"][1] < found["baseline: mean"][1]
    importance = out.split("when the column is shuffled\n")[1].splitlines()
    assert [line.split()[0] for line in importance[:2]] == ["size", "city"]
    assert "houses: regression" in out
    assert {path.name for path in Path().iterdir()} == {"houses.csv", "houses.safetensors"}


def test_without_pyarrow_tables_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("p.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["train", "p.parquet", "--target", "a"]) == 2
    assert "need pyarrow: pip install" in capsys.readouterr().err


def test_the_task_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"x": np.arange(100.0), "y": np.arange(100) % 4})
    write("t.csv", frame)
    # By default, four different whole numbers are classes.
    assert main(["train", "t.csv", "--task", "regression", *QUICK]) == 0
    assert "t: regression" in capsys.readouterr().out


def test_cross_validation(capsys: pytest.CaptureFixture[str]) -> None:
    write("houses.csv", houses().drop(columns="price"))
    arguments = ["--target", "grade", "--cv", "4", "--model", "mlp", "--hidden", "16"]
    assert main(["train", "houses.csv", *arguments, "--epochs", "15", "--lr", "0.01"]) == 0
    out = capsys.readouterr().out
    found = scores(out)
    assert out.count("columns left out") == 1
    of_folds = np.array([found[f"fold {k} of 4"] for k in range(1, 5)])
    np.testing.assert_allclose(found["mean"], of_folds.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(found["standard deviation"], of_folds.std(axis=0, ddof=1), atol=1e-3)
    assert found["mean"][0] < found["baseline: most frequent class"][0]
    assert "(4 folds)" in out
    assert tabular.load("houses.safetensors").classes == ["cheap", "dear"]


def test_several_files_and_a_file_to_test_on(capsys: pytest.CaptureFixture[str]) -> None:
    data = houses(400).drop(columns="price")
    for number in range(3):
        write(f"part{number}.csv", data[100 * number : 100 * number + 100])
    write("test.csv", data[300:])
    options = ["--target", "grade", "--test", "test.csv", "--json", *QUICK]
    assert main(["train", "part0.csv", "part1.csv", "part2.csv", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n_rows"] == 100
    assert found["facts"]["training rows"] == "300"
    assert Path("part0.safetensors").exists()


def test_results_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    write("houses.csv", houses().drop(columns="price"))
    assert main(["train", "houses.csv", "--target", "grade", "--json", *QUICK]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert captured.err == ""
    assert found["scores"]["accuracy"] > found["baseline"]["accuracy"]
    assert found["classes"] == ["cheap", "dear"]
    assert found["left_out"] == {"key": "identifier", "country": "constant"}
    assert found["importance"]["size"] > found["importance"]["city"]
    assert found["model"] == "houses.safetensors"
    assert found["columns"][0]["kind"] == "numeric"


def test_a_training_that_diverges_leaves_the_old_model(capsys: pytest.CaptureFixture[str]) -> None:
    write("t.csv", houses().drop(columns="grade"))
    arguments = ["train", "t.csv", "--target", "price", *QUICK]
    assert main(arguments) == 0
    old = Path("t.safetensors").read_bytes()
    capsys.readouterr()
    assert main([*arguments, "--lr", "1e30"]) == 1
    line = one_error_line(capsys)
    assert "training diverged" in line
    assert line.endswith("try a smaller --lr\n")
    assert Path("t.safetensors").read_bytes() == old


def test_a_model_of_other_data_is_not_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    write("a.csv", houses())
    write("b.csv", houses(seed=1))
    first = ["train", "a.csv", "--target", "price", *QUICK, "--output", "m"]
    assert main(first) == 0
    old = Path("m").read_bytes()
    for other in (["train", "b.csv", *first[2:]], [*first, "--target", "grade"]):
        capsys.readouterr()
        assert main(other) == 1
        assert "m holds a model of other data or another target (a)" in one_error_line(capsys)
        assert Path("m").read_bytes() == old
    # The same data with other options may replace it, and other data with --force.
    assert main([*first, "--seed", "3", "--drop", "city"]) == 0
    assert main(["train", "b.csv", *first[2:], "--force"]) == 0
    Path("notes.txt").write_text("not to be lost")
    capsys.readouterr()
    assert main([*first[:-1], "notes.txt"]) == 1
    assert "notes.txt exists and is no model of a table" in one_error_line(capsys)
    assert Path("notes.txt").read_text() == "not to be lost"


@pytest.mark.parametrize("more", [[], ["--cv", "2"]])
def test_the_table_is_read_once(
    more: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write("t.csv", houses(60).drop(columns="price"))
    read: list[Any] = []
    usual = sources.frame_from_files

    def counting(paths: Any, options: Any) -> Any:
        read.append(paths)
        return usual(paths, options)

    monkeypatch.setattr("fastmlp.tabular.reading.frame_from_files", counting)
    assert main(["train", "t.csv", "--target", "grade", *QUICK, *more]) == 0
    assert len(read) == 1
    assert main(["predict", "t.safetensors", "t.csv"]) == 0
    assert len(read) == 2


@pytest.mark.parametrize("target", ["price", "grade"])
def test_a_report_is_one_page(target: str) -> None:
    other = {"price": "grade", "grade": "price"}[target]
    data = houses().drop(columns=other).rename(columns={"size": "<b>$size$</b>"})
    write("houses.csv", data)
    arguments = ["--target", target, "--report", "r.html", "--picture", "p.png", *QUICK]
    assert main(["train", "houses.csv", *arguments]) == 0
    page = Path("r.html").read_text("utf-8")
    assert "&lt;b&gt;$size$&lt;/b&gt;" in page
    assert "<b>$size$" not in page
    for word in ("R2" if target == "price" else "ROC-AUC", "baseline", "identifier", "city"):
        assert word in page
    assert page.count("<figure>") == 4
    # Nothing is loaded from elsewhere.
    assert not re.search(r"(src|href)=\"(?!data:)|@import|url\(", page)
    assert Path("p.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


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
        (["good.csv", "--target", "text", "--report", "./good.csv"], "the data file too"),
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
        ["train", "t.csv", "--preset", "slow"],
        ["train", "t.csv", "--decimal", ";"],
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
