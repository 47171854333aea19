"""Proximal policy optimisation: python examples/rl/ppo.py CartPole-v1

Schulman et al., "Proximal policy optimization algorithms", 2017, with generalised advantages
(Schulman et al., ICLR 2016). Policy and value are two towers of one graph, whose scores are the
columns that the loss reads: the policy's, then the value.
"""

import numpy as np
from rl_support import Envs, main

import fastmlp as fm

# The standard deviation of actions that are numbers depends on no observation: its weights stay 0.
FIXED = {"log_std.W": {"lr": 0.0}}


class Categorical:
    """Actions that are a choice, from a score for each."""

    def __init__(self, scores):
        shifted = scores - scores.max(axis=1, keepdims=True)
        self.log = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def sample(self, rng):
        below = np.exp(self.log).cumsum(axis=1)
        return (rng.random((len(below), 1)) > below[:, :-1]).sum(axis=1)

    def log_prob(self, actions):
        return self.log[np.arange(len(actions)), actions]

    def mode(self):
        return self.log.argmax(axis=1)


class Gaussian:
    """Actions that are numbers: independent normal ones, from means and log standard deviations."""

    def __init__(self, scores):
        self.mean, self.log_std = np.split(scores, 2, axis=1)

    def sample(self, rng):
        return self.mean + np.exp(self.log_std) * rng.standard_normal(self.mean.shape, np.float32)

    def log_prob(self, actions):
        z = (actions - self.mean) / np.exp(self.log_std)
        return (-0.5 * z**2 - self.log_std - 0.5 * np.float32(np.log(2 * np.pi))).sum(axis=1)

    def mode(self):
        return self.mean


def network(n_in, n_actions, hidden, discrete, seed):
    """Return a graph with the scores of the policy and the value as columns of its output."""
    x = fm.Input(n_in)

    def tower(n_out, name):
        value = x
        for width in hidden:
            value = fm.Tanh()(fm.Linear(value.width, width)(value))
        return fm.Linear(value.width, n_out)(value).named(name)

    columns = [tower(n_actions, "policy"), tower(1, "value")]
    if not discrete:
        columns.insert(1, fm.Linear(n_in, n_actions, init="zeros")(x).named("log_std"))
    net = fm.Graph(x, fm.Concat()(*columns), seed=seed)
    net["policy"].W *= 0.01  # all actions are about as likely at first
    return net


def advantages_of(rewards, values, ended, last, gamma, gae_lambda):
    """Return generalised advantages (T, E); ``last`` are the values after the last step."""
    found, total = np.empty_like(rewards), np.zeros(rewards.shape[1], np.float32)
    for t in reversed(range(len(rewards))):
        going = 1.0 - ended[t]
        error = rewards[t] + gamma * last * going - values[t]
        total = found[t] = error + gamma * gae_lambda * going * total
        last = values[t]
    return found


def collect(run, envs, net, kind, limited):
    """Play some steps in all environments; return observations, and the columns of the loss."""
    s = run.settings
    shape = s["horizon"], s["envs"]
    seen = np.empty((*shape, envs.observations.shape[1]), np.float32)
    rewards, values, ended = (np.empty(shape, np.float32) for _ in range(3))
    actions, logs = [], []
    for t in range(s["horizon"]):
        seen[t] = envs.observations
        scores = net.predict(seen[t])
        policy = kind(scores[:, :-1])
        actions.append(policy.sample(run.rng))
        logs.append(policy.log_prob(actions[-1]))
        values[t] = scores[:, -1]
        rewards[t], ended[t], cut = envs.step(limited(actions[-1]))
        for k, observation in cut.items():
            rewards[t, k] += s["gamma"] * net.predict(observation)[-1]
    last = net.predict(envs.observations)[:, -1]
    advantages = advantages_of(rewards, values, ended, last, s["gamma"], s["gae_lambda"])
    return seen.reshape(-1, seen.shape[2]), {
        "action": np.concatenate(actions),
        "log_prob": np.concatenate(logs),
        "advantage": advantages.ravel(),
        "return": (advantages + values).ravel(),
    }


def train(run):
    s = run.settings
    envs = Envs(run.env_name, s["envs"], run.seed)
    space = envs.envs[0].action_space
    discrete = hasattr(space, "n")
    n_actions = int(space.n) if discrete else space.shape[0]
    kind, loss_of = (Categorical, fm.PPOLoss) if discrete else (Gaussian, fm.GaussianPPOLoss)
    net = network(envs.observations.shape[1], n_actions, s["hidden"], discrete, run.seed)
    loss = loss_of(clip=s["clip"], entropy_coef=s["entropy"], value_coef=0.5)
    groups = None if discrete else FIXED
    optimizer = fm.Adam(lr=s["lr"], eps=1e-5, clip_norm=0.5, groups=groups)
    trainer = fm.Trainer(net, loss, optimizer)

    def limited(actions):
        return actions if discrete else np.clip(actions, space.low, space.high)

    def greedy(observation):
        return limited(kind(net.predict(observation[None])[:, :-1]).mode()[0])

    steps = 0
    while run.goes_on(steps, greedy):
        seen, columns = collect(run, envs, net, kind, limited)
        steps = len(seen)
        left = max(1e-6, 1.0 - run.steps / s["steps"])
        trainer.lr, loss.clip = s["lr"] * left, s["clip"] * left
        for _ in range(s["epochs"]):
            order = run.rng.permutation(steps)
            for start in range(0, steps, s["batch"]):
                rows = order[start : start + s["batch"]]
                y = {name: column[rows] for name, column in columns.items()}
                y["advantage"] -= y["advantage"].mean()
                y["advantage"] /= y["advantage"].std() + 1e-8
                trainer.step(seen[rows], y)
    return net


if __name__ == "__main__":
    main("ppo", train, __doc__)
