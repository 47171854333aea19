"""Twin delayed deep deterministic policy gradient: python examples/rl/td3.py Pendulum-v1

Fujimoto, van Hoof & Meger, "Addressing function approximation error in actor-critic methods",
ICML 2018. Both critics are one network with ``groups=2``, so a step trains them together.
"""

import gymnasium
import numpy as np
from rl_support import Replay, main, scale_of

import fastmlp as fm

DELAY = 2  # updates of the critics for one of the actor
SMOOTHING, MOST_SMOOTHING = 0.2, 0.5  # noise of the target actions, and its limit
PULL = 0.15  # of correlated noise towards 0, at each step


def actor_of(n_in, n_actions, hidden, seed):
    first, second = hidden
    return fm.Sequential(
        fm.Linear(n_in, first), fm.ReLU(), fm.Linear(first, second), fm.ReLU(),
        fm.Linear(second, n_actions), fm.Tanh(), seed=seed,
    )  # fmt: skip


def critics_of(n_in, hidden, seed):
    """Return two critics side by side: (N, n_in) -> (N, 2)."""
    first, second = hidden
    return fm.Sequential(
        fm.Linear(n_in, 2 * first), fm.ReLU(), fm.Linear(2 * first, 2 * second, groups=2),
        fm.ReLU(), fm.Linear(2 * second, 2, groups=2), seed=seed,
    )  # fmt: skip


def train(run):
    s, rng = run.settings, run.rng
    env = gymnasium.make(run.env_name, disable_env_checker=True)
    n_in, n_actions = env.observation_space.shape[0], env.action_space.shape[0]
    middle, half = scale_of(env.action_space)
    actor = actor_of(n_in, n_actions, s["hidden"], run.seed)
    critics = critics_of(n_in + n_actions, s["hidden"], run.seed + 1)
    old_actor, old_critics = actor.copy(), critics.copy()
    actor_trainer = fm.Trainer(actor, fm.TD3ActorLoss(critics), fm.Adam(lr=s["lr"]))
    critic_trainer = fm.Trainer(critics, fm.CriticLoss(), fm.Adam(lr=s["lr"]))
    replay = Replay(s["buffer"], n_in, np.zeros(n_actions, np.float32), rng)

    def update(number):
        seen, actions, rewards, followers, ended = replay.sample(s["batch"])
        noise = SMOOTHING * rng.standard_normal(actions.shape, np.float32)
        noise = np.clip(noise, -MOST_SMOOTHING, MOST_SMOOTHING)
        after = np.clip(old_actor.predict(followers) + noise, -1.0, 1.0)
        values = old_critics.predict(np.hstack([followers, after]))
        wanted = fm.td3_target(rewards, ended, values, s["gamma"])
        critic_trainer.step(np.hstack([seen, actions]), wanted)
        if number % DELAY == 0:
            actor_trainer.step(seen, seen)  # it climbs the first critic
            fm.polyak(old_actor, actor, s["tau"])
            fm.polyak(old_critics, critics, s["tau"])

    def act(observation):
        return actor.predict(observation) * half + middle

    observation, noise = np.asarray(env.reset(seed=run.seed)[0], np.float32), np.zeros(n_actions)
    step = updates = 0
    while run.goes_on(1, act):
        step += 1
        drawn = s["noise"] * rng.standard_normal(n_actions)
        # Correlated noise (Ornstein-Uhlenbeck, 0.1 of a second a step) pushes one way for a while.
        noise = noise - PULL * 0.1 * noise + 0.1**0.5 * drawn if s["correlated"] else drawn
        if step <= s["start"] and not s["correlated"]:
            action = rng.uniform(-1.0, 1.0, n_actions)
        else:
            action = np.clip(actor.predict(observation) + noise, -1.0, 1.0)
        follower, reward, terminated, truncated, _ = env.step(action * half + middle)
        follower = np.asarray(follower, np.float32)
        replay.add(observation, action, reward, follower, terminated)
        observation = follower
        if terminated or truncated:
            observation, noise = np.asarray(env.reset()[0], np.float32), np.zeros(n_actions)
        if step > s["start"] and step % s["every"] == 0:
            for _ in range(s["updates"]):
                updates += 1
                update(updates)
    return actor


if __name__ == "__main__":
    main("td3", train, __doc__)
