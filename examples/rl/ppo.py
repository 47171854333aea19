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


def network(n_in, n_actions, hidden, discrete, seed):
    """Return a graph with the scores of the policy and the value as columns of its output."""
    x = fm.Input(n_in)

    def tower(n_out, name):
        value = x
        for width in hidden:
            value = fm.Tanh()(fm.Linear(value.width, width)(value))
        return fm.Linear(value.width, n_out)(value).named(name)

    columns = [tower(n_actions, "means" if not discrete else "logits"), tower(1, "value")]
    if not discrete:
        columns.insert(1, fm.Linear(n_in, n_actions, init="zeros")(x).named("log_std"))
    net = fm.Graph(x, fm.Concat()(*columns), seed=seed)
    net["logits" if discrete else "means"].W *= 0.01  # all actions are about as likely at first
    return net


def collect(run, envs, policy, limited):
    """Play some steps in all environments; return observations, and the columns of the loss."""
    s = run.settings
    shape = s["horizon"], s["envs"]
    seen = np.empty((*shape, envs.observations.shape[1]), np.float32)
    rewards, values, logs, ended = (np.empty(shape, np.float32) for _ in range(4))
    actions = []
    for t in range(s["horizon"]):
        seen[t] = envs.observations
        action, logs[t], values[t] = policy.act(seen[t])
        actions.append(action)
        rewards[t], ended[t], cut = envs.step(limited(action))
        for k, observation in cut.items():
            rewards[t, k] += s["gamma"] * policy.value(observation)
    last = policy.value(envs.observations)
    advantages, returns = fm.gae(rewards, values, ended, last, s["gamma"], s["gae_lambda"])
    return seen.reshape(-1, seen.shape[2]), {
        "action": np.concatenate(actions),
        "log_prob": logs.ravel(),
        "advantage": advantages.ravel(),
        "return": returns.ravel(),
    }


def train(run):
    s = run.settings
    envs = Envs(run.env_name, s["envs"], run.seed)
    space = envs.envs[0].action_space
    discrete = hasattr(space, "n")
    n_actions = int(space.n) if discrete else space.shape[0]
    net = network(envs.observations.shape[1], n_actions, s["hidden"], discrete, run.seed)
    kind, loss_of = ("categorical", fm.PPOLoss) if discrete else ("gaussian", fm.GaussianPPOLoss)
    policy = fm.Policy(net, kind, value="last column", seed=run.seed)
    loss = loss_of(clip=s["clip"], entropy_coef=s["entropy"], value_coef=0.5)
    groups = None if discrete else FIXED
    optimizer = fm.Adam(lr=s["lr"], eps=1e-5, clip_norm=0.5, groups=groups)
    trainer = fm.Trainer(net, loss, optimizer)

    def limited(actions):
        return actions if discrete else np.clip(actions, space.low, space.high)

    def greedy(observation):
        return limited(policy.act(observation, deterministic=True)[0])

    steps = 0
    while run.goes_on(steps, greedy):
        seen, columns = collect(run, envs, policy, limited)
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
