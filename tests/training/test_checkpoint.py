"""Checkpoints: a resumed fit gives bit for bit the results of an uninterrupted one."""

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


def frozen_network():
    net = network()
    net[4].trainable = False
    return net


class Ends(Exception):
    pass


class EndAfter:
    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, state):
        """Only the saved state counts."""

    def after_epoch_end(self, state):
        if state.epoch == self.epoch:
            raise Ends


def run(path, optimizer, schedule=None, end=None, stopping=None, every=1, net=None, **changed):
    net = net or network()
    hooks = [fm.Checkpoint(path, every=every, resume=True)]
    hooks += [] if stopping is None else [stopping]
    hooks += [] if end is None else [EndAfter(end)]
    parts = {"loss": fm.CrossEntropyLoss(), "penalty": fm.L2(1e-4)}
    parts.update((name, changed.pop(name)) for name in list(changed) if name in parts)
    trainer = fm.Trainer(net, optimizer=optimizer, **parts)
    options = {"x": X, "y": Y, "epochs": EPOCHS, "batch_size": 16, "validation": 0.2,
               "schedule": schedule, "callbacks": hooks, "progress": False, **changed}  # fmt: skip
    try:
        trainer.fit(options.pop("x"), options.pop("y"), **options)
    except Ends:
        return None
    return trainer


def result(trainer):
    history = trainer.history
    arrays = [trainer.net.params, trainer.net.state, *trainer.state_dict()["slots"]]
    return [array.tobytes() for array in arrays], history.loss, history.val_loss, history.lr


@pytest.mark.parametrize(("optimizer", "schedule"), list(itertools.product(OPTIMIZERS, SCHEDULES)))
def test_a_resumed_fit_equals_an_uninterrupted_one(optimizer, schedule, tmp_path):
    expected = result(run(tmp_path / "whole", optimizer, schedule))
    for end in (0, 4):
        path = tmp_path / f"broken {end}"
        assert run(path, optimizer, schedule, end) is None
        assert result(run(path, optimizer, schedule)) == expected


SETTINGS = {"weight_decay": fm.CosineLR(), "dropout": fm.ReduceLROnPlateau(patience=0),
            "label_smoothing": fm.OneCycleLR(0.2)}  # fmt: skip
GROUPS = {"bias": {"lr": 0.5, "weight_decay": 0}, "1": {"lr": 0}}


class Freeze:
    """Freezes the last layer in the middle of the fit."""

    def on_epoch_end(self, state):
        state.net[4].trainable = state.epoch < 3


def test_groups_frozen_layers_and_settings_go_on(tmp_path):
    def one(path, end=None):
        net = network()
        net[0].trainable = False
        return run(path, fm.AdamW(0.01, clip_norm=0.5, groups=GROUPS), fm.CosineLR(), end, Freeze(),
                   net=net, schedules=SETTINGS)  # fmt: skip

    expected = one(tmp_path / "whole")
    for end in (1, 3, 5):
        assert one(tmp_path / f"broken {end}", end) is None
        found = one(tmp_path / f"broken {end}")
        assert result(found) == result(expected)
        assert [layer.trainable for layer in found.net] == [False, True, True, True, False]


def test_early_stopping_resumes(tmp_path):
    def stopping():
        return fm.EarlyStopping(patience=2)

    expected = run(tmp_path / "whole", fm.Adam(0.5), stopping=stopping())
    assert len(expected.history) < EPOCHS
    for end in range(len(expected.history)):
        path = tmp_path / f"broken {end}"
        assert run(path, fm.Adam(0.5), stopping=stopping(), end=end) is None
        # A finished fit stays finished, however often it is run.
        for _ in range(2):
            assert result(run(path, fm.Adam(0.5), stopping=stopping())) == result(expected)


ARRAY = np.zeros(2)
BEST = {"_best": 0.5, "_best_epoch": 2, "_waited": 1}


@pytest.mark.parametrize(("restores", "changed", "fits"), [
    (True, {}, True),
    (True, {**BEST, "_params": ARRAY, "_state": ARRAY}, True),
    (True, BEST, False),
    (True, {"_params": ARRAY, "_state": ARRAY}, False),
    (False, BEST, True),
    (False, {**BEST, "_params": ARRAY, "_state": ARRAY}, False),
])  # fmt: skip
def test_states_of_early_stopping_outside_fits(restores, changed, fits):
    """It raised NumPy's error if arrays were not expected."""
    stopping = fm.EarlyStopping(restore_best=restores)
    before = stopping.state_dict()
    if fits:
        stopping.load_state_dict({**before, **changed})
        assert stopping.state_dict() == {**before, **changed}
    else:
        with pytest.raises(fm.ArgumentError, match="state of another fit"):
            stopping.load_state_dict({**before, **changed})
        assert stopping.state_dict() == before


def test_a_finished_fit_is_not_trained_again(tmp_path):
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


ONE_CHANGED = np.where(np.arange(ROWS * 5).reshape(ROWS, 5) == 77, 1e-3, X)
REFUSED = [
    ({"net": fm.Sequential(fm.Linear(5, 3), seed=0)}, "to another network: net.layers: the file"),
    ({"net": network(seed=9)}, "has seed=0, and this one has seed=9; use the same seed"),
    ({"x": ONE_CHANGED}, r"x: the file has 56 rows, SHA-256 [0-9a-f]+, this fit has 56 rows, SHA"),
    ({"y": (Y + 1) % 3}, "y: the file has 56 rows, SHA"),
    ({"x": X[:60], "y": Y[:60]}, "x: the file has 56 rows, .* this fit has 48 rows"),
    ({"sample_weight": np.ones(ROWS)}, "sample_weight: the file has None, this fit has 56 rows"),
    ({"validation": 0.25}, "validation: the file has 14 rows, .* this fit has 18 rows"),
    ({"validation": (ONE_CHANGED, Y)}, "validation: the file has 14 rows"),
    ({"validation": None, "stopping": None}, "validation: the file has 14 .* this fit has None"),
    ({"batch_size": 17}, "batch_size: the file has 16, this fit has 17"),
    ({"seed": 4}, "seed: the file has 0, this fit has 4"),
    ({"shuffle": False}, "shuffle: the file has True, this fit has False"),
    ({"optimizer": fm.SGD(0.1)}, "optimizer: the file has Adam, this fit has SGD"),
    ({"optimizer": fm.RMSprop(0.01)}, "optimizer: the file has Adam, this fit has RMSprop"),
    ({"optimizer": fm.Adam(0.02)}, "optimizer.lr: the file has 0.01, this fit has 0.02"),
    ({"optimizer": fm.Adam(0.01, eps=1e-6)}, "optimizer.eps: the file has 1e-08, this"),
    ({"optimizer": fm.Adam(0.01, clip_norm=2.0)}, "clip_norm: the file has None, this fit has 2.0"),
    ({"loss": fm.MultiMarginLoss()}, "loss: the file has CrossEntropyLoss, this fit has Multi"),
    ({"loss": fm.CrossEntropyLoss(label_smoothing=0.1)}, "loss.label_smoothing: the file has 0.0"),
    ({"penalty": fm.L1(1e-4)}, "penalty: the file has L2, this fit has L1"),
    ({"penalty": fm.L2(0.1)}, "penalty.lam: the file has 0.0001, this fit has 0.1"),
    ({"penalty": None}, r"penalty: the file has \[L2\], this fit has \[\]"),
    ({"schedule": fm.CosineLR()}, "schedule: the file has None, this fit has CosineLR"),
    ({"optimizer": fm.Adam(0.01, groups=GROUPS)}, "optimizer.groups: the file has None, this fit"),
    ({"schedules": SETTINGS}, "schedules.weight_decay: the file has nothing, this fit has Cos"),
    ({"net": frozen_network()}, r"frozen: the file has \[\], this fit has \[4\]"),
    ({"stopping": fm.EarlyStopping(4)}, "callbacks.patience: the file has 50, this fit has 4"),
    ({"stopping": None}, r"callbacks: the file has \[EarlyStopping\], this fit has \[\]"),
    ({"epochs": 3}, "epochs: the file has 4 done, this fit has 3"),
]


@pytest.mark.parametrize(("changed", "words"), REFUSED)
def test_checkpoints_of_another_fit_are_refused(changed, words, tmp_path):
    path = tmp_path / "c.safetensors"
    same = {"stopping": fm.EarlyStopping(50)}
    run(path, fm.Adam(0.01), end=3, **same)
    file = path.read_bytes()
    given = {"optimizer": fm.Adam(0.01), "net": network(), **same, **changed}
    before = given["net"].params.copy()
    with pytest.raises(fm.ArgumentError, match=words) as caught:
        run(path, **given)
    assert str(path) in str(caught.value)
    assert (given["net"].params == before).all()
    assert path.read_bytes() == file


def test_every_difference_is_listed(tmp_path):
    path = tmp_path / "c.safetensors"
    run(path, fm.Adam(0.01), end=3)
    words = "x: .*; y: .*; validation: .*; batch_size: .*; and 2 more"
    with pytest.raises(fm.ArgumentError, match=words):
        run(path, fm.SGD(0.1), x=2 * X, y=Y[::-1], batch_size=3, shuffle=False)


class Counts:
    """A callback with a state."""

    def __init__(self):
        self.epochs = [0]

    def on_epoch_end(self, state):
        self.epochs[0] += 1

    def state_dict(self):
        return {"epochs": self.epochs}

    def load_state_dict(self, state):
        self.epochs[:] = state["epochs"]


class CountsOtherwise(Counts):
    pass


class Refuses(Counts):
    def load_state_dict(self, state):
        super().load_state_dict(state)
        if state["epochs"] != [0]:
            raise KeyError("no")


class Keyless(fm.EarlyStopping):
    """Does not store its argument."""

    def __init__(self, epochs):
        super().__init__(patience=epochs)


def test_a_callback_without_its_arguments_is_compared_by_class(tmp_path):
    path = tmp_path / "c.safetensors"
    expected = result(run(tmp_path / "whole", fm.Adam(0.01), stopping=Keyless(4)))
    run(path, fm.Adam(0.01), end=3, stopping=Keyless(4))
    assert result(run(path, fm.Adam(0.01), stopping=Keyless(4))) == expected
    with pytest.raises(fm.ArgumentError, match="the file has Keyless, this fit has EarlyStopping"):
        run(path, fm.Adam(0.01), stopping=fm.EarlyStopping(4))


def test_a_callback_of_another_class_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    run(path, fm.Adam(0.01), end=3, stopping=Counts())
    hook = CountsOtherwise()
    with pytest.raises(fm.ArgumentError, match="the file has Counts, this fit has CountsOtherwise"):
        run(path, fm.Adam(0.01), stopping=hook)
    assert hook.epochs == [0]
    hook = Counts()
    run(path, fm.Adam(0.01), stopping=hook)
    assert hook.epochs == [EPOCHS]


def test_a_callback_that_refuses_its_state_undoes_all(tmp_path):
    path = tmp_path / "c.safetensors"
    schedule = fm.ReduceLROnPlateau(patience=0)
    hooks = [Counts(), fm.EarlyStopping(50), Refuses()]

    def fit(trainer, epochs):
        end = [EndAfter(3)] if epochs > 3 else []
        trainer.fit(X, Y, epochs=epochs, validation=0.2, schedule=schedule, progress=False,
                    callbacks=[fm.Checkpoint(path, resume=True), *hooks, *end])  # fmt: skip

    with pytest.raises(Ends):
        fit(fm.Trainer(network(), fm.CrossEntropyLoss(), fm.Adam(0.5)), 9)
    for hook in hooks[::2]:
        hook.epochs = [0]
    trainer = fm.Trainer(network(), fm.CrossEntropyLoss(), fm.Adam(0.5))
    before = result(trainer)
    with pytest.raises(fm.ArgumentError, match=r"does not fit this fit \(KeyError\('no'\)\)"):
        fit(trainer, 9)
    assert result(trainer) == before
    assert hooks[0].epochs == hooks[2].epochs == [0]
    assert schedule.state_dict() == fm.ReduceLROnPlateau().state_dict()


@pytest.mark.parametrize("schedule", [None, fm.StepLR(2), fm.ExponentialLR(0.9)])
def test_more_epochs_where_no_rate_depends_on_them(schedule, tmp_path):
    path = tmp_path / "c.safetensors"
    run(path, fm.Adam(0.01), schedule, epochs=4)
    expected = result(run(tmp_path / "whole", fm.Adam(0.01), schedule))
    assert result(run(path, fm.Adam(0.01), schedule)) == expected


@pytest.mark.parametrize("schedule", [fm.CosineLR(), fm.OneCycleLR(0.1)])
def test_a_schedule_of_another_number_of_epochs_is_refused(schedule, tmp_path):
    path = tmp_path / "c.safetensors"
    run(path, fm.Adam(0.01), schedule, end=3)
    words = f"epochs: the file has 9, this fit has 10, which {type(schedule).__name__} depends on"
    net = network()
    with pytest.raises(fm.ArgumentError, match=words):
        run(path, fm.Adam(0.01), schedule, epochs=EPOCHS + 1, net=net)
    assert (net.params == network().params).all()


class Squares:
    """A custom loss."""

    def forward(self, scores, y):
        self.d = scores - y[:, None].astype(float)
        return float((self.d**2).mean())

    def backward(self):
        return 2 * self.d / self.d.size


@pytest.mark.parametrize("dtype", [object, "U1", np.int8])
def test_a_custom_loss_with_custom_targets(dtype, tmp_path):
    """Targets that are not numbers are compared too, except objects, which have no bytes."""
    y = Y.astype(dtype)
    for path, end in (("broken", 3), ("broken", None), ("whole", None)):
        trainer = run(tmp_path / path, fm.Adam(0.01), end=end, y=y, loss=Squares())
        if path == "broken":
            found = trainer
    assert result(found) == result(trainer)
    if dtype is not object:
        with pytest.raises(fm.ArgumentError, match="y: the file has"):
            run(tmp_path / "whole", fm.Adam(0.01), y=y[::-1], loss=Squares())


def test_other_files_are_refused_as_checkpoints(tmp_path):
    path = tmp_path / "net.safetensors"
    network().save(path)
    with pytest.raises(ModelFileError, match="without the state of a fit"):
        run(path, fm.Adam(0.01))
    path.write_bytes(b"nonsense")
    with pytest.raises(ModelFileError):
        run(path, fm.Adam(0.01))
    with pytest.raises(fm.ArgumentError, match="the state of LBFGS cannot be saved"):
        fm.fit(network(), X, Y, loss=fm.CrossEntropyLoss(), optimizer=fm.LBFGS(), epochs=2,
               callbacks=[fm.Checkpoint(tmp_path / "other")])  # fmt: skip
    with pytest.raises(fm.ArgumentTypeError, match="path"):
        fm.Checkpoint(None)
