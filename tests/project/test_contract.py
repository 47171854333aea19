"""The quick parts of the contract's scripts."""

from __future__ import annotations

import pytest
from contract import items, reasons
from contract.figures import Scale, Unavailable


def check_goals(name, scale):
    try:
        figures = items.load(name).run(scale)
    except Unavailable as missing:
        pytest.skip(str(missing))
    judged = [figure for figure in figures if figure.met is not None]
    assert judged, "nothing was judged"
    missed = [figure for figure in judged if not figure.met]
    assert not missed


IN_PYTHON = [name for name in items.QUICK if name not in items.BUILDING] + ["fuzzing"]


@pytest.mark.parametrize("name", IN_PYTHON)
def test_quick_part_meets_its_goals(name, tmp_path):
    check_goals(name, Scale(full=False, scratch=tmp_path, builds=False, talks=False))


@pytest.mark.builds
@pytest.mark.parametrize("name", items.BUILDING)
def test_quick_part_that_builds_meets_its_goals(name, tmp_path):
    check_goals(name, Scale(full=False, scratch=tmp_path, talks=False))


def test_uncovered_code_is_in_files_that_exist():
    """Whether its lines are still there, ``python -m contract coverage`` says."""
    assert not [str(entry) for entry in reasons.read() if not (reasons.ROOT / entry.path).is_file()]
