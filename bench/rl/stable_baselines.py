"""One run of stable-baselines3 with the settings, the clock and the evaluations of examples/rl.

    python bench/rl/stable_baselines.py ALGORITHM ENVIRONMENT SEED THREADS

Needs an environment with stable-baselines3, PyTorch for CPUs and gymnasium, and no fastmlp. Prints
one line of JSON, as the examples do with --json.
"""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "rl"))

import torch
from rl_support import Run
from stable_baselines3 import DQN, PPO, SAC, TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.noise import NormalActionNoise, OrnsteinUhlenbeckActionNoise


class Clock(BaseCallback):
    """Tells a run of the steps, and ends the training when the run ends."""

    def __init__(self, run):
        super().__init__()
        self.run_ = run

    def _on_step(self):
        return self.run_.goes_on(self.training_env.num_envs, self._act)

    def _act(self, observation):
        return self.model.predict(observation, deterministic=True)[0]


def falling(value):
    """A schedule that falls to 0, as in the example of PPO."""
    return lambda left: value * left


def noise_of(s, n_actions):
    """The noise on the actions, if there is any."""
    spread = s["noise"] * np.ones(n_actions)
    if not s["noise"]:
        return None
    kind = OrnsteinUhlenbeckActionNoise if s.get("correlated", True) else NormalActionNoise
    extra = {"dt": 0.1} if kind is OrnsteinUhlenbeckActionNoise else {}
    return kind(np.zeros(n_actions), spread, **extra)


def model_of(run):
    """The model of an algorithm, with our settings under its names."""
    s, name = run.settings, run.name
    env = make_vec_env(run.env_name, s.get("envs", 1), seed=run.seed)
    common = {"seed": run.seed, "device": "cpu", "gamma": s["gamma"], "batch_size": s["batch"]}
    net = {"net_arch": list(s["hidden"])}
    if name == "ppo":
        return PPO(
            "MlpPolicy", env, learning_rate=falling(s["lr"]), n_steps=s["horizon"],
            n_epochs=s["epochs"], gae_lambda=s["gae_lambda"], clip_range=falling(s["clip"]),
            ent_coef=s["entropy"], policy_kwargs=net, **common,
        )  # fmt: skip
    common |= {"learning_rate": s["lr"], "buffer_size": s["buffer"], "learning_starts": s["start"],
               "train_freq": s["every"], "gradient_steps": s["updates"]}  # fmt: skip
    if name == "dqn":
        return DQN(
            "MlpPolicy", env, target_update_interval=s["target_every"],
            exploration_fraction=s["explore"], exploration_final_eps=s["epsilon"],
            policy_kwargs=net, **common,
        )  # fmt: skip
    noise = noise_of(s, env.action_space.shape[0])
    kind = SAC if name == "sac" else TD3
    return kind("MlpPolicy", env, tau=s["tau"], action_noise=noise, policy_kwargs=net, **common)


def main():
    algorithm, env, seed, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    run = Run(algorithm, env, int(seed))
    model = model_of(run)
    run.start()
    model.learn(run.settings["steps"], callback=Clock(run))
    print(json.dumps(run.result()))


if __name__ == "__main__":
    main()
