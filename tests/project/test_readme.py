"""The documentation is true: its Python examples, and those of every docstring, are run.

The blocks of a page are one program, read from top to bottom; a block with `>>>` is compared with
the output it shows. .ci/run starts with the README's shell commands.
"""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import fastmlp

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page: Path, language: str):
    """(line, text) of each fenced block of a language."""
    text = page.read_text("utf-8")
    for match in FENCE.finditer(text):
        if match[1] == language:
            yield text.count("\n", 0, match.start(2)) + 1, match[2]


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def check_examples(text, line, page, names):
    test = doctest.DocTestParser().get_doctest(text, names, page_name(page), str(page), line - 1)
    test.globs = names  # shared with the other blocks of the page
    failures = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False)
    runner.run(test, out=failures.append, clear_globs=False)
    assert not failures, "".join(failures)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_examples_of_a_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for line, text in blocks(page, "python"):
        if ">>>" in text:
            check_examples(text, line, page, names)
        else:
            # Blank lines before the code give tracebacks the line numbers of the page.
            exec(compile("\n" * (line - 1) + text, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_within_the_repository_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page_name(page)} links to {target}"


def test_the_first_command_prints_what_the_readme_shows(tmp_path, monkeypatch, capsys):
    """.ci/run runs the command itself in a new shell."""
    pytest.importorskip("sklearn")
    pytest.importorskip("rich")
    if fastmlp.show_config()["isa"] == "portable":
        pytest.skip("the numbers are those of instruction sets with fused multiply-add")
    monkeypatch.chdir(tmp_path)
    from fastmlp.cli import main

    assert main(["train", "digits"]) == 0
    printed = {" ".join(line.split()) for line in capsys.readouterr().out.splitlines()}
    for line in next(blocks(README, "text"))[1].splitlines():
        assert " ".join(line.split()) in printed, line
    assert {path.name for path in tmp_path.iterdir()} == {"digits.safetensors"}


def modules():
    yield "fastmlp"
    for found in pkgutil.walk_packages(fastmlp.__path__, "fastmlp."):
        if not found.name.endswith("__main__"):
            yield found.name


def examples_of(name):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"{name} needs more packages: {error}")
    return [test for test in doctest.DocTestFinder().find(module, name) if test.examples]


@pytest.mark.parametrize("name", list(modules()))
def test_examples_of_a_module(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failures = []
    for test in examples_of(name):
        doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=failures.append)
    assert not failures, "".join(failures)


def test_public_objects_have_examples():
    """Each public class and function has an example, except exceptions and base classes."""
    bases = {
        "Layer",
        "Loss",
        "Optimizer",
        "Schedule",
        "Penalty",
        "FitState",
        "initializers",
        "load",
    }
    for name in fastmlp.__all__:
        value = getattr(fastmlp, name)
        if name in bases or (isinstance(value, type) and issubclass(value, Exception)):
            continue
        assert ">>>" in (value.__doc__ or ""), f"fastmlp.{name} shows no example"
