"""The quick share of the contract's scripts (contract)."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

import pytest
from contract import items, results
from contract.figures import Scale, Unavailable


@pytest.mark.parametrize("name", items.NAMES)
def test_quick_share_meets_its_goals(name, tmp_path):
    try:
        figures = items.load(name).run(Scale(full=False, scratch=tmp_path, talks=False))
    except Unavailable as missing:
        pytest.skip(str(missing))
    judged = [figure for figure in figures if figure.met is not None]
    assert judged, "nothing was judged"
    missed = [figure for figure in judged if not figure.met]
    assert not missed


def test_the_table_shows_the_results():
    assert results.TABLE.read_text() == results.table(json.loads(results.DATA.read_text()))


def test_every_missed_goal_has_its_cause():
    for item, entry in json.loads(results.DATA.read_text()).items():
        missed = [figure["name"] for figure in entry["figures"] if figure["met"] is False]
        assert not [name for name in missed if results.cause(item, name) is None], item


def test_every_cause_is_of_a_figure():
    known = {item: each["figures"] for item, each in json.loads(results.DATA.read_text()).items()}
    for item, pattern, _ in results.causes():
        assert any(fnmatchcase(figure["name"], pattern) for figure in known[item]), pattern
