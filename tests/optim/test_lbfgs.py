"""L-BFGS."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from tests.small_training import LABELS, REAL, Recorder, X, fit, make

import fastmlp as fm


def test_lbfgs_finds_least_squares():
    pytest.importorskip("scipy")
    net = fm.Sequential(fm.Linear(4, 3), dtype="float64", seed=0)
    history = fit(net, REAL, fm.MSELoss(), optimizer=fm.LBFGS(), epochs=100, batch_size=None)
    assert history.loss[-1] < 1e-8
    assert 1 < len(history.loss) <= 100
    assert set(history.lr) == {1.0}
    exact = np.linalg.lstsq(np.c_[X, np.ones(50)], REAL, rcond=None)[0]
    assert np.allclose(net[0].W, exact[:4], atol=1e-3)


def test_lbfgs_with_other_settings():
    pytest.importorskip("scipy")
    net = make(dropout=True)
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.LBFGS(max_iter=5), penalty=fm.L2(1e-3))
    first = trainer.step(X, LABELS)
    assert trainer.step(X, LABELS) < first
    recorder = Recorder(stop_at=1)
    assert len(trainer.fit(X, LABELS, callbacks=[recorder], progress=False).loss) == 2
    with pytest.raises(RuntimeError):
        trainer.fit(X, LABELS, callbacks=[Recorder(fail_at=0)], progress=False)
    with pytest.raises(fm.ArgumentError, match="batch_size: got 10; LBFGS takes all 50"):
        trainer.fit(X, LABELS, batch_size=10, progress=False)
    with pytest.raises(fm.ArgumentError, match="schedule: LBFGS"):
        trainer.fit(X, LABELS, schedule=fm.CosineLR(), progress=False)


def test_lbfgs_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(fm.MissingPackageError, match=r"pip install .fastmlp\[sklearn\]"):
        fit(make(), optimizer=fm.LBFGS(), batch_size=None)
