"""Schedules of the learning rate, by epoch and by step."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.small_training import LABELS, X, make

import fastmlp as fm


def rates(schedule, lr=1.0, epochs=10, steps=3):
    return [schedule.rates(lr, epoch, epochs, steps) for epoch in range(epochs)]


def test_schedules_by_epoch():
    assert [r[0] for r in rates(fm.ConstantLR())] == [1.0] * 10
    assert [r[0] for r in rates(fm.StepLR(3, 0.5))] == [0.5 ** (e // 3) for e in range(10)]
    assert [r[0] for r in rates(fm.ExponentialLR(0.9))] == [0.9**e for e in range(10)]
    cosine = [0.1 + 0.9 * (1 + math.cos(math.pi * e / 10)) / 2 for e in range(10)]
    assert np.allclose([r[0] for r in rates(fm.CosineLR(eta_min=0.1))], cosine)
    warm = np.concatenate(rates(fm.CosineLR(warmup=2)))
    assert np.allclose(warm[:7], [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1])
    assert all(r.shape == (3,) and r.dtype == np.float64 for r in rates(fm.CosineLR()))


def test_one_cycle():
    found = np.concatenate(rates(fm.OneCycleLR(2.0)))
    assert found[0] == pytest.approx(2.0 / 25)
    assert found[8] == pytest.approx(2.0)
    assert found[-1] == pytest.approx(2.0 / 25 / 1e4)
    assert (np.diff(found[:9]) > 0).all()
    assert (np.diff(found[8:]) < 0).all()
    assert np.isfinite(rates(fm.OneCycleLR(1.0), epochs=1, steps=1)[0]).all()


def test_flat_cosine():
    t = np.arange(30) / 30
    falling = (1 + np.cos(np.pi * (2 * t - 1))) / 2
    found = np.concatenate(rates(fm.FlatCosineLR(), lr=2.0))
    assert np.allclose(found, 2.0 * np.where(t < 0.5, 1.0, falling), atol=1e-15)
    assert np.array_equal(np.concatenate(rates(fm.FlatCosineLR(1.0))), np.ones(30))
    least = np.concatenate(rates(fm.FlatCosineLR(0.0, eta_min=0.5)))
    assert np.allclose(least, 0.75 + np.cos(np.pi * t) / 4)


@pytest.mark.parametrize("cycles", [1, 4])
def test_cosine_of_logarithm(cycles):
    t = np.arange(30) / 30
    expected = (1 - np.cos(2 * np.pi * np.log2(1 + (2**cycles - 1) * t))) / 2
    found = np.concatenate(rates(fm.CosineLogLR(cycles), lr=3.0))
    assert np.allclose(found, 3.0 * expected, atol=1e-12)
    assert (found[0], found.min() >= 0.0, found.max() <= 3.0) == (0.0, True, True)


def test_plateau():
    schedule = fm.ReduceLROnPlateau(factor=0.1, patience=1, min_lr=1e-3)
    found = []
    for epoch, loss in enumerate([1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.1, 0.2, 0.2, 0.2, 0.2]):
        found.append(schedule.rates(1.0, epoch, 20, 1)[0])
        schedule.observe(loss)
    assert np.allclose(found, [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01, 1e-3, 1e-3])
    schedule.start()
    assert schedule.rates(1.0, 0, 20, 1)[0] == 1.0


def test_fit_follows_the_schedule():
    net = make()
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.SGD(lr=0.5))
    history = trainer.fit(X, LABELS, epochs=4, schedule=fm.StepLR(2, 0.1), progress=False)
    assert np.allclose(history.lr, [0.5, 0.5, 0.05, 0.05])
    assert trainer.lr == 0.5

    class Own(fm.Schedule):
        def rates(self, lr, epoch, epochs, steps):
            return [0.0] * steps

    before = net.params.copy()
    trainer.fit(X, LABELS, epochs=2, schedule=Own(), progress=False)
    assert np.array_equal(net.params, before)
