"""The map of the lecture is complete: each row links its files, and has an exercise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "lecture"
TEXT = (FOLDER / "README.md").read_text(encoding="utf-8")
SCRIPTS = list(FOLDER.glob("[0-9]*.py"))
PARTS = dict(re.findall(r"^\*\*Row (\d+)\.\*\*(.*?)(?=^\*\*Row |^## |\Z)", TEXT, re.S | re.M))


@pytest.mark.parametrize("row", range(1, 39))
def test_every_row_links_its_scripts_and_pictures_and_has_an_exercise(row):
    part = PARTS[str(row)]
    own = [path.name for path in SCRIPTS if path.name.startswith(f"{row:02}_")]
    assert own
    assert all(f"]({name})" in part for name in own)
    drawn = [path.name for path in (FOLDER / "pictures").glob(f"{row:02}_*")]
    assert all(f"](pictures/{name})" in part for name in drawn)
    exercise = re.search(r"<details><summary>Exercise: (.+)</summary>\n\n(.+)\n\n</details>", part)
    assert exercise
    assert exercise[1].endswith("?") or "Write" in exercise[1]


def test_the_map_has_every_row_and_script():
    lines = re.findall(r"^\| \[.*\]\(#(.*?)\).*\| ([\d, ]+) \| (.*) \|$", TEXT, re.M)
    rows = sorted(int(row) for _, numbers, _ in lines for row in numbers.split(","))
    assert rows == list(range(1, 39))
    linked = sorted(name for *_, links in lines for name in re.findall(r"\]\((.*?)\)", links))
    assert linked == sorted(path.name for path in SCRIPTS)
    headings = re.findall(r"^## (.*)$", TEXT, re.M)
    anchors = {heading.lower().replace(",", "").replace(" ", "-") for heading in headings}
    assert {anchor for anchor, *_ in lines} <= anchors


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (FOLDER / target).exists(), target
