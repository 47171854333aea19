"""Soft actor-critic with its temperature learnt: python examples/rl/sac.py Pendulum-v1

Haarnoja et al., "Soft actor-critic algorithms and applications", 2018. Both critics are one network
with ``groups=2``, so a step trains them together.
"""

import gymnasium
import numpy as np
from rl_support import Replay, main, scale_of
from td3 import PULL, critics_of

import fastmlp as fm

LEAST_LOG_STD, MOST_LOG_STD = -20.0, 2.0
EPS = 1e-6


class SquashedGaussian:
    """Actions ``tanh(mean + std * noise)``, their log-probabilities, and gradients of both."""

    def __init__(self, scores, rng):
        self.mean, raw = np.split(scores, 2, axis=1)
        log_std = np.clip(raw, LEAST_LOG_STD, MOST_LOG_STD)
        self.inside, self.std = raw == log_std, np.exp(log_std)
        self.noise = rng.standard_normal(log_std.shape, np.float32)
        self.action = np.tanh(self.mean + self.std * self.noise)
        normal = -0.5 * self.noise**2 - log_std - 0.5 * np.float32(np.log(2 * np.pi))
        self.log_prob = (normal - np.log(1.0 - self.action**2 + EPS)).sum(axis=1)

    def gradient(self, of_action, of_log_prob):
        """Return the gradient for the scores, from those for actions (N, A) and log-probs."""
        slope = 1.0 - self.action**2
        inner = of_action * slope + of_log_prob * 2.0 * self.action * slope / (slope + EPS)
        log_std = self.inside * (inner * self.std * self.noise - of_log_prob)
        return np.hstack([inner, log_std]).astype(np.float32)


def actor_of(n_in, n_actions, hidden, seed):
    """Return a network with mean and logarithm of the standard deviation of each action."""
    first, second = hidden
    return fm.Sequential(
        fm.Linear(n_in, first), fm.ReLU(), fm.Linear(first, second), fm.ReLU(),
        fm.Linear(second, 2 * n_actions), seed=seed,
    )  # fmt: skip


def train(run):
    s, rng = run.settings, run.rng
    env = gymnasium.make(run.env_name, disable_env_checker=True)
    n_in, n_actions = env.observation_space.shape[0], env.action_space.shape[0]
    middle, half = scale_of(env.action_space)
    actor = actor_of(n_in, n_actions, s["hidden"], run.seed)
    critics = critics_of(n_in + n_actions, s["hidden"], run.seed + 1)
    old_critics = critics.copy()
    actor_optimizer = fm.Adam(actor, lr=s["lr"])
    critic_trainer = fm.Trainer(critics, fm.CriticLoss(), fm.Adam(lr=s["lr"]))
    # The logarithm of the temperature is the weight of a network of one number.
    log_temperature = fm.Sequential(fm.Linear(1, 1, bias=False, init="zeros"))
    temperature_optimizer = fm.Adam(log_temperature, lr=s["lr"])
    one = np.ones((1, 1), np.float32)
    replay = Replay(s["buffer"], n_in, np.zeros(n_actions, np.float32), rng)

    def update():
        seen, actions, rewards, followers, going = replay.sample(s["batch"])
        policy = SquashedGaussian(actor.forward(seen, training=True), rng)
        temperature = np.exp(log_temperature.forward(one)[0, 0])
        surplus = n_actions - policy.log_prob.mean()  # of the entropy, over -n_actions
        log_temperature.backward(one * surplus)
        temperature_optimizer.step()
        after = SquashedGaussian(actor.predict(followers), rng)
        values = old_critics.predict(np.hstack([followers, after.action])).min(axis=1)
        soft = values - temperature * after.log_prob
        wanted = rewards + s["gamma"] * going * soft
        critic_trainer.step(np.hstack([seen, actions]), wanted)
        # The actor climbs the smaller critic, and its entropy.
        pairs = np.hstack([seen, policy.action])
        scores = critics.predict(pairs)
        smaller = scores == scores.min(axis=1, keepdims=True)
        of_action = critics.input_gradient(pairs, (smaller / -s["batch"]).astype(np.float32))
        actor.backward(policy.gradient(of_action[:, n_in:], temperature / s["batch"]))
        actor_optimizer.step()
        fm.polyak(old_critics, critics, s["tau"])

    def act(observation):
        return np.tanh(actor.predict(observation)[:n_actions]) * half + middle

    observation, noise = np.asarray(env.reset(seed=run.seed)[0], np.float32), np.zeros(n_actions)
    step = 0
    while run.goes_on(1, act):
        step += 1
        noise = noise - PULL * 0.1 * noise + 0.1**0.5 * s["noise"] * rng.standard_normal(n_actions)
        if step <= s["start"]:
            action = rng.uniform(-1.0, 1.0, n_actions)
        else:
            action = SquashedGaussian(actor.predict(observation[None]), rng).action[0]
        action = np.clip(action + noise, -1.0, 1.0)
        follower, reward, terminated, truncated, _ = env.step(action * half + middle)
        follower = np.asarray(follower, np.float32)
        replay.add(observation, action, reward, follower, terminated)
        observation = follower
        if terminated or truncated:
            observation, noise = np.asarray(env.reset()[0], np.float32), np.zeros(n_actions)
        if step > s["start"] and step % s["every"] == 0:
            for _ in range(s["updates"]):
                update()
    return actor


if __name__ == "__main__":
    main("sac", train, __doc__)
