"""Files of drawings: what is refused, the state after failures, and a broken Graphviz."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

import fastmlp as fm
from fastmlp.drawing import diagram, dot

SVG = "{http://www.w3.org/2000/svg}"
PNG = b"\x89PNG\r\n\x1a\n"


def double() -> fm.Graph:
    x = fm.Input(1, "x")
    net = fm.Graph(x, x + x)
    net.forward([[3.0]], keep=True)
    net.backward([[1.0]])
    return net


def test_predictions_in_a_file_equal_those_returned(tmp_path: Path) -> None:
    net = double()
    net.draw(str(tmp_path / "graph.svg"))
    assert (tmp_path / "graph.svg").read_text("utf-8") == net.draw()


@pytest.mark.parametrize("path", ["graph.pdf", "graph", ".svg", "svg", "graph.svg.txt"])
def test_other_endings_are_refused(path: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(fm.ArgumentError, match=r"path: got .*\.svg or \.png"):
        double().draw(path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", [3, b"graph.svg", ["graph.svg"], True])
def test_paths_of_a_wrong_type_are_refused(path: Any) -> None:
    with pytest.raises(fm.ArgumentTypeError, match="path: got"):
        double().draw(path)


def test_values_is_a_boolean() -> None:
    with pytest.raises(fm.ArgumentTypeError, match="values: got 'yes'"):
        double().draw(values="yes")


def test_a_png_without_matplotlib_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dot.shutil, "which", lambda _: None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    (tmp_path / "graph.png").write_bytes(b"old")
    with pytest.raises(fm.MissingPackageError, match=r"fastmlp\[plot\]"):
        double().draw(tmp_path / "graph.png")
    assert (tmp_path / "graph.png").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        double().draw(tmp_path / "graph.svg")
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        double().draw(tmp_path / "missing" / "graph.svg")


# ---- a dot that works or fails ----


def with_dot(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[list[str]]:
    """Replace ``dot`` by a function from input to output; return the commands that were run."""
    commands: list[list[str]] = []

    def run(command: list[str], *, input: bytes, timeout: float, **_: Any) -> Any:
        assert timeout > 0
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, answer(input.decode("utf-8")), b"")

    monkeypatch.setattr(dot.shutil, "which", lambda name: f"/opt/{name}")
    monkeypatch.setattr(dot.subprocess, "run", run)
    return commands


def test_dot_lays_out_where_it_is_installed(tmp_path: Path, monkeypatch: Any) -> None:
    commands = with_dot(monkeypatch, lambda text: b"<?xml?><!-- by dot --><svg/>")
    assert double().draw() == "<svg/>"
    with_dot(monkeypatch, lambda text: PNG + b"...")
    double().draw(tmp_path / "graph.png")
    assert (tmp_path / "graph.png").read_bytes() == PNG + b"..."
    assert commands[0] == ["/opt/dot", "-Tsvg"]


def test_dot_is_given_names_values_and_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    with_dot(monkeypatch, lambda text: given.append(text) or b"<svg/>")
    double().draw()
    (source,) = given
    value = f'<font color="{diagram.VALUE}">6.00</font>'
    assert f'{value}<br/><font color="{diagram.GRADIENT}">1.00</font>' in source
    assert source.count(" -> ") == 3


def fails(error: Exception) -> Any:
    def answer(text: str) -> bytes:
        raise error

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        fails(subprocess.CalledProcessError(1, "dot")),
        fails(subprocess.TimeoutExpired("dot", 60)),
        fails(PermissionError("dot")),
        lambda text: b"",
    ],
)
def test_the_plain_layout_stands_in_for_a_dot_that_fails(
    answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_dot(monkeypatch, answer)
    with pytest.warns(RuntimeWarning, match="Graphviz failed"):
        svg = double().draw()
    shown = [one.text for one in ET.fromstring(svg).iter(f"{SVG}text")]
    assert shown[:2] == ["x", "Input(1)"]
    assert "6.00" in shown
