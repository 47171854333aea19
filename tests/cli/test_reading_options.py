"""Options on reading: what the command line makes of them, and where tables may come from."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("click")
pytest.importorskip("matplotlib")
pytest.importorskip("tests.houses")  # skips where pandas is missing
pytest.importorskip("pyarrow")

import pandas as pd
from tests.houses import QUICK, one_error_line

from fastmlp import tabular
from fastmlp.cli import main

pytestmark = pytest.mark.usefixtures("in_tmp_path")

RNG = np.random.default_rng(0)


def text(rows: int = 60, first: int = 0) -> str:
    """A table with a decimal comma, a code and a note, separated by bars."""
    size = RNG.normal(10, 3, rows).round(2)
    lines = [
        f"{f'{s}'.replace('.', ',')}|{i + first}|0{i % 3}|{'-99' if i % 9 else 1}|"
        f"{'big' if s > 10 else 'small'}"
        for i, s in enumerate(size)
    ]
    return "\n".join(["a line about the table", "size|key|code|level|kind", *lines, ""])


OPTIONS = ["--skip-rows", "1", "--sep", "|", "--decimal", ",", "--encoding", "utf-8"]
COLUMNS = ["--keep", "key", "--drop", "code", "--categorical", "level", "--missing", "-99"]


def test_options_and_several_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.txt").write_text(text())
    with zipfile.ZipFile("b.zip", "w") as archive:
        archive.writestr("folder/b.data", text(first=100))
        archive.writestr("readme.md", "no table")
    train = ["train", "a.txt", "b.zip", "--target", "kind", "--output", "m.safetensors"]
    assert main([*train, *OPTIONS, *COLUMNS, *QUICK]) == 0
    assert "120 rows, 2 columns; kind (2 classes): classification" in capsys.readouterr().out
    model = tabular.load("m.safetensors")
    assert model.keep == ("key",)
    Path("new.txt").write_text(text(4, first=7))
    assert main(["predict", "m.safetensors", "new.txt", "--skip-rows", "1", "--keep", "code"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head == "code,key,prediction,probability_big,probability_small"
    assert [row.split(",")[:2] for row in rows] == [[f"0{i % 3}", str(i + 7)] for i in range(4)]


def test_standard_input_and_a_folder_of_parquet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    size = RNG.normal(10, 3, 80)
    frame = pd.DataFrame({"size": size, "kind": np.where(size > 10, "big", "small")})
    for year in (2023, 2024):
        Path(f"folder/year={year}").mkdir(parents=True)
        frame.to_parquet(f"folder/year={year}/part.parquet", index=False)
    assert main(["train", "folder", "--target", "kind", *QUICK, "--output", "m.safetensors"]) == 0
    assert "160 rows, 2 columns" in capsys.readouterr().out
    csv = frame.assign(year=2023)[:5].to_csv(index=False)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(csv.encode())))
    assert main(["predict", "m.safetensors", "-"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_a_console_that_cannot_print_a_letter_prints_a_replacement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = RNG.normal(10, 3, 60)
    frame = pd.DataFrame({"größe": size, "класс": np.where(size > 10, "高", "низкий")})
    frame.to_csv("t.csv", index=False)
    for name in ("stdout", "stderr"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, name, stream)
    assert main(["train", "t.csv", "--target", "класс", *QUICK]) == 0
    assert main(["info", "t.safetensors"]) == 0
    assert main(["predict", "t.safetensors", "t.csv"]) == 0
    assert main(["predict", "t.safetensors", "missing-ä.csv"]) == 1
    sys.stdout.flush()
    assert b"gr??e" in sys.stdout.buffer.getvalue()  # type: ignore[attr-defined]
    assert sys.stdout.errors == "strict"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--sep", "::"], 2, "--sep: got '::'; want one character"),
        (["--encoding", "klingon"], 2, "--encoding: got 'klingon'"),
        (["--decimal", ",", "--thousands", ","], 2, "--thousands: got ','"),
        (["--numeric", "size", "--date", "size"], 2, "'size' is given two kinds"),
        (["--drop", "kind"], 1, "--drop: 'kind' is the target"),
        (["--numeric", "kind"], 1, "'kind' is the target, whose kind --task tells"),
        (["--skip-rows", "999"], 1, "has no lines below the 999 that are skipped"),
        (["--drop", "length"], 1, "--drop: a column is missing: 'length' (there is only 'size'"),
        (["--date", "Size"], 1, "kinds of columns: a column is missing: 'Size' (there is 'size')"),
        (["--numeric", "word"], 1, "column 'word' cannot be read as numeric: it holds '"),
        (["--encoding", "ascii"], 1, "t.csv is not ascii"),
    ],
)
def test_options_that_do_not_suit_are_refused(
    options: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{i},{'xy'[i % 2]},{'éa'[i % 2]}" for i in range(40)]
    Path("t.csv").write_text("\n".join(["size,word,kind", *rows]), encoding="utf-8")
    assert main(["train", "t.csv", "--target", "kind", *options, *QUICK]) == code
    assert words in one_error_line(capsys)
