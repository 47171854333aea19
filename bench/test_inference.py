"""Predictions of every contestant, grouped by cell; see conftest.py."""

from __future__ import annotations

import pytest

from bench.cells import CORE_PREDICTION, MORE_PREDICTION
from bench.clock import CLOCK
from bench.contestants import CONTESTANTS

NAMES = [name for name, row in CONTESTANTS.items() if "predict" in row.kinds]


@pytest.mark.benchmark(timer=CLOCK)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cell", CORE_PREDICTION + MORE_PREDICTION)
def test_prediction(race, cell, name):
    race(cell, name)
