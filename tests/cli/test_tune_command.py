"""`fastmlp tune`: its output and files, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("click")
pytest.importorskip("matplotlib")
pytest.importorskip("optuna")
pytest.importorskip("sklearn")
pytest.importorskip("tests.houses")  # skips where pandas is missing

from tests.houses import houses, one_error_line, write

from fastmlp.cli import main

pytestmark = pytest.mark.usefixtures("in_tmp_path")

TUNE = ["tune", "houses.csv", "--target", "price", "--model", "mlp", "--n-members", "2"]


def test_a_search_and_its_files(capsys: pytest.CaptureFixture[str]) -> None:
    write("houses.csv", houses(120).drop(columns="grade"))
    files = ["--storage", "trials.journal", "--picture", "trials.png", "--report", "houses.html"]
    assert main([*TUNE, "--trials", "2", *files]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "trial 0" in captured.out
    assert "baseline: mean" in captured.out
    assert "2 complete, 0 given up" in captured.out
    assert Path("trials.png").read_bytes().startswith(b"\x89PNG")
    assert Path("houses.html").exists()
    # The same command goes on with the storage: nothing is left to try.
    assert main([*TUNE, "--trials", "2", "--storage", "trials.journal", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [trial["state"] for trial in found["trials"]] == ["complete", "complete"]
    assert main(["predict", "houses.safetensors", "houses.csv"]) == 0
    assert capsys.readouterr().out.count("\n") == 121


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--trials", "0"], "--trials"),
        (["--storage", "trials.txt"], "storage: got 'trials.txt'"),
        (["--sampler", "grid"], "grid"),
        (["--target", "cost"], "no column 'cost'"),
        (["--cv", "3"], "--cv"),
    ],
)
def test_bad_options(more: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("houses.csv", houses(60))
    assert main([*TUNE, *more]) in (1, 2)
    assert message in one_error_line(capsys)


def test_without_optuna(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("houses.csv", houses(60))
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(TUNE) == 2
    assert 'pip install "fastmlp[tune]"' in one_error_line(capsys)
