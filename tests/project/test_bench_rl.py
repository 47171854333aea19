"""The benchmark of reinforcement learning goes on where it ended, and writes its table."""

from __future__ import annotations

import json
from typing import Any

import pytest

bench = pytest.importorskip("bench.rl.__main__")


@pytest.fixture
def measured(monkeypatch) -> list[tuple[Any, ...]]:
    """The runs that are made, which take no time."""
    made: list[tuple[Any, ...]] = []

    def measure(request, peer):
        made.append((request["contestant"], request["algorithm"], request["env"], request["seed"]))
        if request["seed"] == 1 and len(made) == 2:
            return {**request, "failed": "out of luck"}
        seconds = 2.0 if request["contestant"] == "fastmlp" else 12.0
        figures = {"target": 475.0, "steps": 1000, "seconds": seconds, "solved": seconds}
        return {**request, **figures, "best": 490.0, "curve": []}

    monkeypatch.setattr(bench, "measure", measure)
    return made


def test_a_run_goes_on_and_repeats_what_failed(tmp_path, measured):
    arguments = ["--only", "evolution", "--seeds", "2", "--threads", "1", "--out", str(tmp_path)]
    bench.main(arguments)
    assert [seed for *_, seed in measured] == [0, 1]
    lines = (tmp_path / "rl.jsonl").read_text().splitlines()
    assert "failed" in json.loads(lines[1])
    bench.main(arguments)
    assert [seed for *_, seed in measured] == [0, 1, 1]
    bench.main(arguments)
    assert len(measured) == 3


def test_the_table_compares_both(tmp_path, measured):
    bench.main(["--only", "ppo/CartPole-v1", "--seeds", "1", "--threads", "2", "--peer", "python",
                "--out", str(tmp_path)])  # fmt: skip
    assert [name for name, *_ in measured] == ["fastmlp", "stable-baselines3"]
    text = (tmp_path / "rl.md").read_text()
    assert "| ppo CartPole-v1 | 475 | fastmlp | 2 | 1 of 1 | 2.0 | 1,000 | 500 | 490.0 |" in text
    assert "6.0 times sooner" in text


def test_both_contestants_read_the_same_tasks():
    tasks = bench.tasks()
    assert {name for name, _ in tasks} >= bench.COMPARED
    assert all(settings["steps"] > settings["evaluate"] for settings in tasks.values())
