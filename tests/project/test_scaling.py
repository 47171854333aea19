"""Predictions of bench/scaling.py: what they add up, and what their page says."""

from __future__ import annotations

import numpy as np
import pytest
from bench import scaling

import fastmlp as fm
from fastmlp import _core


def test_a_barrier_of_many_threads_counts_groups():
    assert scaling.barrier_seconds(1, 1.0) == 0.0
    assert scaling.barrier_seconds(2, 1.0) == 2.0
    assert scaling.barrier_seconds(16, 1.0) == 16.0
    assert scaling.barrier_seconds(64, 1.0) == 16.0 + 4.0


@pytest.mark.parametrize("threads", [1, 2, 5, 20])
def test_each_worker_has_an_entry_between_barriers(threads):
    net = fm.Sequential(fm.Linear(8, 16), fm.ReLU(), fm.Linear(16, 3), seed=0)
    trainer = fm.Trainer(net, fm.MSELoss(), fm.SGD(lr=0.1))
    x, y = np.ones((200, 8), np.float32), np.ones((200, 3), np.float32)
    with fm.threads(threads):
        _core.ignore_thread_cost(True)
        try:
            seconds = _core.trace_work(lambda: trainer.step(x, y), threads, 32)
        finally:
            _core.ignore_thread_cost(False)
    used = seconds.any(axis=0)
    assert seconds.shape == (threads, 32)
    assert (seconds >= 0).all()
    assert seconds[0, used].all()
    assert 1 <= seconds.any(axis=1).sum() <= threads
    assert not used[used.sum() :].any()


def test_entries_that_do_not_fit_are_left_out():
    net = fm.Sequential(fm.Linear(4, 4), seed=0)
    trainer = fm.Trainer(net, fm.MSELoss(), fm.SGD(lr=0.1))
    x = np.ones((100, 4), np.float32)
    with fm.threads(3):
        _core.ignore_thread_cost(True)
        try:
            assert _core.trace_work(lambda: trainer.step(x, x), 2, 1).shape == (2, 1)
        finally:
            _core.ignore_thread_cost(False)


def test_more_threads_are_advised_for_more_rows():
    net = fm.Sequential(fm.Linear(512, 512), fm.Linear(512, 512), seed=0).core_net()
    assert net.advised_threads(1, 1) == 1
    few, many = (net.advised_threads(rows, 64) for rows in (1, 100_000))
    assert 1 <= few <= many == 64
    assert net.advised_threads(100_000, 12) == 12, "the ladder ends with all that are allowed"


def result(cell, seconds, advised):
    rows = [
        {"threads": n, "work": s, "barriers": 2, "seconds": s}
        for n, s in zip(scaling.COUNTS, seconds, strict=True)
    ]
    return {"cell": cell, "rows": rows, "advised": advised, "measured": {"1": 8.0, "2": 5.0}}


def test_the_page_compares_with_goals_and_measurements():
    halves = [8.0 / n for n in scaling.COUNTS]
    good = [result(f"cell {k}", halves, scaling.COUNTS) for k in range(10)]
    costs = {"region": 1e-5, "barrier": 1e-7, "flops": 1e11}
    machine = dict.fromkeys(("processor", "instruction set", "commit", "date"), "?")
    page = scaling.report(good, costs, machine)
    assert page.count(": met") == 4
    assert "threads allowed: none" in page
    assert "8,000,000 us (1.00)" in page
    good[1] = result("cell 1", [8.0] * 7 + [9.0], scaling.COUNTS)
    page = scaling.report(good, costs, machine)
    assert page.count(": missed") == 2
    assert "cell 1 with 128 threads" in page
