"""Gradient checks, scopes of thread counts and the configuration."""

from __future__ import annotations

import numpy as np
import pytest
from tests.small_training import LABELS, REAL, X, make

import fastmlp as fm


def test_gradcheck_sees_wrong_gradients():
    class Wrong(fm.MSELoss):
        def core_spec(self):
            return fm.MSELoss().core_spec()

        def backward(self):
            gradient = super().backward().copy()
            gradient[0, 0] *= 1.01
            return gradient

    assert fm.gradcheck(make(), Wrong(), X, REAL) > 1e-5
    with pytest.raises(fm.ArgumentTypeError, match="net: got"):
        fm.gradcheck(fm.ReLU(), fm.MSELoss(), X, REAL)


def test_gradcheck_leaves_the_network_alone():
    net = make(dropout=True)
    before = net.params.copy()
    assert fm.gradcheck(net, fm.CrossEntropyLoss(), X, LABELS) < 1e-6
    assert np.array_equal(net.params, before)
    assert net.step_count == 0


def test_gradcheck_without_training_checks_the_gradients_of_inputs():
    layers = [fm.Linear(4, 6), fm.BatchNorm(6), fm.SiLU(), fm.Dropout(0.5), fm.Linear(6, 3)]
    net = fm.Sequential(*layers, seed=0)
    net.forward(X, training=True)
    errors = fm.gradcheck(net, fm.CrossEntropyLoss(), X[:5], LABELS[:5], training=False)
    assert errors < 1e-6
    assert errors.inputs
    with pytest.raises(fm.ArgumentTypeError, match="training: got 1"):
        fm.gradcheck(net, fm.CrossEntropyLoss(), X, LABELS, training=1)


def test_threads_are_scoped():
    outside = fm.get_num_threads()
    again = fm.threads(3)
    with fm.threads(1):
        assert fm.get_num_threads() == 1
        with again, again:
            assert fm.get_num_threads() == 3
        assert fm.get_num_threads() == 1
    assert fm.get_num_threads() == outside
    fm.set_num_threads(2)
    assert fm.get_num_threads() == 2
    fm.set_num_threads(outside)


def test_config():
    config = fm.show_config()
    assert set(config) == {
        "version", "isa", "isas", "bfloat16", "threads", "openmp", "compiler"}  # fmt: skip
    assert config["version"] == fm.__version__
    assert config["isa"] in config["isas"]
