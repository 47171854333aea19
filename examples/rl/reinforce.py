"""REINFORCE, the plainest policy gradient: python examples/rl/reinforce.py CartPole-v1

Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement
learning", 1992. Eight episodes run side by side; their discounted returns, standardised, weigh the
gradient of the log-probability of each action.
"""

import numpy as np
from rl_support import Envs, main

import fastmlp as fm


def episodes(envs, policy, count):
    """Run each environment to the end of an episode; return its observations, actions, rewards."""
    steps = [([], [], []) for _ in range(count)]
    running = np.ones(count, bool)
    while running.any():
        seen = envs.observations.copy()
        actions, _, _ = policy.act(seen)
        rewards, ended, _ = envs.step(actions)
        for k in np.flatnonzero(running):
            for column, value in zip(steps[k], (seen[k], actions[k], rewards[k]), strict=True):
                column.append(value)
        running &= ~ended
    return steps


def discounted(rewards, gamma):
    """Return the discounted sum of the rewards from each step of an episode on."""
    nothing = np.zeros(len(rewards), np.float32)
    return fm.gae(rewards, nothing, nothing, 0.0, gamma, lam=1.0)[0]


def train(run):
    s = run.settings
    count = s["episodes"]
    envs = Envs(run.env_name, count, run.seed)
    n_in, n_actions = envs.observations.shape[1], int(envs.envs[0].action_space.n)
    (hidden,) = s["hidden"]
    net = fm.Sequential(
        fm.Linear(n_in, hidden), fm.Tanh(), fm.Linear(hidden, n_actions), seed=run.seed
    )
    policy = fm.Policy(net, seed=run.seed)
    trainer = fm.Trainer(net, fm.PolicyGradientLoss(), fm.Adam(lr=s["lr"]))

    def greedy(observation):
        return int(net.predict(observation).argmax())

    steps = 0
    while run.goes_on(steps, greedy):
        done = episodes(envs, policy, count)
        seen = np.concatenate([np.stack(columns[0]) for columns in done])
        actions = np.concatenate([columns[1] for columns in done])
        returns = np.concatenate([discounted(columns[2], s["gamma"]) for columns in done])
        advantages = (returns - returns.mean()) / (returns.std() + 1e-8)
        trainer.step(seen, {"action": actions, "advantage": advantages})
        steps = len(actions)
        envs.reset()
    return net


if __name__ == "__main__":
    main("reinforce", train, __doc__)
