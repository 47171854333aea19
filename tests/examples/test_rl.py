"""The examples of reinforcement learning and of streams run, repeat, and state what holds."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm

FOLDER = Path(__file__).parents[2] / "examples"
OURS = ("ppo", "dqn", "sac", "td3", "reinforce", "evolution", "rl_support", "settings")


@pytest.fixture
def load(monkeypatch):
    """A function from a module's name to the module in examples/rl or examples."""
    pytest.importorskip("gymnasium")
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.syspath_prepend(str(FOLDER / "rl"))
    for name in (*OURS, "control", "online"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module
    for name in (*OURS, "control", "online"):
        sys.modules.pop(name, None)


TASKS = [
    ("ppo", "CartPole-v1"), ("ppo", "Pendulum-v1"), ("dqn", "CartPole-v1"), ("sac", "Pendulum-v1"),
    ("td3", "Pendulum-v1"), ("td3", "MountainCarContinuous-v0"), ("reinforce", "CartPole-v1"),
    ("evolution", "CartPole-v1"),
]  # fmt: skip


@pytest.mark.parametrize("task", TASKS, ids="-".join)
def test_an_algorithm_runs_and_repeats(load, task):
    algorithm, support = load(task[0]), load("rl_support")
    runs = [support.quick_run(*task) for _ in range(2)]
    nets = [algorithm.train(run) for run in runs]
    assert np.array_equal(nets[0].params, nets[1].params)
    assert np.isfinite(nets[0].params).all()
    first, second = ([(steps, mean) for steps, _, mean in run.curve] for run in runs)
    assert first == second
    assert first[-1][0] >= runs[0].settings["steps"]


def test_a_population_predicts_as_its_members_do(load):
    evolution = load("evolution")
    one, many = evolution.policies([4, 5, 2], 1), evolution.policies([4, 5, 2], 3)
    vectors = np.random.default_rng(0).standard_normal((3, one.params.size), np.float32)
    evolution.put(many, one, vectors)
    x = np.random.default_rng(1).standard_normal((3, 4), np.float32)
    together = many.predict(x.reshape(1, -1)).reshape(3, 2)
    for member, vector in enumerate(vectors):
        one.params[...] = vector
        assert np.array_equal(one.predict(x[member]), together[member])


def test_priorities_choose_in_proportion(load):
    dqn = load("dqn")
    priorities = dqn.Priorities(4, np.random.default_rng(0))
    for row in range(4):
        priorities.add(row)
    priorities.update(np.arange(4), np.array([0.0, 1.0, 2.0, 4.0]))
    rows, weights = priorities.sample(20_000, 4)
    wanted = priorities.of / priorities.of.sum()
    np.testing.assert_allclose(np.bincount(rows, minlength=4) / 20_000, wanted, atol=0.015)
    assert weights.max() == 1.0


def test_the_controller_holds_the_pendulum(load):
    control = load("control")
    latency, angles, _ = control.run(control.controller(), 3000)
    assert abs(angles[-1]) < 0.15  # from 0.2
    assert (latency > 0).all()
    assert sum(int(line.split()[4].replace(",", "")) for line in control.histogram(latency)) == 3000


def test_learning_online_follows_a_drift(load):
    errors, _ = load("online").run(3000)
    learning, fixed = errors[2000:].mean(axis=0)
    assert learning < 0.8 * fixed
    assert isinstance(load("online").network(), fm.Sequential)
