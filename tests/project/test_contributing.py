"""CONTRIBUTING.md counts the files of an addition, and all files that it names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
ADDITIONS = re.findall(r"^## (Add [^(\n]+) \((\d+) files\)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)


@pytest.mark.parametrize(("title", "count", "text"), ADDITIONS)
def test_an_addition_lists_as_many_files_as_it_counts(title, count, text):
    items = re.findall(r"^\d+\. `([^`]+)`", text, re.M)
    assert len(items) == int(count)
    for name in items:
        # A new file of the addition has a name in angle brackets; a star stands for one of several.
        assert list(ROOT.glob(name if "<" not in name else str(Path(name).parent))), name


def test_all_additions_in_contributing_are_checked():
    assert len(ADDITIONS) == TEXT.count("\n## Add ") > 0
