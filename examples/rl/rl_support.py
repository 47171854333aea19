"""Shared by the examples of reinforcement learning: environments, memory, evaluation, command."""

import argparse
import json
import time
from pathlib import Path

import gymnasium
import numpy as np
from settings import TARGETS, TASKS

EPISODES = 10  # of an evaluation
QUICK = {  # for tests: enough to run every line
    "steps": 200, "evaluate": 100, "start": 60, "horizon": 32, "epochs": 2, "population": 8,
    "batch": 32, "every": 8, "updates": 2,
}  # fmt: skip


class Envs:
    """Several copies of an environment; an episode that ends is followed by the next one."""

    def __init__(self, name, count, seed):
        self.envs = [gymnasium.make(name, disable_env_checker=True) for _ in range(count)]
        space = self.envs[0].observation_space
        self.observations = np.empty((count, *space.shape), np.float32)
        for k, env in enumerate(self.envs):
            self.observations[k] = env.reset(seed=1000 * seed + k)[0]

    def reset(self):
        """Begin a new episode everywhere."""
        for k, env in enumerate(self.envs):
            self.observations[k] = env.reset()[0]

    def step(self, actions):
        """Return rewards, whether episodes ended, and the last observation of those cut short.

        An episode that only ran out of time has a value after its end; these observations, by the
        number of the environment, are for computing it.
        """
        rewards, ended = np.empty(len(self.envs), np.float32), np.zeros(len(self.envs), bool)
        cut = {}
        for k, (env, action) in enumerate(zip(self.envs, actions, strict=True)):
            observation, rewards[k], terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                ended[k] = True
                if not terminated:
                    cut[k] = np.asarray(observation, np.float32)
                observation, _ = env.reset()
            self.observations[k] = observation
        return rewards, ended, cut


class Replay:
    """A ring of the last transitions, as arrays; a batch is a random choice of its rows."""

    def __init__(self, capacity, n_observations, action, rng):
        self.rng, self.size, self.at = rng, 0, 0
        self.observations = np.empty((capacity, n_observations), np.float32)
        self.followers = np.empty_like(self.observations)
        self.actions = np.empty((capacity, *action.shape), action.dtype)
        self.rewards, self.ended = np.empty(capacity, np.float32), np.empty(capacity, np.float32)

    def add(self, observation, action, reward, follower, terminated):
        k = self.at
        self.observations[k], self.followers[k] = observation, follower
        self.actions[k], self.rewards[k], self.ended[k] = action, reward, terminated
        self.at = (k + 1) % len(self.rewards)
        self.size = max(self.size, k + 1)
        return k

    def sample(self, count):
        return self.rows(self.rng.integers(self.size, size=count))

    def rows(self, index):
        columns = self.observations, self.actions, self.rewards, self.followers, self.ended
        return [column[index] for column in columns]


class Run:
    """One training run: its clock, its evaluations and its end.

    The clock stands still during evaluations, which are 10 episodes with the same seeds in every
    run, without exploration.
    """

    def __init__(self, algorithm, env, seed=0, **changed):
        self.name, self.env_name, self.seed = algorithm, env, seed
        self.settings = {**TASKS[algorithm, env], **changed}
        self.target, self.steps_wanted = TARGETS[env], self.settings["steps"]
        self.rng = np.random.default_rng(seed)
        self.curve = []  # (steps, seconds, mean return)
        self.steps, self.seconds, self.solved = 0, 0.0, None
        self._judge = gymnasium.make(env, disable_env_checker=True)
        self._next, self._since = self.settings["evaluate"], time.perf_counter()

    def start(self):
        """Start the clock anew, after preparations that do not count."""
        self._since = time.perf_counter()

    def goes_on(self, steps, act):
        """Count steps; evaluate ``act(observation) -> action`` if it is time; False at the end."""
        self.steps += steps
        self.seconds += time.perf_counter() - self._since
        if self.steps >= self._next:
            mean = float(np.mean([self._episode(act, k) for k in range(EPISODES)]))
            self.curve.append((self.steps, self.seconds, mean))
            if mean >= self.target and self.solved is None:
                self.solved = self.seconds
            while self._next <= self.steps:
                self._next += self.settings["evaluate"]
        self._since = time.perf_counter()
        return self.solved is None and self.steps < self.steps_wanted

    def _episode(self, act, k):
        observation, _ = self._judge.reset(seed=10**6 + k)
        total, over = 0.0, False
        while not over:
            action = act(np.asarray(observation, np.float32))
            observation, reward, terminated, truncated, _ = self._judge.step(action)
            total, over = total + float(reward), terminated or truncated
        return total

    def result(self):
        """Return the figures of the run as a dict for JSON."""
        return {
            "algorithm": self.name, "env": self.env_name, "seed": self.seed,
            "target": self.target, "steps": self.steps, "seconds": self.seconds,
            "solved": self.solved,
            "best": max((mean for *_, mean in self.curve), default=None), "curve": self.curve,
        }  # fmt: skip


def quick_run(algorithm, env):
    """Return a run of some hundred steps with small batches."""
    return Run(algorithm, env, **{k: v for k, v in QUICK.items() if k in TASKS[algorithm, env]})


def scale_of(space):
    """Return the middle and the half width of a box of actions."""
    return (space.high + space.low) / 2, (space.high - space.low) / 2


def main(algorithm, train, text):
    """Train from the command line, and print the evaluations."""
    names = [env for name, env in TASKS if name == algorithm]
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("env", nargs="?", choices=names, default=names[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--curve", type=Path, help="write a picture of the learning curve")
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    parser.add_argument("--quick", action="store_true", help="only some hundred steps")
    options = parser.parse_args()
    quick = options.quick
    run = quick_run(algorithm, options.env) if quick else Run(algorithm, options.env, options.seed)
    train(run)
    if options.json:
        print(json.dumps(run.result()))
    else:
        for steps, seconds, mean in run.curve:
            print(f"{steps:>8,} steps  {seconds:7.2f} s  return {mean:8.1f}")
        print(f"{run.steps / max(run.seconds, 1e-9):,.0f} steps a second")
    if options.curve:
        draw([run.result()], options.curve)


def draw(results, path):
    """Draw the learning curves of some runs."""
    from fastmlp.plot import BLUE, figure

    ax = figure(6, 4).subplots()
    for result in results:
        steps, _, means = zip(*result["curve"], strict=True)
        ax.plot(steps, means, color=BLUE, linewidth=1.5, alpha=0.8)
    ax.axhline(TARGETS[results[0]["env"]], color="#6B6B6B", linestyle=":", label="target")
    ax.set(xlabel="steps of the environment", ylabel=f"mean return of {EPISODES} episodes")
    ax.set_title(f"{results[0]['algorithm'].upper()}, {results[0]['env']}")
    ax.grid(alpha=0.25)
    ax.legend()
    ax.figure.savefig(path)
