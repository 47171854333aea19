"""Tasks and hyperparameters of the examples, for fastmlp and for the library it is compared with.

The values follow those that RL Baselines3 Zoo (github.com/DLR-RM/rl-baselines3-zoo) found by
search, without what needs other methods (state-dependent noise, normalised observations).
A task is an algorithm in an environment. ``target`` is the mean return of 10 greedy episodes at
which a run ends, ``steps`` the most steps of the environment, ``evaluate`` the steps between two
evaluations.
"""

CARTPOLE, ACROBOT = "CartPole-v1", "Acrobot-v1"
PENDULUM, CAR = "Pendulum-v1", "MountainCarContinuous-v0"
TARGETS = {CARTPOLE: 475.0, ACROBOT: -100.0, PENDULUM: -200.0, CAR: 90.0}

TASKS = {
    ("ppo", CARTPOLE): {
        "steps": 100_000, "evaluate": 2048, "lr": 1e-3, "envs": 8, "horizon": 32, "batch": 256,
        "epochs": 20, "gamma": 0.98, "gae_lambda": 0.8, "clip": 0.2, "entropy": 0.0,
        "hidden": (64, 64),
    },
    ("ppo", ACROBOT): {
        "steps": 300_000, "evaluate": 4096, "lr": 3e-4, "envs": 16, "horizon": 256, "batch": 256,
        "epochs": 4, "gamma": 0.99, "gae_lambda": 0.94, "clip": 0.2, "entropy": 0.0,
        "hidden": (64, 64),
    },
    ("ppo", PENDULUM): {
        "steps": 300_000, "evaluate": 8192, "lr": 1e-3, "envs": 4, "horizon": 1024, "batch": 64,
        "epochs": 10, "gamma": 0.9, "gae_lambda": 0.95, "clip": 0.2, "entropy": 0.0,
        "hidden": (64, 64),
    },
    ("dqn", CARTPOLE): {
        "steps": 50_000, "evaluate": 1024, "lr": 2.3e-3, "batch": 64, "buffer": 100_000,
        "start": 1000, "gamma": 0.99, "every": 256, "updates": 128, "target_every": 10,
        "explore": 0.16, "epsilon": 0.04, "hidden": (256, 256),
    },
    ("dqn", ACROBOT): {
        "steps": 100_000, "evaluate": 2000, "lr": 6.3e-4, "batch": 128, "buffer": 50_000,
        "start": 1000, "gamma": 0.99, "every": 4, "updates": 4, "target_every": 250,
        "explore": 0.12, "epsilon": 0.1, "hidden": (256, 256),
    },
    ("sac", PENDULUM): {
        "steps": 20_000, "evaluate": 500, "lr": 1e-3, "batch": 256, "buffer": 1_000_000,
        "start": 100, "gamma": 0.99, "tau": 0.005, "every": 1, "updates": 1, "noise": 0.0,
        "hidden": (256, 256),
    },
    ("sac", CAR): {
        "steps": 50_000, "evaluate": 1000, "lr": 3e-4, "batch": 256, "buffer": 50_000,
        "start": 1000, "gamma": 0.999, "tau": 0.01, "every": 32, "updates": 32, "noise": 0.5,
        "hidden": (64, 64),
    },
    ("td3", PENDULUM): {
        "steps": 20_000, "evaluate": 500, "lr": 1e-3, "batch": 256, "buffer": 200_000,
        "start": 1000, "gamma": 0.98, "tau": 0.005, "every": 1, "updates": 1, "noise": 0.1,
        "correlated": False, "hidden": (400, 300),
    },
    ("td3", CAR): {
        "steps": 50_000, "evaluate": 1000, "lr": 1e-3, "batch": 256, "buffer": 50_000,
        "start": 1000, "gamma": 0.99, "tau": 0.005, "every": 1, "updates": 1, "noise": 0.5,
        "correlated": True, "hidden": (64, 64),
    },
    ("reinforce", CARTPOLE): {
        "steps": 300_000, "evaluate": 5000, "lr": 1e-2, "episodes": 8, "gamma": 0.99,
        "hidden": (32,),
    },
    ("evolution", CARTPOLE): {
        "steps": 1_000_000, "evaluate": 1, "lr": 0.05, "population": 32, "sigma": 0.1,
        "hidden": (16,),
    },
}  # fmt: skip
