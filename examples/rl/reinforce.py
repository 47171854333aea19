"""REINFORCE, the plainest policy gradient: python examples/rl/reinforce.py CartPole-v1

Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement
learning", 1992. Eight episodes run side by side; their discounted returns, standardised, weigh the
gradient of the log-probability of each action.
"""

import numpy as np
from rl_support import Envs, main

import fastmlp as fm


def probabilities(scores):
    """Return the softmax of each row."""
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sample(scores, rng):
    """Return an action for each row of scores."""
    below = probabilities(scores).cumsum(axis=1)
    return (rng.random((len(scores), 1)) > below[:, :-1]).sum(axis=1)


def returns_of(rewards, gamma):
    """Return the discounted sum of the rewards from each step of an episode on."""
    found, total = np.empty(len(rewards), np.float32), 0.0
    for k in reversed(range(len(rewards))):
        total = found[k] = rewards[k] + gamma * total
    return found


def episodes(envs, net, rng, count):
    """Run each environment to the end of an episode; return its observations, actions, rewards."""
    steps = [([], [], []) for _ in range(count)]
    running = np.ones(count, bool)
    while running.any():
        seen = envs.observations.copy()
        actions = sample(net.predict(seen), rng)
        rewards, ended, _ = envs.step(actions)
        for k in np.flatnonzero(running):
            for column, value in zip(steps[k], (seen[k], actions[k], rewards[k]), strict=True):
                column.append(value)
        running &= ~ended
    return steps


def train(run):
    s, rng = run.settings, run.rng
    count = s["episodes"]
    envs = Envs(run.env_name, count, run.seed)
    n_in, n_actions = envs.observations.shape[1], int(envs.envs[0].action_space.n)
    (hidden,) = s["hidden"]
    net = fm.Sequential(
        fm.Linear(n_in, hidden), fm.Tanh(), fm.Linear(hidden, n_actions), seed=run.seed
    )
    trainer = fm.Trainer(net, fm.PolicyGradientLoss(), fm.Adam(lr=s["lr"]))

    def greedy(observation):
        return int(net.predict(observation).argmax())

    steps = 0
    while run.goes_on(steps, greedy):
        done = episodes(envs, net, rng, count)
        seen = np.concatenate([np.stack(columns[0]) for columns in done])
        actions = np.concatenate([columns[1] for columns in done])
        returns = np.concatenate([returns_of(columns[2], s["gamma"]) for columns in done])
        advantages = (returns - returns.mean()) / (returns.std() + 1e-8)
        trainer.step(seen, {"action": actions, "advantage": advantages})
        steps = len(actions)
        envs.reset()
    return net


if __name__ == "__main__":
    main("reinforce", train, __doc__)
