"""The quick shares of the contract's scripts."""

from __future__ import annotations

import pytest
from contract import items
from contract.figures import Scale, Unavailable


@pytest.mark.parametrize("name", items.QUICK)
def test_quick_share_meets_its_goals(name, tmp_path):
    try:
        figures = items.load(name).run(Scale(full=False, scratch=tmp_path, talks=False))
    except Unavailable as missing:
        pytest.skip(str(missing))
    judged = [figure for figure in figures if figure.met is not None]
    assert judged, "nothing was judged"
    missed = [figure for figure in judged if not figure.met]
    assert not missed
