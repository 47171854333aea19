"""Checkpoints within an epoch: of arrays and of streams, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import data

ROWS, WIDTH, CLASSES = 200, 5, 3
RNG = np.random.default_rng(0)
X = RNG.standard_normal((ROWS, WIDTH)).astype(np.float32)
Y = np.arange(ROWS) % CLASSES


def network():
    return fm.Sequential(fm.Linear(WIDTH, 8), fm.BatchNorm(8), fm.ReLU(), fm.Dropout(0.2),
                         fm.Linear(8, CLASSES), seed=0)  # fmt: skip


class Ends(Exception):
    pass


class End:
    """Ends the fit after a step, when the checkpoint has been written."""

    step_every = 1

    def __init__(self, step):
        self.step = step

    def on_step_end(self, state):
        """Only what comes after counts."""

    def after_step_end(self, state):
        if state.step == self.step:
            raise Ends


def blocks(x=X):
    for k in range(0, ROWS, 30):
        yield x[k : k + 30], Y[k : k + 30]


def mapped(folder):
    path = folder / "x.npy"
    if not path.exists():
        np.save(path, X)
    return np.load(path, mmap_mode="r")


SOURCES = {
    "arrays": lambda folder: (X, Y),
    "iterable": lambda folder: (blocks, None),
    "windows": lambda folder: (data.iterable(blocks, ROWS, window=70), None),
    "map": lambda folder: (data.arrays(mapped(folder), Y, window=70), None),
}


def run(folder, name, source, end=None, **changed):
    trainer = fm.Trainer(network(), fm.CrossEntropyLoss(), fm.Adam(0.01))
    ema = fm.EMA(decay=0.9)
    hooks = [fm.Checkpoint(folder / name, resume=True, step_every=3), ema]
    hooks += [] if end is None else [End(end)]
    settings = {"epochs": 3, "batch_size": 16, "schedule": fm.CosineLR(), "validation": (X, Y),
                "callbacks": hooks, "progress": False, **changed}  # fmt: skip
    try:
        trainer.fit(*source, **settings)
    except Ends:
        return None
    history = trainer.history
    arrays = [trainer.net.params, trainer.net.state, ema.net.params]
    arrays += trainer.state_dict()["slots"]
    return [one.tobytes() for one in arrays], history.loss, history.val_loss, history.lr


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_a_fit_goes_on_within_an_epoch(make, shuffle, tmp_path):
    expected = run(tmp_path, "whole", make(tmp_path), shuffle=shuffle)
    # Thirteen steps an epoch: after a step without a file, near the end, and in the second epoch.
    for end in (8, 12, 21):
        name = f"broken {end}"
        assert run(tmp_path, name, make(tmp_path), end, shuffle=shuffle) is None
        assert run(tmp_path, name, make(tmp_path), shuffle=shuffle) == expected


def test_blocks_before_the_place_are_not_read_if_their_rows_are_known(tmp_path, monkeypatch):
    monkeypatch.setattr("fastmlp.data.array_source._BLOCK_BYTES", 10 * (4 * WIDTH + 8))
    source = data.arrays(mapped(tmp_path), Y, window=40)
    assert run(tmp_path, "c", (source, None), 9, epochs=1) is None
    read, plain = [], source._read

    def counted(begin, end, dtype):
        read.append(begin)
        return plain(begin, end, dtype)

    monkeypatch.setattr(source, "_read", counted)
    run(tmp_path, "c", (source, None), epochs=1)
    assert len(read) == 8  # 120 of 200 rows are in windows that are done


def test_a_stream_with_other_rows_is_refused(tmp_path):
    assert run(tmp_path, "c", (blocks, None), 6) is None
    with pytest.raises(fm.ArgumentError, match="gives other rows than when the checkpoint"):
        run(tmp_path, "c", (lambda: blocks(X + 1), None))
    with pytest.raises(fm.ArgumentError, match=r"cannot resume .* another fit: window"):
        run(tmp_path, "c", (data.iterable(blocks, window=99), None))
    with pytest.raises(fm.ArgumentError, match="cannot resume"):
        run(tmp_path, "c", (X, Y))


def test_early_stopping_and_members_go_on(tmp_path):
    def one(name, end=None):
        net = fm.Sequential(fm.Linear(2 * WIDTH, 8, groups=2), fm.Tanh(),
                            fm.Linear(8, 2 * CLASSES, groups=2), seed=0)  # fmt: skip
        hooks = [fm.Checkpoint(tmp_path / name, resume=True, step_every=2),
                 fm.EarlyStopping(patience=1)]  # fmt: skip
        hooks += [] if end is None else [End(end)]
        try:
            history = fm.fit(net, blocks, loss=fm.CrossEntropyLoss(fold=2), members=2, epochs=3,
                             batch_size=16, validation=(X, Y), callbacks=hooks)  # fmt: skip
        except Ends:
            return None
        return net.params.tobytes(), history.member_loss

    expected = one("whole")
    assert one("broken", 16) is None
    assert one("broken") == expected


BROKEN = [{"steps": -1}, {"totals": np.zeros(4)}, {"losses": np.zeros((2, 3))}, {"members": 3},
          {"mark": [1]}, {"bytes": "a"}, {"seconds": 1}]  # fmt: skip


@pytest.mark.parametrize("change", BROKEN, ids=lambda one: next(iter(one)))
def test_damaged_places_are_refused(change, tmp_path):
    from fastmlp.io import checkpoint

    assert run(tmp_path, "c", (blocks, None), 6) is None
    net, saved = checkpoint.read(tmp_path / "c")
    saved["begun"].update(change)
    checkpoint.save(tmp_path / "c", net, saved)
    with pytest.raises(fm.ArgumentError, match=r"cannot resume .*begun"):
        run(tmp_path, "c", (blocks, None))
