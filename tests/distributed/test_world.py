"""Ranks of an MPI program: sums in the order of a tree, broadcasts, and programs that differ."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from fastmlp.base.errors import ArgumentError, MissingPackageError

from . import ranks

LENGTHS = (1, 7, 3001, 70_001)
# Lengths of long sums begin after so many bytes: all, some or none of them are divided.
LONG = (0, 1 << 14, 1 << 40)

SUMS = """
import hashlib, json, sys
import numpy as np
import fastmlp as fm

lengths, long, wire = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
world = fm.distributed.world(wire)
found = []
for bytes in long:
    world.ranks.set_long(bytes)
    arrays = []
    for n in lengths:
        for dtype in (np.float32, np.float64):
            arrays.append(np.random.default_rng([n, world.rank]).standard_normal(n).astype(dtype))
    world.sum(*arrays)
    found.append(hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest())
told = world._comm.gather(found)
shared = world.share(np.arange(3) if world.is_first else None).tolist(), world.share(world.rank)
assert shared == ([0, 1, 2], 0)
if world.is_first:
    print(json.dumps(told))
"""


def rounded(values: np.ndarray) -> np.ndarray:
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def sum_of_tree(parts, wire):
    narrow = wire == "bfloat16" and parts[0].dtype == np.float32
    if narrow:
        parts = [rounded(part) for part in parts]
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    total = sum_of_tree(parts[:half], wire) + sum_of_tree(parts[half:], wire)
    return rounded(total) if narrow else total


def expected(count: int, wire: str) -> str:
    import hashlib

    digest = hashlib.sha256()
    for n in LENGTHS:
        for dtype in (np.float32, np.float64):
            parts = [
                np.random.default_rng([n, rank]).standard_normal(n).astype(dtype)
                for rank in range(count)
            ]
            digest.update(sum_of_tree(parts, wire).tobytes())
    return digest.hexdigest()


@ranks.needs_mpi
@pytest.mark.parametrize(("count", "wire"), [(1, "bfloat16"), (2, "float32"), (8, "bfloat16")])
def test_sums_over_ranks_are_those_of_a_binary_tree(count, wire):
    told = ranks.run(count, SUMS, str(list(LENGTHS)), str(list(LONG)), wire)
    assert told == [[expected(count, wire)] * len(LONG)] * count


@ranks.needs_mpi
def test_ranks_that_differ_are_refused_and_end_together():
    script = """
import os, fastmlp as fm
from mpi4py import MPI
fm.distributed.world(["float32", "bfloat16"][MPI.COMM_WORLD.rank])
"""
    assert "rank 1 has wire = bfloat16; want float32, as rank 0" in ranks.failure(2, script)


@ranks.needs_mpi
def test_a_number_of_ranks_that_is_no_power_of_two_is_refused():
    script = "import numpy, fastmlp as fm; fm.distributed.world().sum(numpy.zeros(2))"
    errors = ranks.failure(3, script)
    assert "got 3 ranks; want a power of two" in errors
    assert "all ranks end" in errors


@ranks.needs_mpi
def test_a_rank_that_dies_ends_the_others():
    script = """
import os, signal, numpy, fastmlp as fm
world = fm.distributed.world()
world.sum(numpy.zeros(1000))
if world.rank == 1:
    os.kill(os.getpid(), signal.SIGKILL)
world.sum(numpy.zeros(1000))
"""
    process = ranks.start(2, script)
    out, errors = process.communicate(timeout=10)
    assert process.returncode != 0
    assert "(signal 9)" in out + errors


def test_without_mpi4py_the_error_names_the_extra(monkeypatch):
    import fastmlp as fm

    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(MissingPackageError, match=r"fastmlp\[mpi\]"):
        fm.distributed.world()
    with pytest.raises(ArgumentError, match=r"wire: got 'int8'"):
        fm.distributed.world("int8")
