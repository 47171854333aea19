"""Training steps of every contestant, grouped by cell; see conftest.py."""

from __future__ import annotations

import pytest

from bench.cells import CORE_TRAINING, MORE_TRAINING
from bench.clock import CLOCK
from bench.contestants import CONTESTANTS

NAMES = [name for name, row in CONTESTANTS.items() if "train" in row.kinds]


@pytest.mark.benchmark(timer=CLOCK)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cell", CORE_TRAINING + MORE_TRAINING)
def test_training_step(race, cell, name):
    race(cell, name)
