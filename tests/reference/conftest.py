"""Random numbers, and PyTorch as a second reference."""

from __future__ import annotations

import numpy as np
import pytest

SEED = 20240229


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is the second opinion; it is optional")
