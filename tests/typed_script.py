"""A user's script for type checkers: ``mypy --strict`` must accept it, and it must run.

The types in it are those that an editor shows. `.ci/run` checks it with mypy.
"""

from __future__ import annotations

from typing import assert_type

import fastmlp as fm
from fastmlp.layers import activations
from fastmlp.losses import regression
from fastmlp.optim import first_order, schedules


def main() -> None:
    leaky = fm.LeakyReLU(negative_slope=0.2)
    assert_type(leaky, activations.LeakyReLU)
    assert_type(leaky.negative_slope, float)
    assert_type(fm.ELU(alpha=0.5).alpha, float)
    assert_type(fm.ReLU(), activations.ReLU)
    gelu = fm.GELU(approximate="tanh")
    net = fm.Sequential(fm.Linear(2, 3), leaky, fm.Linear(3, 1), gelu, seed=0)
    assert_type(net, fm.Sequential)
    assert_type(fm.MSELoss(), regression.MSELoss)
    assert_type(fm.Adam(lr=0.01), first_order.Adam)
    assert_type(fm.CosineLR(), schedules.CosineLR)
    history = fm.fit(net, [[0.0, 1.0]], [1.0], loss=fm.MSELoss(), optimizer=fm.Adam(lr=0.01))
    assert_type(history.loss, list[float])


if __name__ == "__main__":
    main()
