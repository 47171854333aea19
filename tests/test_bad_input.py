"""Every argument of every entry point against every kind of bad value, and every layout of good ones.

The cases are made, not typed: tables say what kind each argument is and which values are bad for a
kind. A parameter that is new or renamed fails a test until it has a row here.
"""

from __future__ import annotations

import inspect
import math
from fractions import Fraction

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import initializers
from fastmlp.layers import LAYERS

ROWS, WIDTH, CLASSES = 6, 4, 3
NAN, INF = math.nan, math.inf
HUGE = 10**400
EIGHTHS = np.arange(ROWS * WIDTH).reshape(ROWS, WIDTH) / 8.0  # exact in every float type
LABELS = np.array([0, 1, 2, 0, 1, 2])

# ---- what is bad for each kind of argument ----

NOT_NUMBERS = ["a", None, [1.0], 1j, object(), np.zeros(2), b"1", True]
NOT_ARRAYS_OF_REALS = {
    "complex": EIGHTHS + 1j,
    "object": EIGHTHS.astype(object),
    "strings": EIGHTHS.astype(str),
    "bytes": EIGHTHS.astype("S4"),
    "datetime": EIGHTHS.astype("datetime64[s]"),
    "timedelta": EIGHTHS.astype("timedelta64[s]"),
    "structured": np.zeros((ROWS, WIDTH), [("a", "f4")]),
    "None": None,
    "text": "text",
    "ragged": [[1.0, 2.0], [3.0]],
    "dict": {"a": 1},
    "class": np.ndarray,
    "masked": np.ma.masked_less(EIGHTHS, 1.0),
}


def listed(*values):
    return {f"{i}-{value!r:.30}": value for i, value in enumerate(values)}


def reals(*outside, none=False):
    """Bad values for a real number, with those out of range."""
    others = [value for value in NOT_NUMBERS if not (none and value is None)]
    return listed(*others, NAN, INF, -INF, HUGE, *outside)


def integers(*outside, none=False):
    others = [value for value in NOT_NUMBERS if not (none and value is None)]
    return listed(*others, 1.5, 2.0, NAN, np.float64(2), Fraction(5, 2), *outside)


NAMES = listed("unknown", "", None, 3, ["mean"], np.zeros(2), ("mean", "sum"), object())
FLAGS = listed(0, 1, "yes", None, 1.0, [], np.zeros(2))
SEEDS = integers(-1, 2**64, HUGE, none=True)
INITIALIZERS = listed(
    "unknown", 3, object(), fm.ReLU, initializers.HeNormal, ["he_normal"], np.zeros(2),
    {}, {"type": "x"}, {"type": ["HeNormal"]}, {"type": "Constant"}, {"type": "HeNormal", "a": 1},
)  # fmt: skip
DTYPES = listed("float16", "int32", "complex64", "unknown", 3, object(), bool, "S4", [], "f4,f4")
# Also as `net=`, where a number is the learning rate of SGD(0.1).
NETS = listed("a", [1], 1j, True, object(), fm.Sequential, NAN, -1.0, HUGE, np.zeros(2))

KINDS = {
    "size": integers(0, -1, 2**40, HUGE),
    "count": integers(-1, 2**40, HUGE),
    "real": reals(),
    "positive": reals(0, -1e-9),
    "at least 0": reals(-1e-9, -1),
    "0 to 1": reals(-1e-9, 1.0000001, 2),
    "below 1": reals(-1e-9, 1.0, 2),
    "lr": reals(-1e-9, none=True),
    "positive or None": reals(0, -1, none=True),
    "name": NAMES,
    "flag": FLAGS,
    "seed": SEEDS,
    "initializer": INITIALIZERS,
    "dtype": DTYPES,
    "net": NETS,
    "betas": listed(0.9, None, "ab", (), (0.9,), (0.9, 0.9, 0.9), (0.9, 1.0), (-0.1, 0.9), (NAN, 0), ("a", 0)),
    "quantiles": listed(0.0, 1.0, -0.5, NAN, "a", None, 1j, [], [0.5, 2.0], ["a"], [None], [True], [[0.5]]),
    "stream": listed(3, "a", object()),
}

# ---- constructors: (class or any, parameter) -> kind ----

PARAMETERS = {
    **dict.fromkeys(["in_features", "out_features", "step_size", "max_iter", "history_size"], "size"),
    **dict.fromkeys(["patience", "cooldown", "warmup"], "count"),
    **dict.fromkeys(["value", "margin", "negative_slope", "alpha"], "real"),
    **dict.fromkeys(["delta", "max_lr", "div_factor", "final_div_factor"], "positive"),
    **dict.fromkeys(["weight_decay", "momentum", "eps", "lr_decay", "lam", "gamma"], "at least 0"),
    **dict.fromkeys(["eta_min", "min_lr", "min_delta"], "at least 0"),
    **dict.fromkeys(["tolerance_grad", "tolerance_change"], "at least 0"),
    **dict.fromkeys(["p", "label_smoothing", "pct_start", "threshold"], "0 to 1"),
    "factor": "below 1",
    "lr": "lr",
    "clip_norm": "positive or None",
    **dict.fromkeys(["reduction", "monitor", "approximate"], "name"),
    **dict.fromkeys(["bias", "nesterov", "restore_best"], "flag"),
    "seed": "seed",
    **dict.fromkeys(["init", "bias_init"], "initializer"),
    "dtype": "dtype",
    "net": "net",
    "betas": "betas",
    "quantiles": "quantiles",
    "file": "stream",
}
EXCEPTIONS = {("Lp", "p"): "positive", ("RMSprop", "alpha"): "0 to 1"}
NEEDED = {
    "Linear": {"in_features": 3, "out_features": 2},
    "StepLR": {"step_size": 1},
    "ExponentialLR": {"gamma": 0.5},
    "OneCycleLR": {"max_lr": 0.1},
    "QuantileLoss": {"quantiles": 0.5},
    "Constant": {"value": 1.0},
    "L1": {"lam": 0.1},
    "L2": {"lam": 0.1},
    "Lp": {"p": 3.0, "lam": 0.1},
}


def subclasses(base):
    public = {value for value in vars(fm).values() if inspect.isclass(value)}
    return [value for value in public if issubclass(value, base) and value is not base]


CLASSES_BY_NAME = {
    cls.__name__: cls
    for cls in [
        *LAYERS.values(),
        *(cls for base in (fm.Loss, fm.Optimizer, fm.Schedule, fm.Penalty) for cls in subclasses(base)),
        *(cls for cls in vars(initializers).values()
          if inspect.isclass(cls) and issubclass(cls, initializers.Initializer) and cls.__module__ == initializers.__name__
          and not cls.__name__.startswith("_") and cls is not initializers.Initializer),
        fm.EarlyStopping,
        fm.ProgressBar,
    ]
}  # fmt: skip


def kind_of(cls_name, parameter):
    return EXCEPTIONS.get((cls_name, parameter)) or PARAMETERS[parameter]


def constructor_cases():
    for name, cls in sorted(CLASSES_BY_NAME.items()):
        for parameter in inspect.signature(cls).parameters:
            for label, value in KINDS[kind_of(name, parameter)].items():
                yield pytest.param(name, parameter, value, id=f"{name}-{parameter}-{label}")


def clear_error(call, argument):
    """The call raises an error of ours that is also a built-in one and explains itself."""
    with pytest.raises(fm.FastMLPError) as caught:
        call()
    assert isinstance(caught.value, (ValueError, TypeError))
    message = str(caught.value)
    assert argument in message.split(":")[0], message
    assert "got" in message, message
    assert "want" in message or "needs" in message, message
    return caught.value


@pytest.mark.parametrize("name", sorted(CLASSES_BY_NAME))
def test_constructors_take_what_is_needed(name):
    CLASSES_BY_NAME[name](**NEEDED.get(name, {}))


@pytest.mark.parametrize(("name", "parameter", "value"), list(constructor_cases()))
def test_constructors(name, parameter, value):
    given = {**NEEDED.get(name, {}), parameter: value}
    clear_error(lambda: CLASSES_BY_NAME[name](**given), parameter)


# ---- calls with data ----


class World:
    """A network in the middle of everything: trained a little, with a forward pass pending."""

    def __init__(self):
        self.net = fm.Sequential(
            fm.Linear(WIDTH, 5), fm.Tanh(), fm.Dropout(0.2), fm.Linear(5, CLASSES), seed=0
        )
        self.x = EIGHTHS.astype(np.float32)
        self.loss = fm.CrossEntropyLoss()
        self.trainer = fm.Trainer(self.net, self.loss, fm.Adam(lr=0.01), fm.L2(1e-3))
        self.trainer.step(self.x, LABELS)
        self.net.backward(np.ones((ROWS, CLASSES)) * (self.net.forward(self.x, True) > 0))
        self.net.forward(self.x)
        self.optimizer = fm.Adam(self.net)
        self.optimizer.step()

    def bits(self):
        states = [self.trainer.state_dict(), self.optimizer.state_dict()]
        flat = [self.net.params, self.net.grads]
        for state in states:
            flat += [*state.pop("slots"), state.pop("powers")]
        return [array.tobytes() for array in flat], [list(state.items()) for state in states]

    def check_alive(self):
        assert self.net.backward(np.ones((ROWS, CLASSES))).shape == (ROWS, WIDTH)
        assert math.isfinite(self.trainer.step(self.x, LABELS))
        assert np.isfinite(self.net.predict(self.x)).all()
        history = self.trainer.fit(self.x, LABELS, epochs=1, progress=False)
        assert math.isfinite(history.loss[0])


def with_values(array, place, *values):
    for value in values:
        changed = np.array(array, np.float64)
        changed.flat[place] = value
        yield changed


def reshaped(rows, width):
    """Arrays of other shapes than (rows, width)."""
    full = np.ones((rows, width))
    return {
        "scalar": 1.0,
        "3-d": full[None],
        "narrow": full[:, :-1],
        "wide": np.ones((rows, width + 1)),
        "transposed": np.ones((width + 1, rows)),
        "no columns": full[:, :0],
    }


X_BAD = {**NOT_ARRAYS_OF_REALS, **reshaped(ROWS, WIDTH)}
X_TRAIN_BAD = {
    **X_BAD,
    "empty": EIGHTHS[:0],
    "one row as vector": EIGHTHS[0],
    "fewer rows": EIGHTHS[:4],
    "more rows": np.ones((ROWS + 1, WIDTH)),
}
# With other numbers of rows it is the other argument that is named.
NAMED_INSTEAD = {"fewer rows": "y", "more rows": "y"}
NOT_FINITE = dict(zip(["nan", "inf", "-inf"], with_values(EIGHTHS, 7, NAN, INF, -INF), strict=True))
DY_BAD = {
    **NOT_ARRAYS_OF_REALS,
    **reshaped(ROWS, CLASSES),
    "fewer rows": np.ones((ROWS - 1, CLASSES)),
    "one row": np.ones(CLASSES),
}
WRONG_LABELS = {
    "negative": LABELS - 1,
    "too large": LABELS + 1,
    "least": np.full(ROWS, np.iinfo(np.int64).min),
    "unsigned": np.full(ROWS, 2**64 - 1, np.uint64),
    "fractional": LABELS + 0.5,
    "nan": [0, 1, 2, 0, 1, NAN],
    "inf": [0, 1, 2, 0, 1, INF],
    "huge": [0, 1, 2, 0, 1, 1e300],
    "huge integer": [0, 1, 2, 0, 1, HUGE],
    "fewer rows": LABELS[:-1],
    "column": LABELS[:, None],
    "one-hot of others": np.ones((ROWS, CLASSES + 1)),
    "scalar": 1,
}
LABELS_BAD = {**NOT_ARRAYS_OF_REALS, **WRONG_LABELS}
WEIGHTS_BAD = {
    **{label: value for label, value in NOT_ARRAYS_OF_REALS.items() if label != "None"},
    "scalar": 1.0,
    "matrix": np.ones((ROWS, 1)),
    "fewer rows": np.ones(ROWS - 1),
    "empty": [],
}


def read_only(shape):
    array = np.zeros(shape, np.float32)
    array.flags.writeable = False
    return array


def misaligned(array):
    buffer = np.zeros(array.nbytes + 1, np.uint8)
    moved = buffer[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


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
CALLBACKS_BAD = listed(3, [3], ["a"], fm.EarlyStopping(patience=1, monitor="loss"), [object()], "ab", [print], True)
LOSSES_BAD = listed(None, "mse", fm.MSELoss, 3, object(), fm.ReLU())
OPTIMIZERS_BAD = listed("adam", fm.Adam, 3, object(), fm.MSELoss())
SCHEDULES_BAD = listed("cosine", fm.CosineLR, 3, object(), [0.1])
PENALTIES_BAD = listed("l2", fm.L2, 3, [3], [fm.L2], object())
NO_NETS = listed(None, "a", 3, fm.ReLU(), fm.Linear(2, 2), fm.Sequential)


def fit(world, **given):
    options = {"x": world.x, "y": LABELS, "loss": world.loss, "net": world.net, "progress": False}
    options |= given
    return fm.fit(options.pop("net"), options.pop("x"), options.pop("y"), **options)


def trainer_fit(world, **given):
    options = {"x": world.x, "y": LABELS, "progress": False, **given}
    return world.trainer.fit(options.pop("x"), options.pop("y"), **options)


def gradcheck(world, **given):
    options = {"net": world.net, "loss": world.loss, "x": world.x, "y": LABELS, **given}
    return fm.gradcheck(**options)


def set_parameter(name):
    def call(world, **given):
        setattr(world.net if name == "params" else world.net[0], name, given[name])

    return call


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
    "check_finite": FLAGS,
}
FIT_DATA_BAD = {
    "x": {**X_TRAIN_BAD, **NOT_FINITE},
    "y": LABELS_BAD,
    "sample_weight": {**WEIGHTS_BAD, "nan": [NAN] * ROWS, "inf": [INF] * ROWS},
}

# entry point -> (how to call it, {argument: {label: bad value}})
ENTRIES = {
    "predict": (lambda w, x=EIGHTHS, out=None: w.net.predict(x, out), {"x": X_BAD, "out": OUT_BAD}),
    "forward": (lambda w, x=EIGHTHS, training=True: w.net.forward(x, training), {"x": X_BAD, "training": FLAGS}),
    "backward": (lambda w, dy=np.ones(OUT), accumulate=False: w.net.backward(dy, accumulate), {"dy": DY_BAD, "accumulate": FLAGS}),
    "Linear.forward": (lambda w, x: w.net[0].forward(x), {"x": X_BAD}),
    "Linear.W": (set_parameter("W"), {"W": {**NOT_ARRAYS_OF_REALS, **reshaped(WIDTH, 5)}}),
    "Linear.b": (set_parameter("b"), {"b": {**NOT_ARRAYS_OF_REALS, **reshaped(1, 4)}}),
    "params": (set_parameter("params"), {"params": {**NOT_ARRAYS_OF_REALS, **reshaped(2, 2)}}),
    "Trainer": (
        lambda w, **given: fm.Trainer(**{"net": w.net, "loss": w.loss, **given}),
        {"net": NO_NETS, "loss": LOSSES_BAD, "optimizer": OPTIMIZERS_BAD, "penalty": PENALTIES_BAD},
    ),
    "Trainer.lr": (lambda w, lr: setattr(w.trainer, "lr", lr), {"lr": reals(-1)}),
    "optimizer.lr": (lambda w, lr: setattr(w.optimizer, "lr", lr), {"lr": reals(-1)}),
    "step_count": (lambda w, step_count: setattr(w.net, "step_count", step_count), {"step_count": integers(-1, 2**32)}),
    "Trainer.step": (lambda w, **given: w.trainer.step(**{"x": w.x, "y": LABELS, **given}), TRAIN_BAD),
    "Trainer.fit": (trainer_fit, {**FIT_BAD, **FIT_DATA_BAD}),
    "fit": (
        fit,
        {**FIT_BAD, **FIT_DATA_BAD, "net": NO_NETS, "loss": LOSSES_BAD,
         "optimizer": OPTIMIZERS_BAD, "penalty": PENALTIES_BAD},
    ),
    "gradcheck": (
        gradcheck,
        {"net": NO_NETS, "loss": LOSSES_BAD, "x": X_TRAIN_BAD, "y": LABELS_BAD,
         "sample_weight": WEIGHTS_BAD, "eps": reals(0, -1)},
    ),
    "threads": (lambda w, n: fm.threads(n), {"n": integers(0, -1, 2000)}),
    "set_num_threads": (lambda w, n: fm.set_num_threads(n), {"n": integers(0, -1, 2000)}),
}  # fmt: skip


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


# ---- losses by hand ----

SCORES = np.ones((ROWS, CLASSES))
REAL_TARGETS_BAD = {
    **NOT_ARRAYS_OF_REALS,
    **reshaped(ROWS, CLASSES),
    "fewer rows": np.ones((ROWS - 1, CLASSES)),
}
SCORES_BAD = {**NOT_ARRAYS_OF_REALS, "scalar": 1.0, "3-d": SCORES[None], "no columns": SCORES[:, :0]}
TARGET_RANGES = {
    "BCEWithLogitsLoss": {"below": SCORES * -0.1, "above": SCORES * 1.1, "nan": SCORES * NAN},
    "PoissonNLLLoss": {"negative": SCORES * -1.0},
    "MultiMarginLoss": WRONG_LABELS,
    "CrossEntropyLoss": WRONG_LABELS,
}


def loss_cases():
    for cls in sorted(subclasses(fm.Loss), key=lambda cls: cls.__name__):
        name = cls.__name__
        targets = {**REAL_TARGETS_BAD, **TARGET_RANGES.get(name, {})}
        for argument, values in {"scores": SCORES_BAD, "y": targets, "sample_weight": WEIGHTS_BAD}.items():
            for label, value in values.items():
                yield pytest.param(name, argument, value, id=f"{name}-{argument}-{label}")


@pytest.mark.parametrize("method", ["forward", "score"])
@pytest.mark.parametrize(("name", "argument", "value"), list(loss_cases()))
def test_losses(name, argument, value, method):
    cls = CLASSES_BY_NAME[name]
    loss = cls(**NEEDED.get(name, {}))
    y = LABELS if _ROW_TARGETS.get(name) else SCORES
    good = {"scores": SCORES, "y": y, "sample_weight": np.ones(ROWS)}
    value_before = loss.forward(**good)
    gradient = loss.backward().copy()
    clear_error(lambda: getattr(loss, method)(**{**good, argument: value}), argument)
    assert np.array_equal(loss.backward(), gradient)
    assert loss.forward(**good) == value_before


_ROW_TARGETS = {"CrossEntropyLoss": True, "MultiMarginLoss": True}

# ---- the wrong moment ----


@pytest.mark.parametrize("make", [
    lambda: fm.Sequential(fm.Linear(WIDTH, CLASSES)),
    lambda: fm.Linear(WIDTH, CLASSES),
    *(LAYERS[name] for name in LAYERS if name != "Linear"),
])  # fmt: skip
def test_backward_wants_a_forward(make):
    layer = make()
    dy = np.ones((ROWS, CLASSES if hasattr(layer, "out_features") else WIDTH))
    with pytest.raises(fm.StateError, match=r"^backward: .*call forward\(x\) first"):
        layer.backward(dy)
    layer.forward(EIGHTHS)
    layer.backward(dy)
    with pytest.raises(fm.StateError, match=r"^backward: .*used up; call forward\(x\) again"):
        layer.backward(dy)
    layer.forward(EIGHTHS)
    assert layer.backward(dy).shape == EIGHTHS.shape


def test_a_loss_wants_a_forward():
    with pytest.raises(fm.StateError, match=r"^backward: .*call forward\(scores, y\) first"):
        fm.MSELoss().backward()


def test_an_optimizer_wants_a_network():
    for call in (fm.Adam().step, fm.Adam().zero_grad, fm.Adam().state_dict):
        with pytest.raises(fm.StateError, match=r"Adam: has no network; make it as Adam\(net"):
            call()


def test_out_may_not_overlap(world):
    memory = np.zeros(ROWS * (WIDTH + CLASSES), np.float32)
    x = memory[: ROWS * WIDTH].reshape(ROWS, WIDTH)
    for start in (0, ROWS * WIDTH - 1):
        out = memory[start : start + ROWS * CLASSES].reshape(OUT)
        clear_error(lambda out=out: world.net.predict(x, out), "out")
    clear_error(lambda: world.net.predict(EIGHTHS, world.net.params[:18].reshape(OUT)), "out")
    world.net.predict(x, memory[ROWS * WIDTH :].reshape(OUT))


@pytest.mark.parametrize("key", ["lr", "t", "slots", "powers", "step_count", "epochs_done"])
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


# ---- what is taken ----


def strided(x):
    array = np.zeros([3 * n for n in x.shape], x.dtype)
    every = tuple(slice(None, None, 3) for _ in x.shape)
    array[every] = x
    return array[every]


def backwards(x):
    every = tuple(slice(None, None, -1) for _ in x.shape)
    return x[every].copy()[every]


def locked(x):
    array = x.copy()
    array.flags.writeable = False
    return array


def foreign(x):
    """Something that only has __array__."""

    class Foreign:
        def __array__(self, dtype=None, copy=None):
            return x.astype(dtype or x.dtype)

    return Foreign()


LAYOUTS = {
    "list": lambda x: x.tolist(),
    "fortran": np.asfortranarray,
    "strided": strided,
    "reversed": backwards,
    "broadcast": lambda x: np.broadcast_to(x, (2, *x.shape))[1],
    "misaligned": misaligned,
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "read-only": locked,
    "__array__": foreign,
    "misaligned and swapped": lambda x: misaligned(x.astype(x.dtype.newbyteorder())),
    "float64": lambda x: x.astype(np.float64),
    "float32": lambda x: x.astype(np.float32),
    "float16": lambda x: x.astype(np.float16),
    "longdouble": lambda x: x.astype(np.longdouble),
    "int8": lambda x: x.astype(np.int8),
    "uint64": lambda x: x.astype(np.uint64),
    "bool": lambda x: x.astype(bool),
}
BITS = (np.arange(ROWS * WIDTH).reshape(ROWS, WIDTH) % 5 % 2).astype(np.float64)  # exact even as bool


def transcript(dtype, give):
    """The bytes of everything that data goes into, each array given in some layout."""
    x, y, weight = give(BITS.astype(dtype)), give(BITS[:, 1].astype(np.int64)), give(BITS[:, 0] * 1.0)
    net = fm.Sequential(fm.Linear(WIDTH, 5), fm.Tanh(), fm.Linear(5, 2), dtype=dtype, seed=1)
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.Adam(lr=0.05))
    found = [net.predict(x), net.forward(x), net.backward(give(BITS[:, :2].astype(dtype)))]
    found += [trainer.step(x, y, weight)]
    found += trainer.fit(x, y, sample_weight=weight, validation=(x, y, weight), epochs=2,
                         batch_size=4, progress=False).val_loss  # fmt: skip
    regression = fm.Trainer(net, fm.MSELoss(), fm.SGD(lr=0.05, momentum=0.9))
    found += [regression.step(x, give(BITS[:, 2:].astype(dtype)))]
    net[0].W = give(BITS[:, :5].T[:WIDTH, :1].repeat(5, 1).astype(dtype))
    return [np.asarray(value).tobytes() for value in [*found, net.params, net.grads]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_give_the_same_bits(layout, dtype):
    assert transcript(dtype, LAYOUTS[layout]) == transcript(dtype, np.ascontiguousarray)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", sorted(cls.__name__ for cls in subclasses(fm.Loss)))
def test_losses_take_any_layout(name, layout):
    give = LAYOUTS[layout]
    y = BITS[:, 0] if name in _ROW_TARGETS else BITS[:, :2]

    def run(give_scores, give):
        loss = CLASSES_BY_NAME[name](**NEEDED.get(name, {}))
        value = loss.forward(give_scores(BITS[:, 2:]), give(y), give(BITS[:, 1]))
        return value, loss.backward().tobytes()

    assert run(np.ascontiguousarray, give) == run(np.ascontiguousarray, np.ascontiguousarray)
