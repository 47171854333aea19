"""Deep Q-learning with double targets and prioritised replay: python examples/rl/dqn.py CartPole-v1

Mnih et al., "Human-level control through deep reinforcement learning", Nature 2015; van Hasselt,
Guez & Silver, "Deep reinforcement learning with double Q-learning", AAAI 2016; Schaul et al.,
"Prioritized experience replay", ICLR 2016.
"""

import itertools

import gymnasium
import numpy as np
from rl_support import Replay, main

import fastmlp as fm

ALPHA, BETA, SMALLEST = 0.6, 0.4, 1e-3  # of prioritised replay


class Priorities:
    """Chooses rows of a replay memory with probabilities proportional to priority ** ALPHA."""

    def __init__(self, capacity, rng):
        self.rng, self.of, self.largest = rng, np.zeros(capacity), 1.0

    def add(self, row):
        self.of[row] = self.largest  # so that every transition is seen once soon

    def sample(self, count, size):
        """Return rows, and weights that correct for the choice."""
        rows = np.empty(0, np.int64)
        while len(rows) < count:
            # A random row is taken with the probability priority / largest.
            tried = self.rng.integers(size, size=8 * count)
            taken = self.rng.random(8 * count) * self.largest < self.of[tried]
            rows = np.concatenate([rows, tried[taken]])
        rows = rows[:count]
        weights = self.of[rows] ** -BETA
        return rows, (weights / weights.max()).astype(np.float32)

    def update(self, rows, errors):
        self.of[rows] = (np.abs(errors) + SMALLEST) ** ALPHA
        self.largest = max(self.largest, float(self.of[rows].max()))


def network(widths, seed):
    """Return a ReLU network with one score, the value, for each action."""
    layers = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [fm.Linear(n_in, n_out), fm.ReLU()]
    return fm.Sequential(*layers[:-1], seed=seed)


def train(run):
    s, rng = run.settings, run.rng
    env = gymnasium.make(run.env_name, disable_env_checker=True)
    n_in, n_actions = env.observation_space.shape[0], int(env.action_space.n)
    net = network([n_in, *s["hidden"], n_actions], run.seed)
    target = net.copy()
    trainer = fm.Trainer(net, fm.DQNLoss(), fm.Adam(lr=s["lr"], clip_norm=10.0))
    replay = Replay(s["buffer"], n_in, np.zeros((), np.int64), rng)
    priorities = Priorities(s["buffer"], rng)
    each = np.arange(s["batch"])

    def update():
        rows, weights = priorities.sample(s["batch"], replay.size)
        seen, actions, rewards, followers, ended = replay.rows(rows)
        # Double: the network chooses the next action, the target network values it.
        values, after = np.split(net.predict(np.concatenate([seen, followers])), 2)
        wanted = fm.dqn_target(rewards, ended, target.predict(followers), s["gamma"], after)
        errors = values[each, actions] - wanted
        trainer.step(seen, {"action": actions, "target": wanted}, sample_weight=weights)
        priorities.update(rows, errors)

    def greedy(observation):
        return int(net.predict(observation).argmax())

    observation = np.asarray(env.reset(seed=run.seed)[0], np.float32)
    step = 0
    while run.goes_on(1, greedy):
        step += 1
        explored = min(1.0, step / (s["explore"] * s["steps"]))
        if rng.random() < 1.0 + explored * (s["epsilon"] - 1.0):
            action = int(rng.integers(n_actions))
        else:
            action = greedy(observation)
        follower, reward, terminated, truncated, _ = env.step(action)
        follower = np.asarray(follower, np.float32)
        priorities.add(replay.add(observation, action, reward, follower, terminated))
        observation = follower
        if terminated or truncated:
            observation = np.asarray(env.reset()[0], np.float32)
        if step > s["start"] and step % s["every"] == 0:
            for _ in range(s["updates"]):
                update()
        if step % s["target_every"] == 0:
            target.copy_from(net)
    return net


if __name__ == "__main__":
    main("dqn", train, __doc__)
