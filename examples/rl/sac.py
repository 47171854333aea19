"""Soft actor-critic with its temperature learnt: python examples/rl/sac.py Pendulum-v1

Haarnoja et al., "Soft actor-critic algorithms and applications", 2018. Both critics are one network
with ``groups=2``, so a step trains them together.
"""

import gymnasium
import numpy as np
from rl_support import Replay, main, scale_of
from td3 import PULL, critics_of

import fastmlp as fm


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
    actor_loss = fm.SACActorLoss(critics, alpha=1.0, seed=run.seed)
    actor_trainer = fm.Trainer(actor, actor_loss, fm.Adam(lr=s["lr"]))
    policy = fm.Policy(actor, "squashed_gaussian", seed=run.seed)
    critic_trainer = fm.Trainer(critics, fm.CriticLoss(), fm.Adam(lr=s["lr"]))
    # The logarithm of the temperature is the weight of a network of one number.
    log_alpha = fm.Sequential(fm.Linear(1, 1, bias=False, init="zeros"))
    alpha_optimizer = fm.Adam(log_alpha, lr=s["lr"])
    one = np.ones((1, 1), np.float32)
    replay = Replay(s["buffer"], n_in, np.zeros(n_actions, np.float32), rng)

    def update():
        seen, actions, rewards, followers, ended = replay.sample(s["batch"])
        after, log_prob, _ = policy.act(followers)
        values = old_critics.predict(np.hstack([followers, after]))
        alpha = actor_loss.alpha
        wanted = fm.sac_target(rewards, ended, values, log_prob, alpha, s["gamma"])
        critic_trainer.step(np.hstack([seen, actions]), wanted)
        actor_trainer.step(seen, seen)  # it climbs the smaller critic, and its entropy
        # The wanted entropy is -n_actions: more of it lowers the temperature.
        log_alpha.forward(one)
        log_alpha.backward(one * (n_actions - actor_loss.log_prob.mean()))
        alpha_optimizer.step()
        actor_loss.alpha = float(np.exp(log_alpha[0].W[0, 0]))
        fm.polyak(old_critics, critics, s["tau"])

    def act(observation):
        return policy.act(observation, deterministic=True)[0] * half + middle

    observation, noise = np.asarray(env.reset(seed=run.seed)[0], np.float32), np.zeros(n_actions)
    step = 0
    while run.goes_on(1, act):
        step += 1
        noise = noise - PULL * 0.1 * noise + 0.1**0.5 * s["noise"] * rng.standard_normal(n_actions)
        if step <= s["start"]:
            action = rng.uniform(-1.0, 1.0, n_actions)
        else:
            action = policy.act(observation)[0]
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
