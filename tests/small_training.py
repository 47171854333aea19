"""A small training problem for each loss, optimizers with settings, and a short fit."""

from __future__ import annotations

import numpy as np

import fastmlp as fm

_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(50, 4))
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
REAL = X @ _RNG.normal(size=(4, 3))
LOSSES = [
    (fm.CrossEntropyLoss(), LABELS),
    (fm.CrossEntropyLoss(label_smoothing=0.1), LABELS),
    (fm.CrossEntropyLoss(), np.eye(3)[LABELS] * 0.8 + 0.2 / 3),
    (fm.MultiMarginLoss(), LABELS),
    (fm.BCEWithLogitsLoss(), np.eye(3)[LABELS]),
    (fm.MSELoss(), REAL),
    (fm.MSELoss(reduction="sum"), REAL),
    (fm.L1Loss(), REAL),
    (fm.HuberLoss(0.5), REAL),
    (fm.PoissonNLLLoss(), LABELS[:, None].repeat(3, axis=1)),
    (fm.QuantileLoss([0.1, 0.5, 0.9]), REAL[:, 0]),
]
OPTIMIZERS = [
    fm.SGD(lr=0.05),
    fm.SGD(lr=0.05, momentum=0.9),
    fm.SGD(lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    fm.Adam(lr=0.01),
    fm.AdamW(lr=0.01),
    fm.RMSprop(lr=0.01, momentum=0.5),
    fm.Adagrad(lr=0.1, lr_decay=1e-3),
    fm.SGD(lr=0.05, clip_norm=0.1),
]


def make(dtype="float32", dropout=False):
    middle = [fm.Dropout(0.2)] if dropout else []
    return fm.Sequential(fm.Linear(4, 8), fm.Tanh(), *middle, fm.Linear(8, 3), dtype=dtype, seed=0)


def fit(net, y=LABELS, loss=None, **options):
    options = {"epochs": 3, "batch_size": 16, "progress": False, **options}
    return fm.fit(net, X, y, loss=loss or fm.CrossEntropyLoss(), **options)


class Recorder:
    def __init__(self, stop_at=None, fail_at=None):
        self.stop_at, self.fail_at = stop_at, fail_at
        self.seen, self.events = [], []

    def on_fit_start(self, state):
        self.events.append("start")

    def on_epoch_end(self, state):
        self.seen.append((state.epoch, state.epochs, state.loss, state.lr))
        assert state.history.loss[-1] == state.loss
        assert state.history.seconds[-1] == state.seconds >= 0
        if state.epoch == self.fail_at:
            raise RuntimeError("no more")
        if state.epoch == self.stop_at:
            state.stop()

    def on_fit_end(self, state):
        self.events.append(type(state.error).__name__)
