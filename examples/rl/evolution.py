"""Evolution strategies on a population in one network: python examples/rl/evolution.py CartPole-v1

Salimans et al., "Evolution strategies as a scalable alternative to reinforcement learning", 2017:
mirrored noise, ranks instead of returns. ``Linear(..., groups=P)`` holds P networks side by side,
so one call of ``predict`` chooses the actions of the whole population.
"""

import itertools

import numpy as np
from rl_support import Envs, main

import fastmlp as fm


def policies(widths, members):
    """Return ``members`` networks side by side."""
    layers = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [fm.Linear(n_in * members, n_out * members, groups=members), fm.Tanh()]
    return fm.Sequential(*layers[:-1], seed=0)


def put(many, one, vectors):
    """Write a vector of parameters (P, n) into each of the P networks of a population."""
    start = 0
    for layer, like in zip(many.layers, one.layers, strict=True):
        for name, array in like.parameters().items():
            part = vectors[:, start : start + array.size]
            # The weights of the members lie one below the other.
            target = layer.parameters()[name]
            target[...] = part.reshape(target.shape)
            start += array.size


def returns_of(many, envs, members, n_actions):
    """Return the sum of rewards of one episode of each member, and the number of all steps."""
    totals, running, steps = np.zeros(members), np.ones(members, bool), 0
    while running.any():
        scores = many.predict(envs.observations.reshape(1, -1)).reshape(members, n_actions)
        rewards, ended, _ = envs.step(scores.argmax(axis=1))
        totals += rewards * running
        steps += int(running.sum())
        running &= ~ended
    return totals, steps


def train(run):
    s, rng, members = run.settings, run.rng, run.settings["population"]
    envs = Envs(run.env_name, members, run.seed)
    n_in, n_actions = envs.observations.shape[1], int(envs.envs[0].action_space.n)
    widths = [n_in, *s["hidden"], n_actions]
    mean, many = policies(widths, 1), policies(widths, members)
    optimizer = fm.Adam(mean, lr=s["lr"])
    mean.params[...] = 0.0

    def greedy(observation):
        return int(mean.predict(observation).argmax())

    steps = 0
    while run.goes_on(steps, greedy):
        half = rng.standard_normal((members // 2, mean.params.size), np.float32)
        noise = np.concatenate([half, -half])
        put(many, mean, mean.params + s["sigma"] * noise)
        envs.reset()
        totals, steps = returns_of(many, envs, members, n_actions)
        ranks = totals.argsort().argsort() / (members - 1) - 0.5
        mean.grads[...] = -(ranks @ noise) / (members * s["sigma"])
        optimizer.step()
    return mean


if __name__ == "__main__":
    main("evolution", train, __doc__)
