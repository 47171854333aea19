"""Checkpoints: a fit that goes on gives bit for bit what it would have given without the break."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.io import ModelFileError

EPOCHS, ROWS = 9, 70
X = np.random.default_rng(0).standard_normal((ROWS, 5))
Y = np.arange(ROWS) % 3

OPTIMIZERS = [fm.SGD(0.1, momentum=0.9), fm.Adam(0.01), fm.AdamW(0.01, clip_norm=0.5), fm.RMSprop(),
              fm.Adagrad(0.1, lr_decay=0.1)]  # fmt: skip
SCHEDULES = [None, fm.CosineLR(), fm.OneCycleLR(0.1), fm.ReduceLROnPlateau(patience=0)]


def network(seed=0):
    return fm.Sequential(fm.Linear(5, 8), fm.BatchNorm(8), fm.ReLU(), fm.Dropout(0.2),
                         fm.Linear(8, 3), seed=seed)  # fmt: skip


class Ends(Exception):
    pass


class EndAfter:
    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, state):
        """Only what is saved counts."""

    def on_epoch_done(self, state):
        if state.epoch == self.epoch:
            raise Ends


def run(path, optimizer, schedule=None, end=None, stopping=None, every=1, net=None):
    net = net or network()
    hooks = [fm.Checkpoint(path, every=every, resume=True)]
    hooks += [] if stopping is None else [stopping]
    hooks += [] if end is None else [EndAfter(end)]
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), optimizer)
    try:
        trainer.fit(X, Y, epochs=EPOCHS, batch_size=16, validation=0.2, schedule=schedule,
                    callbacks=hooks, progress=False)  # fmt: skip
    except Ends:
        return None
    return trainer


def result(trainer):
    history = trainer.history
    arrays = [trainer.net.params, trainer.net.state, *trainer.state_dict()["slots"]]
    return [array.tobytes() for array in arrays], history.loss, history.val_loss, history.lr


@pytest.mark.parametrize(("optimizer", "schedule"), list(itertools.product(OPTIMIZERS, SCHEDULES)))
def test_a_fit_that_goes_on_is_the_same_fit(optimizer, schedule, tmp_path):
    expected = result(run(tmp_path / "whole", optimizer, schedule))
    for end in (0, 4):
        path = tmp_path / f"broken {end}"
        assert run(path, optimizer, schedule, end) is None
        assert result(run(path, optimizer, schedule)) == expected


def test_early_stopping_goes_on(tmp_path):
    def stopping():
        return fm.EarlyStopping(patience=2)

    expected = run(tmp_path / "whole", fm.Adam(0.5), stopping=stopping())
    assert len(expected.history) < EPOCHS
    for end in range(len(expected.history)):
        path = tmp_path / f"broken {end}"
        assert run(path, fm.Adam(0.5), stopping=stopping(), end=end) is None
        # What had ended has ended, however often it is run.
        for _ in range(2):
            assert result(run(path, fm.Adam(0.5), stopping=stopping())) == result(expected)


def test_a_fit_that_was_done_is_done(tmp_path):
    path = tmp_path / "c.safetensors"
    first = run(path, fm.Adam(0.01))
    again = run(path, fm.Adam(0.01))
    assert result(first) == result(again)
    assert (fm.load(path).params == first.net.params).all()


def test_only_some_epochs_are_saved(tmp_path):
    path = tmp_path / "c.safetensors"
    assert run(path, fm.Adam(0.01), every=3, end=4) is None
    assert run(tmp_path / "three", fm.Adam(0.01), end=2) is None
    assert (fm.load(path).params == fm.load(tmp_path / "three").params).all()


REFUSED = [
    ({"net": fm.Sequential(fm.Linear(5, 3), seed=0)}, fm.ArgumentError, "of another network"),
    ({"net": network(seed=9)}, fm.ArgumentError, "with seed=0; give it this seed"),
    ({"optimizer": fm.SGD(0.1)}, fm.ArgumentError, "want"),
    ({"schedule": fm.CosineLR()}, fm.ArgumentError, "another schedule"),
    ({"stopping": fm.EarlyStopping()}, fm.ArgumentError, "other callbacks"),
]


@pytest.mark.parametrize(("options", "kind", "words"), REFUSED)
def test_what_does_not_fit_is_refused(options, kind, words, tmp_path):
    path = tmp_path / "c.safetensors"
    run(path, fm.Adam(0.01), end=3)
    given = {"optimizer": fm.Adam(0.01), "net": network(), **options}
    before = given["net"].params.copy()
    with pytest.raises(kind, match=words):
        run(path, **given)
    assert (given["net"].params == before).all()


def test_what_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "net.safetensors"
    network().save(path)
    with pytest.raises(ModelFileError, match="without the state of a fit"):
        run(path, fm.Adam(0.01))
    path.write_bytes(b"nonsense")
    with pytest.raises(ModelFileError):
        run(path, fm.Adam(0.01))
    with pytest.raises(fm.ArgumentError, match="LBFGS keeps a state"):
        fm.fit(network(), X, Y, loss=fm.CrossEntropyLoss(), optimizer=fm.LBFGS(), epochs=2,
               callbacks=[fm.Checkpoint(tmp_path / "other")])  # fmt: skip
    for bad in (None, 3, ""):
        with pytest.raises(fm.ArgumentTypeError, match="path"):
            fm.Checkpoint(bad)
