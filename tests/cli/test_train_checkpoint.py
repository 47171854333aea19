"""Training on the command line, killed and started again; and the format of numbers."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from fastmlp import tabular
from fastmlp.cli import main
from fastmlp.io import checkpoint, inspect

pytest.importorskip("click")
pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
pytest.importorskip("tests.houses")  # skips where pandas is missing

from tests.houses import houses, one_error_line, write

pytestmark = pytest.mark.usefixtures("in_tmp_path")

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def checkpointed(path: str, *more: str) -> list[str]:
    options = ["--model", "mlp", "--n-members", "1", "--hidden", "16", "--epochs", "20", "--lr",
               "0.01", "--checkpoint", path, "--force"]  # fmt: skip
    return ["train", "houses.csv", "--target", "grade", *options, *more]


def kill(name: str, when: str, count: int, arguments: list[str]) -> None:
    """Run the command line in a child process that kills itself at the n-th rename of a file.

    At that moment a save has been written, just before or just after it replaces the old file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork while threads run
        child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            os.replace = dying(os.replace, name, when, count)
            main(arguments)
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def dying(replace: Callable[..., None], name: str, when: str, count: int) -> Callable[..., None]:
    """``os.replace`` that kills the process before or after its ``count``-th call."""
    seen = itertools.count(1)

    def replaced(source: str, target: str) -> None:
        ends = os.path.basename(target) == name and next(seen) == count
        if ends and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if ends:
            os.kill(os.getpid(), signal.SIGKILL)

    return replaced


def files() -> set[str]:
    return {path.name for path in Path().iterdir()}


@needs_signals
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_killed_while_it_saves_gives_the_same_model(
    when: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write("houses.csv", houses().drop(columns="price"))
    kill("c", when, 3, checkpointed("c"))
    assert len(files()) == (3 if when == "before" else 2)
    assert main(checkpointed("c")) == 0
    done = 2 if when == "before" else 3
    assert f"training: {done} epochs (from the checkpoint)" in capsys.readouterr().out
    assert files() == {"houses.csv", "c", "houses.safetensors"}
    assert main(checkpointed("d", "--output", "whole")) == 0
    assert Path("houses.safetensors").read_bytes() == Path("whole").read_bytes()


@needs_signals
def test_a_run_killed_at_any_moment_gives_the_same_model() -> None:
    write("houses.csv", houses().drop(columns="price"))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "fastmlp", *checkpointed("c")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        deadline = time.monotonic() + 30
        while not Path("c").exists() and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    assert Path("c").exists()
    assert not Path("houses.safetensors").exists()
    assert main(checkpointed("c")) == 0
    assert main(checkpointed("d", "--output", "whole")) == 0
    assert Path("houses.safetensors").read_bytes() == Path("whole").read_bytes()


@needs_signals
@pytest.mark.parametrize(("killed_in", "count"), [("c.fold2", 4), ("c", 5)])
def test_a_killed_cross_validation_resumes(
    killed_in: str, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    write("houses.csv", houses().drop(columns="price"))
    assert main(checkpointed("d", "--cv", "3", "--output", "whole")) == 0
    whole = capsys.readouterr().out
    kill(killed_in, "after", count, checkpointed("c", "--cv", "3"))
    done = {"c.fold1"} if killed_in == "c.fold2" else {"c.fold1", "c.fold2", "c.fold3"}
    stamps = {name: os.stat(name).st_mtime_ns for name in done}
    assert main(checkpointed("c", "--cv", "3")) == 0
    out = capsys.readouterr().out
    assert {name: os.stat(name).st_mtime_ns for name in done} == stamps
    assert out.count("(from the checkpoint)") == len(done) + 1
    assert f": {count} epochs (from the checkpoint)" in out
    for start in ("fold 1 of 3  ", "fold 2 of 3  ", "fold 3 of 3  ", "mean"):
        lines = [[x for x in text.splitlines() if x.startswith(start)] for text in (whole, out)]
        assert lines[0] == lines[1]
        assert len(lines[0]) == 1
    assert Path("houses.safetensors").read_bytes() == Path("whole").read_bytes()


def test_a_finished_run_is_not_trained_again(capsys: pytest.CaptureFixture[str]) -> None:
    write("houses.csv", houses().drop(columns="price"))
    assert main(checkpointed("c")) == 0
    first = Path("houses.safetensors").read_bytes()
    capsys.readouterr()
    assert main(checkpointed("c")) == 0
    assert "(from the checkpoint)" in capsys.readouterr().out
    assert Path("houses.safetensors").read_bytes() == first
    for more, words in (
        (["--batch-size", "16"], "batch_size: the file has 32, this fit has 16"),
        (["--seed", "3"], "has seed=0, and this one has seed=3; use the same seed"),
        (["--lr", "0.02"], "optimizer.lr: the file has 0.01, this fit has 0.02"),
        (["--dropout", "0.5"], "another network"),
        (["--epochs", "2"], "this fit has 2; want no fewer"),
    ):
        assert main(checkpointed("c", *more)) == 1
        assert words in one_error_line(capsys)
    write("houses.csv", houses(seed=1).drop(columns="price"))
    assert main(checkpointed("c")) == 1
    assert "x: the file has 212 rows, SHA-256" in one_error_line(capsys)


def test_many_rows_are_trained_in_a_cycle(capsys: pytest.CaptureFixture[str]) -> None:
    write("many.csv", houses(6000).drop(columns="grade"))
    options = ["--model", "mlp", "--n-members", "1", "--target", "price", "--hidden", "16",
               "--checkpoint", "c"]  # fmt: skip
    assert main(["train", "many.csv", *options, "--epochs", "12"]) == 0
    rates = checkpoint.read("c")[1]["history"]["lr"]
    assert max(rates) > 0.005
    assert rates[-1] < 1e-4
    capsys.readouterr()
    assert main(["train", "many.csv", *options, "--epochs", "13"]) == 1
    assert "epochs: the file has 12, this fit has 13, which OneCycleLR" in one_error_line(capsys)


def test_predict_refuses_a_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    write("houses.csv", houses().drop(columns="price"))
    assert main(checkpointed("c")) == 0
    capsys.readouterr()
    assert main(["predict", "c", "houses.csv"]) == 1
    assert "it is a checkpoint, which can resume a training" in one_error_line(capsys)
    assert main(["info", "c"]) == 0
    said = {" ".join(line.split()) for line in capsys.readouterr().out.splitlines()}
    assert f"parameters {tabular.load('houses.safetensors').n_parameters:,}" in said
    assert "checkpoint a training under way" in said
    assert inspect("c").is_checkpoint


def test_large_numbers_are_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    write("houses.csv", houses().drop(columns="grade"))
    options = ["--model", "mlp", "--hidden", "8", "--epochs", "2"]
    assert main(["train", "houses.csv", "--target", "price", *options]) == 0
    assert main(["info", "houses.safetensors"]) == 0
    assert "e+" not in capsys.readouterr().out
    assert float(tabular.load("houses.safetensors").metadata["test RMSE"]) > 1e4
