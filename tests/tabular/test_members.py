"""Members of an ensemble: their rows, how they run side by side, and how they end."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.tabular.members import Stopped, run_members, seed_of, shares
from fastmlp.tabular.pace import Pace, TooSlow


@pytest.mark.parametrize("members", [1, 3, 5, 8, 13])
def test_each_member_holds_out_another_fold(members: int) -> None:
    y = np.arange(103) % 3
    dealt = shares(y, 3, members, 5, seed=0)
    assert len(dealt) == members
    for share in dealt:
        assert sorted([*share.train, *share.held_out]) == list(range(103))
        assert len(share.train) >= 0.78 * 103
    assert len({share.held_out.tobytes() for share in dealt}) == members
    first = np.concatenate([share.held_out for share in dealt[:5]])
    assert len(set(first)) == len(first)


def test_few_rows_are_all_trained_on() -> None:
    dealt = shares(np.arange(12.0), 0, 2, 5, seed=0)
    assert [(len(share.train), len(share.held_out)) for share in dealt] == [(12, 0)] * 2


def test_seeds_of_members_differ() -> None:
    assert seed_of(3, 0) == 3
    assert len({seed_of(seed, member) for seed in range(20) for member in range(20)}) == 400


@pytest.mark.parametrize("n_threads", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_members_share_the_threads(n_threads: int, count: int) -> None:
    used: dict[int, int] = {}

    def run(member: int, seconds: float | None, callbacks: Sequence[Any]) -> int:
        used[member] = fm.get_num_threads()
        return member * member

    before = fm.get_num_threads()
    assert run_members(count, run, n_threads) == [member * member for member in range(count)]
    assert fm.get_num_threads() == before
    beside = min(n_threads, count)
    assert used[0] == -(-n_threads // beside)  # the first ones take the threads that remain
    assert all(1 <= number <= n_threads for number in used.values())


def test_members_run_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=20)
    run_members(3, lambda *_: together.wait(), 3)


def test_a_failure_ends_the_other_members() -> None:
    started, ended = threading.Event(), []

    def run(member: int, seconds: float | None, callbacks: Sequence[Any]) -> None:
        if member == 0:
            started.wait(20)
            raise ValueError("diverged")
        started.set()
        try:
            for _ in range(100_000):
                callbacks[0].on_epoch_end(None)
                time.sleep(0.001)
        except Stopped:
            ended.append(member)
            raise

    with pytest.raises(ValueError, match="diverged"):
        run_members(5, run, 2)
    # The thread of the first may have begun with another one before it was told.
    assert 1 in ended
    assert len(ended) <= 2


def test_members_that_would_start_too_late_are_left_out() -> None:
    given: list[float] = []

    def run(member: int, seconds: float | None, callbacks: Sequence[Any]) -> int:
        assert seconds is not None
        given.append(seconds)
        return member

    assert run_members(3, run, 1, time.monotonic() - 1) == [0, None, None]
    assert given == [0.0]
    given.clear()
    assert run_members(4, run, 1, time.monotonic() + 400) == [0, 1, 2, 3]
    # What is left is shared by the members that are left.
    np.testing.assert_allclose(given, [100, 400 / 3, 200, 400], rtol=0.01)


class State:
    """The state of a fit of 100 epochs."""

    epochs, stopped = 100, False
    epoch = -1

    def stop(self) -> None:
        self.stopped = True


def test_a_slow_fit_is_started_again_with_fewer_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    pace, state = Pace(22.0, may_restart=True), State()
    pace.on_fit_start(state)
    state.epoch, now[0] = 0, 1.0
    pace.on_epoch_end(state)
    state.epoch, now[0] = 1, 2.0
    with pytest.raises(TooSlow) as caught:
        pace.on_epoch_end(state)
    assert caught.value.epochs == 20
    # The second one is not started again, but ends in time.
    pace, state = Pace(20.0, may_restart=False), State()
    pace.on_fit_start(state)
    for epoch in range(100):
        state.epoch, now[0] = epoch, now[0] + 1
        pace.on_epoch_end(state)
        if state.stopped:
            break
    assert state.epoch == 19


def test_a_fit_that_is_fast_enough_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    pace, state = Pace(200.0, may_restart=True), State()
    pace.on_fit_start(state)
    for epoch in range(100):
        state.epoch, now[0] = epoch, now[0] + 1
        pace.on_epoch_end(state)
    assert not state.stopped
