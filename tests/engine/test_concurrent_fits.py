"""Simultaneous fits in threads and processes end with the same bits; nothing runs after a call.

Each test checks a new process, which runs a report of process_reports.py. bench/busy.py measures
the speed of simultaneous fits.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

import pytest
from tests import process_reports, watchdog

# The process may use IDLE seconds of a wait of WAIT seconds after a call.
WAIT, IDLE, TRIES = 0.03, 0.002, 3

needs_proc = pytest.mark.skipif(
    process_reports.native_threads() is None,
    reason="threads are counted in /proc, which is Linux's",
)
pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups here")

# The suite or its caller may set these; the tests need a process in which nobody has set them.
UNSET = {"GOMP_SPINCOUNT", "OMP_NUM_THREADS", "OMP_WAIT_POLICY"}


def report(call):
    """The report ``process_reports.<call>`` of a new process, which is killed if it hangs."""
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    path = [str(Path(__file__).parents[2]), environment.get("PYTHONPATH")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    return json.loads(
        watchdog.run(
            "-c", f"from tests import process_reports as r; r.{call}", environment=environment
        )
    )


@functools.cache
def fits(way):
    return report(f"report_fits({way!r})")


@functools.cache
def processors():
    """The processors that affinity and quota allow: the default number of threads."""
    return report("report_threads()")


@pytest.fixture
def two_processors():
    if processors() < 2:
        pytest.skip("one processor: a fit has no second thread")


def look_for(way):
    """Skip a way that does not work on this machine."""
    if "joblib" in way:
        pytest.importorskip("joblib", minversion="1.3")


# ---- the same results, and no hang ----


@pytest.mark.parametrize("way", process_reports.WAYS)
def test_a_fit_gives_the_same_bits_wherever_it_runs(way):
    look_for(way)
    found = fits(way)
    here = [one["bits"] for one in found["here"]]
    assert len(set(here)) == len(process_reports.SEEDS)
    assert [one["bits"] for one in found["elsewhere"]] == here
    assert [one["bits"] for one in found["after"]] == here
    in_this_process = {one["process"] for one in found["here"]}
    in_workers = {one["process"] for one in found["elsewhere"]}
    assert (in_workers == in_this_process) == (way in process_reports.IN_THREADS)


# ---- how many threads ----


@needs_proc
@pytest.mark.usefixtures("two_processors")
def test_a_fit_has_a_second_thread():
    """Otherwise the tests in this file would prove nothing."""
    assert fits("Pool, fork")["here"][0]["started"] == process_reports.THREADS - 1


@needs_proc
@pytest.mark.parametrize("way", ["Pool, fork", "ProcessPoolExecutor, fork"])
def test_forked_workers_fit_on_one_thread(way):
    assert {one["started"] for one in fits(way)["elsewhere"]} == {0}


def test_loky_workers_use_their_share_of_the_threads():
    joblib = pytest.importorskip("joblib", minversion="1.3")
    share = max(1, joblib.cpu_count() // process_reports.WORKERS)
    assert {one["threads"] for one in fits("joblib, loky")["elsewhere"]} == {share}


@pytest.mark.parametrize("count", [1, 3])
def test_loky_workers_use_the_threads_they_are_given(count):
    pytest.importorskip("joblib", minversion="1.3")
    found = report(f"report_inner_threads({count})")
    assert {one["threads"] for one in found} == {count}
    if count == 1:
        assert {one["started"] for one in found} <= {0, None}


# ---- nothing runs after a call ----


@pytest.mark.usefixtures("two_processors")
def test_nothing_runs_after_a_call():
    found = report(f"report_idleness({WAIT}, {TRIES})")
    if found["ours"] is not None:
        assert found["ours"] == process_reports.THREADS - 1, "no second thread has been at work"
    busy = {name: f"{1e3 * used:.1f} ms" for name, used in found["used"].items() if used > IDLE}
    assert not busy, f"CPU time in the {1e3 * WAIT:g} ms after a call: {busy}"
