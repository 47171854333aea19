"""Training on several ranks: the bits of one process, and ranks that do not train alike."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from . import ranks

SCRIPT = (Path(__file__).parent / "training.py").read_text("utf-8")


@ranks.needs_mpi
@pytest.mark.parametrize("count", [2, 8])
def test_ranks_give_the_bits_of_one_process(count):
    alone = subprocess.run(
        [sys.executable, "-c", SCRIPT, "none"], check=True, capture_output=True, text=True
    )
    assert ranks.run(count, SCRIPT) == json.loads(alone.stdout) * count


@ranks.needs_mpi
def test_sums_rounded_to_bfloat16_are_those_of_one_rank():
    assert ranks.run(4, SCRIPT, "bfloat16") == ranks.run(1, SCRIPT, "bfloat16") * 4


@ranks.needs_mpi
def test_ranks_with_other_data_are_refused():
    script = """
import numpy, fastmlp as fm
world = fm.distributed.world()
x = numpy.ones((8 + world.rank, 3))
fm.fit(fm.Sequential(fm.Linear(3, 1), seed=0), x, x[:, :1], loss=fm.MSELoss(), world=world)
"""
    assert "rank 1 has fit.x" in ranks.failure(2, script)


@ranks.needs_mpi
def test_more_ranks_than_shards_are_refused():
    script = """
import fastmlp as fm
net = fm.Sequential(fm.Linear(3, 1), seed=0)
fm.Trainer(net, fm.MSELoss(), shards=1, world=fm.distributed.world())
"""
    assert "got 2 ranks for 1 shards of a batch" in ranks.failure(2, script)
