"""Training needs little more memory than weights, gradients, optimizer state and activations."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tests import harness

import fastmlp as fm

# (rows, widths, optimizer, largest factor of the minimum)
CELLS = [
    (128, (784, 256, 128, 10), fm.Adam, 1.25),
    (4096, (784, 512, 512, 10), fm.SGD, 1.4),
    (256, (1024,) * 4, fm.Adam, 1.35),
    (1024, (2048,) * 4, fm.SGD, 1.5),
]  # fmt: skip


def minimum_bytes(rows, widths, copies):
    parameters = sum((a + 1) * b for a, b in pairwise(widths))
    return 4 * (copies * parameters + rows * sum(widths[1:]))


@pytest.mark.parametrize(("rows", "widths", "optimizer", "most"), CELLS)
def test_a_step_needs_little_more_than_the_minimum(rows, widths, optimizer, most):
    layers = []
    for fan_in, fan_out in pairwise(widths):
        layers += [fm.ReLU()] if layers else []
        layers.append(fm.Linear(fan_in, fan_out, init="zeros"))
    net = fm.Sequential(*layers)
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), optimizer())
    with harness.using_threads(2):
        trainer.step(np.zeros((rows, widths[0]), np.float32), np.zeros(rows, np.int64))
    copies = 2 + len(trainer.state_dict()["slots"])
    own = copies * net.params.nbytes + net.core_net().workspace_bytes
    assert own < most * minimum_bytes(rows, widths, copies)
