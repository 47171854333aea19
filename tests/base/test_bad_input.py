"""Every data argument of every call with every kind of bad value.

Each is refused with an error that names the argument, its value and the expected values. Nothing
changes, and the network still works.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.bad_values import (
    CLASSES,
    DY_BAD,
    EIGHTHS,
    FLAGS,
    HUGE,
    INF,
    KINDS,
    LABELS,
    LABELS_BAD,
    NAMED_INSTEAD,
    NAN,
    NOT_ARRAYS_OF_REALS,
    NOT_FINITE,
    ROWS,
    SEEDS,
    WEIGHTS_BAD,
    WIDTH,
    X_BAD,
    X_TRAIN_BAD,
    clear_error,
    integers,
    listed,
    misaligned,
    reals,
    reshaped,
)

import fastmlp as fm
from fastmlp.layers import LAYERS


class World:
    """A network in the middle of its work: slightly trained, with a pending forward pass."""

    def __init__(self):
        self.net = fm.Sequential(
            fm.Linear(WIDTH, 5), fm.Tanh(), fm.Dropout(0.2), fm.Linear(5, CLASSES), seed=0
        )
        self.x = EIGHTHS.astype(np.float32)
        self.loss = fm.CrossEntropyLoss()
        self.trainer = fm.Trainer(self.net, self.loss, fm.Adam(lr=0.01), fm.L2(1e-3))
        self.trainer.step(self.x, LABELS)
        self.net.forward(self.x, training=True)
        self.net.backward(np.ones(OUT))
        self.optimizer = fm.Adam(self.net)
        self.optimizer.step()
        self.net.forward(self.x)

    def bits(self):
        states = [self.trainer.state_dict(), self.optimizer.state_dict()]
        flat = [self.net.params, self.net.grads]
        for state in states:
            flat += [*state.pop("slots"), state.pop("powers")]
        return [array.tobytes() for array in flat], [list(state.items()) for state in states]

    def check_alive(self):
        assert self.net.backward(np.ones(OUT)).shape == (ROWS, WIDTH)
        assert math.isfinite(self.trainer.step(self.x, LABELS))
        assert np.isfinite(self.net.predict(self.x)).all()
        history = self.trainer.fit(self.x, LABELS, epochs=1, progress=False)
        assert math.isfinite(history.loss[0])


def read_only(shape):
    array = np.zeros(shape, np.float32)
    array.flags.writeable = False
    return array


OUT = (ROWS, CLASSES)
OUT_BAD = {
    "list": np.zeros(OUT).tolist(),
    "text": "a",
    "scalar": 1.0,
    "float64": np.zeros(OUT),
    "int": np.zeros(OUT, np.int32),
    "byte-swapped": np.zeros(OUT, np.dtype(np.float32).newbyteorder()),
    "vector": np.zeros(ROWS * CLASSES, np.float32),
    "fewer rows": np.zeros((ROWS - 1, CLASSES), np.float32),
    "more columns": np.zeros((ROWS, CLASSES + 1), np.float32),
    "fortran": np.zeros(OUT, np.float32, order="F"),
    "strided": np.zeros((2 * ROWS, CLASSES), np.float32)[::2],
    "reversed": np.zeros(OUT, np.float32)[::-1],
    "misaligned": misaligned(np.zeros(OUT, np.float32)),
    "read-only": read_only(OUT),
}
VALIDATION_BAD = {
    "x": (EIGHTHS[:, :2], LABELS),
    "y": (EIGHTHS, LABELS + 1),
    "sample_weight": (EIGHTHS, LABELS, np.ones(2)),
    "empty": (EIGHTHS[:0], LABELS[:0]),
    "nan": (np.full((ROWS, WIDTH), NAN), LABELS),
    "one": (EIGHTHS,),
    "four": (EIGHTHS, LABELS, None, None),
    "array": EIGHTHS,
    **reals(0.0, 1.0, -0.5, 0.999, none=True),
}
CALLBACKS_BAD = listed(
    3, [3], ["a"], fm.EarlyStopping(patience=1, monitor="loss"), [object()], "ab", [print], True
)
LOSSES_BAD = listed(None, "mse", fm.MSELoss, 3, object(), fm.ReLU())
OPTIMIZERS_BAD = listed("adam", fm.Adam, 3, object(), fm.MSELoss())
SCHEDULES_BAD = listed("cosine", fm.CosineLR, 3, object(), [0.1])
SETTINGS_BAD = listed(
    3, "dropout", [fm.CosineLR()], {"dropout": 3}, {"dropout": fm.CosineLR}, {"lr": fm.CosineLR()},
    {"momentum": fm.CosineLR()}, {1: fm.CosineLR()}, {"dropout": fm.OneCycleLR(1e3)},
    {"label_smoothing": fm.OneCycleLR(1e3)},
)  # fmt: skip
PENALTIES_BAD = listed("l2", fm.L2, 3, [3], [fm.L2], object())
NO_NETS = listed(None, "a", 3, fm.ReLU(), fm.Linear(2, 2), fm.Sequential)


TRAIN_BAD = {"x": X_TRAIN_BAD, "y": LABELS_BAD, "sample_weight": WEIGHTS_BAD}
FIT_BAD = {
    "epochs": KINDS["count"],
    "batch_size": integers(0, -1, 2**40, HUGE, none=True),
    "validation": VALIDATION_BAD,
    "callbacks": CALLBACKS_BAD,
    "shuffle": FLAGS,
    "seed": SEEDS,
    "progress": {label: flag for label, flag in FLAGS.items() if flag is not None},
    "schedule": SCHEDULES_BAD,
    "schedules": SETTINGS_BAD,
    "check_finite": FLAGS,
}
FIT_DATA_BAD = {
    "x": {**X_TRAIN_BAD, **NOT_FINITE},
    "y": LABELS_BAD,
    "sample_weight": {**WEIGHTS_BAD, "nan": [NAN] * ROWS, "inf": [INF] * ROWS},
}

# Good values for the other arguments.
DATA = {"x": EIGHTHS, "y": LABELS}
# entry point -> (how to call it, {argument: {label: bad value}})
ENTRIES = {
    "predict": (lambda w, **a: w.net.predict(**{"x": EIGHTHS, **a}), {"x": X_BAD, "out": OUT_BAD}),
    "forward": (
        lambda w, **a: w.net.forward(**{"x": EIGHTHS, **a}),
        {"x": X_BAD, "training": FLAGS},
    ),
    "backward": (
        lambda w, **a: w.net.backward(**{"dy": np.ones(OUT), **a}),
        {"dy": DY_BAD, "accumulate": FLAGS},
    ),
    "Linear.forward": (lambda w, x: w.net[0].forward(x), {"x": X_BAD}),
    "Linear.W": (
        lambda w, W: setattr(w.net[0], "W", W),
        {"W": {**NOT_ARRAYS_OF_REALS, **reshaped(WIDTH, 5)}},
    ),
    "Linear.b": (
        lambda w, b: setattr(w.net[0], "b", b),
        {"b": {**NOT_ARRAYS_OF_REALS, **reshaped(1, 4)}},
    ),
    "params": (
        lambda w, params: setattr(w.net, "params", params),
        {"params": {**NOT_ARRAYS_OF_REALS, **reshaped(2, 2)}},
    ),
    "step_count": (
        lambda w, step_count: setattr(w.net, "step_count", step_count),
        {"step_count": integers(-1, 2**32)},
    ),
    "Trainer": (
        lambda w, **a: fm.Trainer(**{"net": w.net, "loss": w.loss, **a}),
        {"net": NO_NETS, "loss": LOSSES_BAD, "optimizer": OPTIMIZERS_BAD, "penalty": PENALTIES_BAD},
    ),
    "Trainer.lr": (lambda w, lr: setattr(w.trainer, "lr", lr), {"lr": reals(-1)}),
    "Trainer.step": (lambda w, **a: w.trainer.step(**{**DATA, **a}), TRAIN_BAD),
    "Trainer.fit": (
        lambda w, **a: w.trainer.fit(**{**DATA, "progress": False, **a}),
        {**FIT_BAD, **FIT_DATA_BAD},
    ),
    "fit": (
        lambda w, **a: fm.fit(**{**DATA, "net": w.net, "loss": w.loss, "progress": False, **a}),
        {
            **FIT_BAD,
            **FIT_DATA_BAD,
            "net": NO_NETS,
            "loss": LOSSES_BAD,
            "optimizer": OPTIMIZERS_BAD,
            "penalty": PENALTIES_BAD,
        },
    ),
    "optimizer.lr": (lambda w, lr: setattr(w.optimizer, "lr", lr), {"lr": reals(-1)}),
    "gradcheck": (
        lambda w, **a: fm.gradcheck(**{**DATA, "net": w.net, "loss": w.loss, **a}),
        {
            "net": NO_NETS,
            "loss": LOSSES_BAD,
            "x": X_BAD,
            "y": LABELS_BAD,
            "sample_weight": WEIGHTS_BAD,
            "eps": reals(0, -1),
        },
    ),
    "threads": (lambda w, n: fm.threads(n), {"n": integers(0, -1, 2000)}),
    "set_num_threads": (lambda w, n: fm.set_num_threads(n), {"n": integers(0, -1, 2000)}),
}


def entry_cases():
    for entry, (_, arguments) in ENTRIES.items():
        for argument, values in arguments.items():
            for label, value in values.items():
                yield pytest.param(entry, argument, label, value, id=f"{entry}-{argument}-{label}")


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize(("entry", "argument", "label", "value"), list(entry_cases()))
def test_calls(world, entry, argument, label, value):
    before = world.bits()
    named = NAMED_INSTEAD.get(label, argument) if argument == "x" else argument
    clear_error(lambda: ENTRIES[entry][0](world, **{argument: value}), named)
    assert world.bits() == before
    world.check_alive()


# ---- calls at the wrong moment ----


# Layers with required arguments.
NEEDY = (fm.Linear, fm.Maxout, fm.LayerNorm, fm.BatchNorm, fm.Scale, fm.Embedding,
         fm.GatherColumns, fm.ParametricActivation)  # fmt: skip


@pytest.mark.parametrize("make", [
    lambda: fm.Sequential(fm.Linear(WIDTH, CLASSES)),
    lambda: fm.Linear(WIDTH, CLASSES),
    lambda: fm.LayerNorm(WIDTH),
    lambda: fm.BatchNorm(WIDTH),
    lambda: fm.Scale(WIDTH),
    lambda: fm.Maxout(2),
    lambda: fm.GatherColumns([0, 2, 0]),
    lambda: fm.ParametricActivation("SELU", WIDTH),
    *(kind for kind in LAYERS.values() if kind.n_inputs == (1, 1) and kind not in NEEDY),
])  # fmt: skip
def test_backward_needs_a_forward(make):
    layer = make()
    dy = np.ones((ROWS, make().forward(EIGHTHS).shape[1]))
    with pytest.raises(fm.StateError, match=r"^backward: .*call forward\(x\) first"):
        layer.backward(dy)
    layer.forward(EIGHTHS)
    layer.backward(dy)
    with pytest.raises(fm.StateError, match=r"^backward: .*used up; call forward\(x\) again"):
        layer.backward(dy)
    layer.forward(EIGHTHS)
    assert layer.backward(dy).shape == EIGHTHS.shape


def test_a_loss_backward_needs_a_forward():
    with pytest.raises(fm.StateError, match=r"^backward: .*call forward\(scores, y\) first"):
        fm.MSELoss().backward()


def test_an_optimizer_needs_a_network():
    for call in (fm.Adam().step, fm.Adam().zero_grad, fm.Adam().state_dict):
        with pytest.raises(fm.StateError, match=r"Adam: has no network; make it as Adam\(net"):
            call()


def test_out_may_not_overlap(world):
    memory = np.zeros(ROWS * (WIDTH + CLASSES), np.float32)
    x = memory[: ROWS * WIDTH].reshape(ROWS, WIDTH)
    for start in (0, ROWS * WIDTH - 1):
        out = memory[start : start + ROWS * CLASSES].reshape(OUT)
        with pytest.raises(fm.ArgumentError, match=r"^out: overlaps the input"):
            world.net.predict(x, out)
    with pytest.raises(fm.ArgumentError, match=r"^out: overlaps .* the parameters"):
        world.net.predict(EIGHTHS, world.net.params[:18].reshape(OUT))
    world.net.predict(x, memory[ROWS * WIDTH :].reshape(OUT))


STATE_KEYS = ["lr", "t", "slots", "powers", "step_count", "epochs_done", "groups", "trainable"]


@pytest.mark.parametrize("key", STATE_KEYS)
@pytest.mark.parametrize("value", [None, "a", -1, [], object(), [np.zeros(3)]])
def test_states_that_do_not_fit(world, key, value):
    before = world.bits()
    for owner in (world.trainer, world.optimizer):
        state = owner.state_dict()
        if key not in state:
            continue
        with pytest.raises(fm.FastMLPError):
            owner.load_state_dict({**state, key: value})
        with pytest.raises(fm.FastMLPError):
            owner.load_state_dict({name: state[name] for name in state if name != key})
        assert world.bits() == before
