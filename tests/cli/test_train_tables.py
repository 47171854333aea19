"""Tables on the command line: what can be trained on, what is predicted, and what is refused."""

from __future__ import annotations

import json
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.cli import main
from fastmlp.io import read_metadata

pytest.importorskip("houses")  # skips where packages of the command line are missing

import pandas as pd
from houses import QUICK, houses, one_error_line, write

from fastmlp.cli.runs import run_hold_out
from fastmlp.cli.settings import Settings
from fastmlp.tabular.model_file import KEY, TableModel
from fastmlp.tabular.plan import Hyperparameters
from fastmlp.tabular.splits import folds, hold_out
from fastmlp.tabular.table import BUILT_IN, table_from_frame

pytestmark = pytest.mark.usefixtures("in_tmp_path")


def scores(out: str) -> dict[str, list[float]]:
    """The lines of scores, by name: words, then three numbers."""
    found = {}
    for line in out.splitlines():
        *words, a, b, c = line.split() if len(line.split()) > 3 else ["", "", "", ""]
        try:
            found[" ".join(words)] = [float(a), float(b), float(c)]
        except ValueError:
            continue
    return found


def test_a_regression(capsys: pytest.CaptureFixture[str]) -> None:
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


@pytest.mark.parametrize("name", ["houses.csv", "houses.csv.gz", "houses.tsv", "houses.tsv.gz"])
def test_a_classification_from_each_kind_of_file(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(name, houses().drop(columns="price"))
    assert main(["train", name, "--target", "grade", *QUICK]) == 0
    found = scores(capsys.readouterr().out)
    assert found["fastmlp"][0] > found["baseline: most frequent class"][0] + 0.1
    assert json.loads(read_metadata("houses.safetensors")[KEY])["target"]["classes"] == [
        "cheap",
        "dear",
    ]


def test_parquet_gives_what_csv_gives() -> None:
    pytest.importorskip("pyarrow")
    data = houses().drop(columns="price")
    data.to_parquet("p.parquet")
    write("c.csv", data)
    for name in ("p.parquet", "c.csv"):
        assert main(["train", name, "--target", "grade", *QUICK]) == 0
    np.testing.assert_array_equal(fm.load("p.safetensors").params, fm.load("c.safetensors").params)


def test_without_pyarrow_parquet_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("p.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["train", "p.parquet", "--target", "a"]) == 2
    assert capsys.readouterr().err == "Error: Parquet needs pyarrow: pip install pyarrow\n"


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_in_a_csv(separator: str) -> None:
    houses()[["size", "grade"]].to_csv("h.csv", index=False, sep=separator)
    assert main(["train", "h.csv", "--target", "grade", *QUICK]) == 0


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"] * 50, "classification"),
        ([True, False] * 50, "classification"),
        ([3, 7] * 50, "classification"),
        ([3.0, 7.0] * 50, "classification"),
        (list(range(10)) * 10, "classification"),
        (list(range(50)) * 2, "regression"),
        ([0.5, 1.5] * 50, "regression"),
        (["1.5", "2.5"] * 50, "regression"),
    ],
)
def test_the_task_is_detected(values: list[object], task: str) -> None:
    frame = pd.DataFrame({"x": np.arange(100.0), "y": values})
    table = table_from_frame(frame, None, None, "t")
    assert table.task == task
    assert (table.y >= 0).all()


def test_the_task_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"x": np.arange(100.0), "y": np.arange(100) % 4})
    write("t.csv", frame)
    for task in ("classification", "regression"):
        assert main(["train", "t.csv", "--task", task, *QUICK]) == 0
        assert f"t: {task}" in capsys.readouterr().out


def test_classes_of_numbers_are_in_their_order() -> None:
    frame = pd.DataFrame({"x": np.arange(60.0), "y": [10, 9, np.nan] * 20})
    table = table_from_frame(frame, "y", None, "t")
    assert table.classes == ["9", "10"]
    assert table.y.tolist() == [1, 0] * 20


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
    assert found["mean"][0] > found["baseline: most frequent class"][0]
    assert "(4 folds)" in out
    assert TableModel.load("houses.safetensors").description.classes == ["cheap", "dear"]


@pytest.mark.parametrize("counts", [(10, 10), (18, 2), (30, 9, 1), (12, *[2] * 6), (3, *[1] * 17)])
def test_rare_classes_and_few_rows(counts: tuple[int, ...]) -> None:
    y = np.repeat([f"c{i}" for i in range(len(counts))], counts)
    if len(counts) > sum(counts) // 2:
        y = np.concatenate([y, y])
    write("t.csv", pd.DataFrame({"x": np.arange(float(len(y))), "y": y}))
    for more in ([], ["--cv", "3"]):
        assert main(["train", "t.csv", *QUICK, *more]) == 0


def test_a_training_that_diverges_leaves_the_old_model(capsys: pytest.CaptureFixture[str]) -> None:
    write("t.csv", houses().drop(columns="grade"))
    Path("t.safetensors").write_bytes(b"old")
    assert main(["train", "t.csv", "--target", "price", *QUICK, "--lr", "1e30"]) == 1
    assert "training diverged" in one_error_line(capsys)
    assert Path("t.safetensors").read_bytes() == b"old"
    assert not Path("t.png").exists()


def test_a_training_without_a_finite_loss_has_no_scores() -> None:
    options = {"epochs": 1, "batch_size": 1000, "hidden": (8, 8), "lr": 1e30, "progress": False}
    run = run_hold_out(Settings(data="iris", is_file=False, **options), BUILT_IN["iris"]())
    assert run.epochs == "1 (no epoch had a finite loss)"
    (name, scored), (_, baseline) = run.score_rows
    assert (name, np.isnan(scored).tolist()) == ("fastmlp", [True] * 3)
    assert np.isfinite(baseline).all()


def test_a_model_of_a_training_that_diverged_predicts_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write("t.csv", houses().drop(columns="grade"))
    assert main(["train", "t.csv", "--target", "price", *QUICK]) == 0
    net = fm.load("t.safetensors")
    net.params[3] = np.nan
    net.save("t.safetensors", read_metadata("t.safetensors"))
    capsys.readouterr()
    assert main(["predict", "t.safetensors", "t.csv"]) == 1
    assert "weights that are not finite" in one_error_line(capsys)


def test_a_plan_suits_the_rows_and_what_was_given() -> None:
    few, many = Hyperparameters().plan(1000), Hyperparameters().plan(100_000)
    assert not few.one_cycle
    assert many.one_cycle
    assert few.batch_size < Hyperparameters().plan(4000).batch_size < many.batch_size
    assert few.epochs > many.epochs
    given = Hyperparameters(epochs=7, batch_size=5, lr=0.5).plan(100_000)
    assert (given.epochs, given.batch_size, given.lr) == (7, 5, 0.5)


def test_folds_test_each_row_once_and_splits_keep_shares() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"x": rng.random(200), "y": rng.choice(list("abc"), 200, p=[0.8, 0.19, 0.01])}
    )
    table = table_from_frame(frame, None, None, "t")
    tested = np.concatenate([test for _, test in folds(table, 5, seed=0)])
    assert sorted(tested) == list(range(200))
    parts = hold_out(table, seed=0)
    assert sorted(np.concatenate(parts)) == list(range(200))
    assert [len(part) for part in parts] == [140, 30, 30]
    shares = [(table.y[part] == 0).mean() for part in parts]
    np.testing.assert_allclose(shares, 0.8, atol=0.08)


def test_the_same_seed_gives_the_same_file() -> None:
    write("houses.csv", houses().drop(columns="price"))
    for name, threads in (("a", "1"), ("b", "2")):
        options = ["--output", f"{name}.safetensors", "--threads", threads]
        assert main(["train", "houses.csv", "--target", "grade", *QUICK, *options]) == 0
    assert Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes()


def bad_files() -> None:
    Path("empty.csv").write_bytes(b"")
    Path("names.csv").write_text("a,b\n")
    Path("binary.csv").write_bytes(b"\xff\xfe\x00a,b\n\x00\xd8")
    Path("ragged.csv").write_text("a,b\n1,2\n3,4,5\n")
    Path("shifted.csv").write_text("a,b\n1,2,3\n3,4,5\n")
    Path("cut.csv.gz").write_bytes(b"\x1f\x8b\x08\x00\x00")
    Path("plain.csv.gz").write_text("a,b\n1,2\n")
    rows = pd.DataFrame({"x": np.arange(40.0), "one": "a", "same": 3, "text": list("ab") * 20})
    rows["id"] = [f"n{i}" for i in range(40)]
    write("good.csv", rows)
    write("few.csv", rows[:10])
    write("huge.csv", rows.assign(x=np.where(rows["x"] > 20, 1e308, -1e308)))
    Path("binary.parquet").write_bytes(b"PAR1\0\0\0\0PAR1")
    write("useless.csv", rows[["one", "text"]])
    write("large.csv", rows.assign(x=rows["x"] * 4e306)[["x", "text"]])
    Path("folder.csv").mkdir()
    Path("twice.csv").write_text("a,b, a\n1,2,3\n" * 30)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.csv", "--target", "x"], "missing.csv: No such file"),
        (["folder.csv", "--target", "x"], "folder.csv: Is a directory"),
        (["empty.csv", "--target", "x"], "empty.csv is empty"),
        (["names.csv", "--target", "a"], "names.csv has no rows"),
        (["binary.csv", "--target", "a"], "binary.csv cannot be read as csv"),
        (["ragged.csv", "--target", "a"], "ragged.csv cannot be read as csv"),
        (["shifted.csv", "--target", "a"], "more values in a row than names"),
        (["cut.csv.gz", "--target", "a"], "cut.csv.gz cannot be read as csv"),
        (["plain.csv.gz", "--target", "a"], "plain.csv.gz cannot be read as csv"),
        (["good.csv"], "which column is the target? Give --target one of 'x', 'one'"),
        (["good.csv", "--target", "X"], "no column 'X' to predict, only 'x', 'one'"),
        (["good.csv", "--target", "one"], "one class only: 'a'"),
        (["good.csv", "--target", "same"], "is constant: 3 throughout"),
        (["good.csv", "--target", "id"], "40 different values in 40 rows"),
        (["good.csv", "--target", "text", "--task", "regression"], "suits no regression"),
        (["few.csv", "--target", "text"], "10 rows with a target are too few: at least 20"),
        (["useless.csv", "--target", "text"], "no column can help a prediction: one (constant)"),
        (["good.csv", "--target", "text", "--cv", "21"], "40 rows are too few for 21 folds"),
        (["huge.csv", "--target", "text"], "column 'x' holds numbers too large to standardise"),
        (["large.csv", "--target", "x"], "the target holds numbers too large to standardise"),
        (["twice.csv", "--target", "b"], "twice.csv has two columns named 'a'"),
        (["binary.parquet", "--target", "a"], "binary.parquet cannot be read as parquet"),
        (["good.csv", "--target", "text", "--checkpoint", "no/c"], "no such directory"),
        (["good.csv", "--target", "text", "--checkpoint", "good.safetensors"], "model file too"),
        (["good.csv", "--target", "text", "--checkpoint", "./good.png"], "not be the picture too"),
        (["good.csv", "--target", "text", "--checkpoint", "good.csv"], "the data file too"),
        (["good.csv", "--target", "text", "--output", "./good.csv"], "the data file too"),
        (["good.csv", "--target", "text", "--checkpoint", "."], "Error: .: is a directory"),
        (["good.csv", "--cv", "2", "--checkpoint", "c", "--output", "c.fold2"], "model file too"),
    ],
)
def test_what_cannot_be_trained_on(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments[0].endswith(".parquet"):
        pytest.importorskip("pyarrow")
    bad_files()
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


def commands_of_the_readme() -> list[str]:
    """The shell commands of its section for tables."""
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
    section = readme.split("\n## For tables\n")[1].split("\n## ")[0]
    blocks = section.split("```sh\n")[1:]
    return [line for block in blocks for line in block.split("```")[0].splitlines()]


def test_the_commands_of_the_readme() -> None:
    write("houses.csv", houses().drop(columns="grade"))
    write("new.csv", houses(20, seed=1).drop(columns=["grade", "price"]))
    commands = [shlex.split(line) for line in commands_of_the_readme()]
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
