"""Fixtures that select an instruction set, a precision and a number of threads."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

# Read when OpenMP is loaded: teams larger than the machine must not wait by spinning.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# A shell makes background processes ignore interrupts, which some tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest.register_assert_rewrite("tests.harness")

from tests import harness  # noqa: E402

from fastmlp import _core  # noqa: E402

# They differ in products of rounded operands alone; other tests run on the second one only.
ALIKE = {"avx512", "avx512bf16"}
TELL_THEM_APART = ("bfloat16", "int8", "frozen", "bits", "layerwise", "processes")


def pytest_generate_tests(metafunc):
    if "isa" in metafunc.fixturenames:
        forced = os.environ.get("FASTMLP_ISA")
        names = [forced] if forced else _core.config()["isas"]
        if set(names) >= ALIKE and not metafunc.module.__name__.endswith(TELL_THEM_APART):
            names = [name for name in names if name != "avx512"]
        metafunc.parametrize("isa", names, indirect=True)


@pytest.fixture
def isa(request):
    """Each instruction set of this processor; with FASTMLP_ISA, only that one."""
    before = _core.config()["isa"]
    _core.use_isa(request.param)
    yield request.param
    _core.use_isa(before)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture(params=harness.THREADS)
def threads(request):
    """Numbers of threads; all are used, even for small work."""
    with harness.using_threads(request.param):
        yield request.param


@pytest.fixture
def guarded():
    """Arrays with sentinels at both ends; checked after the test."""
    arrays = harness.Guarded()
    yield arrays
    arrays.verify()


@pytest.fixture
def in_tmp_path(tmp_path, monkeypatch):
    """A separate working directory, and a fixed width of the output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
