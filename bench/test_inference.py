"""Predictions of every contestant, grouped by cell; see conftest.py."""

from __future__ import annotations

import pytest

from bench.cells import CELLS
from bench.clock import CLOCK
from bench.contestants import CONTESTANTS

PAIRS = [
    (cell, name)
    for cell in CELLS
    for name, row in CONTESTANTS.items()
    if cell.kind == "predict" and row.runs(cell)
]


@pytest.mark.benchmark(timer=CLOCK)
@pytest.mark.parametrize(("cell", "name"), PAIRS)
def test_prediction(race, cell, name):
    race(cell, name)
