"""The command line: its files, its output, and its exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.cli import commands, main
from fastmlp.io import safetensors
from fastmlp.io.model import FORMAT_VERSION, RESERVED_KEY

pytest.importorskip("click")
pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
pytest.importorskip("tests.houses")  # skips where pandas is missing

from tests.houses import one_error_line

from fastmlp.cli.info import MOST_COLUMNS
from fastmlp.tabular import MLP, load, train

pytestmark = pytest.mark.usefixtures("in_tmp_path")

QUICK = ["--model", "mlp", "--n-members", "1", "--hidden", "16", "--epochs", "3"]
# A finder that hides packages, as if they were not installed.
HIDE = """
import sys
for name in {names!r}: sys.modules[name] = None
from fastmlp.cli import main
sys.exit(main({arguments!r}))
"""


def run_without(names: list[str], arguments: list[str]) -> subprocess.CompletedProcess[str]:
    code = HIDE.format(names=names, arguments=arguments)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize("data", ["wine", "breast_cancer", "iris", "diabetes"])
def test_built_in_data_sets(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", data, *QUICK, "--output", "net.safetensors"]) == 0
    out = capsys.readouterr().out
    assert ("test R2" in out) == (data == "diabetes")
    assert {path.name for path in Path().iterdir()} == {"net.safetensors"}
    assert load("net.safetensors").metadata["data"] == data


def test_options_reach_the_network() -> None:
    options = ["--hidden", "8, 4", "--activation", "leaky_relu", "--dropout", "0", "--dtype",
               "float64", "--threads", "1", "--lr", "0.01", "--batch-size", "16"]  # fmt: skip
    assert main(["train", "iris", "--model", "mlp", "--epochs", "2", *options]) == 0
    net = load("iris.safetensors").members[0].net
    kinds = [type(layer).__name__ for layer in net.layers]
    assert kinds == ["Linear", "LeakyReLU", "Linear", "LeakyReLU", "Linear"]
    assert net.dtype == np.float64
    more = ["--n-members", "3", "--compute", "bfloat16", "--hidden", ""]
    assert main(["train", "iris", "--model", "mlp", "--epochs", "2", *more]) == 0
    members = load("iris.safetensors").members
    assert [len(member.net.layers) for member in members] == [1, 1, 1]
    assert members[0].net.compute == "bfloat16"


def test_settings_reach_the_model() -> None:
    options = ["--metric", "accuracy", "--class-weight", "malignant=3,benign=1", "--threshold",
               "0.25", "--seed", "7"]  # fmt: skip
    assert main(["train", "breast_cancer", *QUICK, *options]) == 0
    model = load("breast_cancer.safetensors")
    assert model.threshold == 0.25
    assert (model.training["metric"], model.training["seed"]) == ("accuracy", 7)


def test_same_seed_same_bytes() -> None:
    for name, threads in (("a", "1"), ("b", "2")):
        output = ["--output", f"{name}.safetensors", "--threads", threads]
        assert main(["train", "wine", *QUICK, *output]) == 0
    assert Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ["unknown"],
        ["train"],
        ["train", "mnist"],
        ["train", "iris", "--hidden", "8,x"],
        ["train", "iris", "--hidden", "0"],
        ["train", "iris", "--dropout", "1"],
        ["train", "iris", "--epochs", "0"],
        ["train", "iris", "--lr", "0"],
        ["train", "iris", "--dtype", "float16"],
        ["train", "iris", "--compute", "float16"],
        ["train", "iris", "wine"],
        ["train", "iris", "--model", "tree"],
        ["train", "iris", "--preset", "slow"],
        ["train", "iris", "--model", "realmlp", "--activation", "relu"],
        ["train", "iris", "--metric", "auc"],
        ["train", "iris", "--class-weight", "even"],
        ["train", "iris", "--threshold", "2"],
        ["train", "iris", "--time-budget", "0"],
        ["train", "iris", "--nonsense"],
        ["info", "a", "b"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "--help" in one_error_line(capsys)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "iris", "--model", "mlp", "--activation", "rlu"], "'rlu' is unknown"),
        (["train", "iris", "--metric", "rmse"], "metric: got 'rmse'; want one of log_loss"),
        (["train", "iris", "--threshold", "0.1"], "threshold: got a number"),
        (["train", "iris", "--class-weight", "rose=2"], "got the class 'rose'; want one of"),
        (["train", "iris", "--report", "no/r.html"], "no such directory"),
        (["train", "iris", "--report", "iris.safetensors"], "must not be the model file too"),
        (["train", "iris", "--output", "no/such/folder.safetensors"], "no such directory"),
        (["train", "iris", "--output", "."], "directory"),
        (["info", "missing.safetensors"], "missing.safetensors: No such file"),
        (["info", __file__], "is not a fastmlp model"),
    ],
)
def test_failures(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    assert words in one_error_line(capsys)
    assert list(Path().iterdir()) == []


def test_a_read_only_directory_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not by the file mode, which does not stop a superuser.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert main(["train", "iris"]) == 1
    assert f"{Path.cwd()}: directory is not writable" in one_error_line(capsys)


def test_an_unexpected_error_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "describe_build", lambda: {}["no such key"])
    assert main(["info"]) == 1
    assert one_error_line(capsys) == "Error: KeyError: 'no such key' (--debug shows where)\n"


def test_a_broken_installation_is_not_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastmlp.cli.commands", None)
    with pytest.raises(ModuleNotFoundError, match=r"fastmlp\.cli\.commands"):
        main(["info"])


@pytest.mark.parametrize("arguments", [["--debug", "info", "no"], ["info", "no", "--debug"]])
def test_debug_shows_the_traceback(arguments: list[str]) -> None:
    with pytest.raises(FileNotFoundError):
        main(arguments)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["train", "--help"], ["info", "--help"]])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert "Usage: fastmlp" in capsys.readouterr().out


def test_info_shows_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    config = fm.show_config()
    assert all(name in out for name in config)
    assert config["version"] in out
    assert config["isa"] in out


def test_info_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    net = fm.Sequential(fm.Linear(4, 3), fm.Tanh(), fm.Linear(3, 2), seed=1)
    net.save("m.safetensors", {"about": "[red]not markup[/red] \x1b[2J" + "x" * 999})
    assert main(["info", "m.safetensors"]) == 0
    out = capsys.readouterr().out
    assert "Linear(in_features=4, out_features=3, bias=True)" in out
    assert "23" in out
    assert "[red]not markup[/red]" in out
    assert "\x1b[2J" not in out
    assert "..." in out


def test_info_of_a_model_whose_layers_are_not_objects(capsys: pytest.CaptureFixture[str]) -> None:
    network = {"type": "Sequential", "layers": ["Linear", None]}
    fields = {RESERVED_KEY: json.dumps({"format": FORMAT_VERSION, "network": network})}
    safetensors.write("m.safetensors", {}, fields)
    assert main(["info", "m.safetensors"]) == 0
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["layer", "0", "Linear"] in said
    assert ["layer", "1", "None"] in said


def test_info_of_a_table_of_many_columns(capsys: pytest.CaptureFixture[str]) -> None:
    table = {f"column {k}": [0.0, 1.0] * 20 for k in range(MOST_COLUMNS + 7)}
    model = MLP(hidden=(), epochs=1)
    train({**table, "y": list("ab") * 20}, "y", model=model).save("m.safetensors")
    assert main(["info", "m.safetensors"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert sum(line.startswith("column ") for line in lines) == MOST_COLUMNS
    assert "... and 7 more" in lines


@pytest.mark.parametrize(
    "arguments", [["info"], ["info", "m.safetensors"], ["info", "t.safetensors"]]
)
def test_info_needs_numpy_alone(arguments: list[str]) -> None:
    fm.Sequential(fm.Linear(4, 3), seed=1).save("m.safetensors")
    train({"x": range(40), "y": list("ab") * 20}, model=MLP(epochs=1)).save("t.safetensors")
    names = ["click", "rich", "tqdm", "pandas", "pyarrow", "sklearn", "matplotlib", "scipy"]
    result = run_without(names, arguments)
    assert (result.returncode, result.stderr) == (0, "")
    words = {"m.safetensors": "in_features=4", "t.safetensors": "classes a, b"}
    assert words.get(arguments[-1], "isa") in result.stdout


def test_errors_without_click_are_one_line() -> None:
    result = run_without(["click", "rich"], ["info", "missing.safetensors"])
    assert result.returncode == 1
    assert result.stderr == "Error: missing.safetensors: No such file or directory\n"


@pytest.mark.parametrize("missing", ["click", "pyarrow", "sklearn", "matplotlib"])
def test_missing_extra_is_named(missing: str) -> None:
    result = run_without([missing], ["train", "iris", "--report", "r.html"])
    assert result.returncode == 2
    extra = "tabular" if missing == "pyarrow" else "cli"
    assert f'pip install "fastmlp[{extra}]"' in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_interrupt_writes_nothing() -> None:
    arguments = ["train", "digits", "--model", "mlp", "--epochs", "100000", "--lr", "1e-9"]
    command = [sys.executable, "-m", "fastmlp", *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        assert process.wait(timeout=10) == 130
        assert time.monotonic() - start < 5
        assert process.stderr.read().strip().splitlines()[-1] == "Interrupted"
    assert list(Path().iterdir()) == []


def test_an_interrupt_exits_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fastmlp.cli.info.show_config", interrupted)
    assert main(["info"]) == 130
    assert capsys.readouterr().err.strip() == "Interrupted"  # click first ends the line of ^C
