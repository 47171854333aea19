"""Trainers in files and pickles: a copy continues bit for bit, and bad files are refused."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.io import ModelFileError, checkpoint

X = np.random.default_rng(0).standard_normal((40, 5))
Y = np.arange(40) % 3


def network():
    net = fm.Sequential(fm.Linear(5, 8), fm.BatchNorm(8), fm.ReLU(), fm.Dropout(0.2),
                        fm.Linear(8, 3), seed=0)  # fmt: skip
    net[4].trainable = False
    return net


def heads():
    x = fm.Input(5)
    return fm.Graph(x, {"a": fm.Linear(5, 3)(x), "b": fm.Linear(5, 1)(x)}, seed=0)


class LogCosh:
    def forward(self, scores, y):
        self.d = scores - y[:, None]
        return float(np.log(np.cosh(self.d)).mean())

    def backward(self):
        return np.tanh(self.d) / self.d.size


TRAINERS = {
    "adam": lambda: fm.Trainer(network(), fm.CrossEntropyLoss(label_smoothing=0.1), fm.AdamW(
        0.01, clip_norm=0.5, groups={"bias": {"lr": 0.1}}), [fm.L2(1e-4), fm.Lp(1.5, 1e-5)]),
    "momentum": lambda: fm.Trainer(network(), fm.CrossEntropyLoss(), fm.SGD(0.1, momentum=0.9)),
    "no state": lambda: fm.Trainer(network(), fm.MultiMarginLoss(), fm.SGD(0.1)),
    "heads": lambda: fm.Trainer(
        heads(), {"a": fm.CrossEntropyLoss(), "b": fm.MSELoss()}, loss_weights={"a": 1, "b": 0.5}),
}  # fmt: skip


def targets(trainer):
    return {"a": Y, "b": X[:, :1]} if isinstance(trainer.net, fm.Graph) else Y


def train(trainer):
    y = targets(trainer)
    history = trainer.fit(X, y, epochs=2, batch_size=16, schedule=fm.CosineLR())
    trainer.lr *= 0.5
    part = {name: rows[:8] for name, rows in y.items()} if isinstance(y, dict) else y[:8]
    return history.loss, trainer.step(X[:8], part), trainer.net.params.tobytes()


@pytest.mark.parametrize("make", TRAINERS.values(), ids=TRAINERS)
def test_a_copy_continues_with_the_same_bits(make, tmp_path):
    trainer = make()
    train(trainer)
    path = tmp_path / "trainer.safetensors"
    trainer.save(path)
    others = [pickle.loads(pickle.dumps(trainer)), copy.deepcopy(trainer), fm.Trainer.load(path)]
    expected = train(trainer)
    for other in others:
        assert other.history.loss != trainer.history.loss
        assert other.lr == 2 * trainer.lr
        assert train(other) == expected
        assert other.history.loss == trainer.history.loss
        assert other.epochs_done == trainer.epochs_done == 4


def test_the_network_of_a_trainer_is_a_model_file(tmp_path):
    trainer = TRAINERS["adam"]()
    train(trainer)
    trainer.save(tmp_path / "t")
    assert np.array_equal(fm.load(tmp_path / "t").predict(X), trainer.net.predict(X))
    with pytest.raises(ModelFileError, match="it holds a trainer"):
        checkpoint.read(tmp_path / "t")


def test_a_loss_of_your_own_is_pickled_and_given_again(tmp_path):
    net = fm.Sequential(fm.Linear(5, 1), seed=0)
    trainer = fm.Trainer(net, LogCosh(), fm.Adam())
    trainer.save(tmp_path / "t")
    other = pickle.loads(pickle.dumps(trainer))
    given = fm.Trainer.load(tmp_path / "t", loss=LogCosh())
    assert len({one.step(X, X[:, 0]) for one in (trainer, other, given)}) == 1
    with pytest.raises(fm.ArgumentError, match="had LogCosh, a loss of your own; want it as loss="):
        fm.Trainer.load(tmp_path / "t")


def squares(scores, y):
    d = scores - y[:, None]
    return float((d**2).mean()), 2 * d / d.size


def test_a_function_as_loss_and_what_to_do_with_nan(tmp_path):
    trainer = fm.Trainer(fm.Sequential(fm.Linear(5, 1), seed=0), squares, nan="skip")
    trainer.save(tmp_path / "t")
    others = [pickle.loads(pickle.dumps(trainer)), fm.Trainer.load(tmp_path / "t", loss=squares)]
    assert [one.nan for one in others] == ["skip", "skip"]
    assert len({one.step(X, X[:, 0]) for one in (trainer, *others)}) == 1
    with pytest.raises(fm.ArgumentError, match="had squares, a loss of your own"):
        fm.Trainer.load(tmp_path / "t")


def test_a_loss_with_fields_is_saved_with_its_arguments(tmp_path):
    trainer = fm.Trainer(fm.Sequential(fm.Linear(5, 3), seed=0), fm.PPOLoss(clip=0.1, value_coef=1))
    trainer.save(tmp_path / "t")
    assert repr(fm.Trainer.load(tmp_path / "t").loss) == repr(trainer.loss)


class OwnAdam(fm.Adam):
    pass


def test_classes_of_your_own_are_refused_with_a_way_out(tmp_path):
    trainer = fm.Trainer(network(), fm.CrossEntropyLoss(), OwnAdam())
    with pytest.raises(fm.ArgumentError, match=r"optimizer: got .* class of your own.*pickle"):
        trainer.save(tmp_path / "t")
    assert not list(tmp_path.iterdir())
    assert type(pickle.loads(pickle.dumps(trainer)).optimizer) is OwnAdam


# ---- hostile files ----


def stored(tmp_path, change):
    """A file of a trainer whose content was changed."""
    path = tmp_path / "t"
    TRAINERS["adam"]().save(path)
    net, content = checkpoint.read(path, checkpoint.TRAINER_KEY)
    checkpoint.save(path, net, change(content) or content, checkpoint.TRAINER_KEY)
    return path


CHANGES = [
    lambda c: c.pop("loss") and None,
    lambda c: c.update(format=2),
    lambda c: c.update(loss={"type": "Adam"}),
    lambda c: c.update(loss={"type": "__builtins__"}),
    lambda c: c.update(loss={"type": "CrossEntropyLoss", "label_smoothing": 7.0}),
    lambda c: c.update(loss={"in order": 3}),
    lambda c: c.update(loss={"by name": {"a": {"type": "MSELoss"}}}),
    lambda c: c.update(optimizer={"type": "Adam", "nothing": 1}),
    lambda c: c.update(penalties={"type": "L2"}),
    lambda c: c.update(loss_weights=[1.0, "x"]),
    lambda c: c.update(options={"progress": True}),
    lambda c: c.update(options=7),
    lambda c: c["state"].update(t=-1),
    lambda c: c["state"].update(slots=[np.zeros(2, np.float32)]),
    lambda c: c["state"].update(trainable={}),
    lambda c: c.update(history={"columns": {}, "best_epoch": None}),
    lambda c: c["history"].update(best_epoch=5),
    lambda c: [1, 2],
    lambda c: "text",
]


@pytest.mark.parametrize("change", CHANGES)
def test_hostile_files_are_refused(change, tmp_path):
    with pytest.raises(ModelFileError, match="is not a trainer of fastmlp"):
        fm.Trainer.load(stored(tmp_path, change))


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "net"
    network().save(path)
    with pytest.raises(ModelFileError, match="it holds a network without a trainer"):
        fm.Trainer.load(path)
    fm.fit(network(), X, Y, loss=fm.CrossEntropyLoss(), epochs=1, callbacks=[fm.Checkpoint(path)])
    with pytest.raises(ModelFileError, match=r"it is a checkpoint of a fit, which fm\.Checkpoint"):
        fm.Trainer.load(path)
    TRAINERS["adam"]().save(path)
    whole = path.read_bytes()
    for end in (0, 7, 100, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(ModelFileError):
            fm.Trainer.load(path)


def test_a_file_holds_no_pickle(tmp_path):
    TRAINERS["adam"]().save(tmp_path / "t")
    raw = (tmp_path / "t").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert set(header["__metadata__"]) == {"fastmlp", "fastmlp.trainer"}
