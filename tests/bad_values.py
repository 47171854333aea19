"""Shared by the tests of bad input: bad values for each kind of argument, and checks of errors."""

from __future__ import annotations

import inspect
import math
import re
from fractions import Fraction

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import initializers

ROWS, WIDTH, CLASSES = 6, 4, 3
NAN, INF = math.nan, math.inf
HUGE = 10**400
EIGHTHS = np.arange(ROWS * WIDTH).reshape(ROWS, WIDTH) / 8.0  # exact in every float type
LABELS = np.array([0, 1, 2, 0, 1, 2])

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
    # Without addresses, so that a test has the same name in every process.
    names = [re.sub(" at 0x[0-9a-f]+", "", repr(value)) for value in values]
    return {
        f"{i}-{name:.30}": value for i, (name, value) in enumerate(zip(names, values, strict=True))
    }


def reals(*outside, none=False):
    """Bad values for a real number, including those out of range."""
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
# For `net=` too, where a number is a learning rate, as in SGD(0.1).
NETS = listed("a", [1], 1j, True, object(), fm.Sequential, NAN, -1.0, HUGE, np.zeros(2))

KINDS = {
    "size": integers(0, -1, 2**40, HUGE),
    "size or None": integers(0, -1, 2**40, HUGE, none=True),
    "components": integers(0, -1, 257, HUGE),
    "pieces": integers(1, 0, -1, 2**40, HUGE),
    "count": integers(-1, 2**40, HUGE),
    "real": reals(),
    "positive": reals(0, -1e-9),
    "at least 0": reals(-1e-9, -1),
    "-1 to 1": reals(-1.0000001, 1.5),
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
    "betas": listed(
        0.9, None, "ab", (), (0.9,), (0.9, 0.9, 0.9), (0.9, 1.0), (-0.1, 0.9), (NAN, 0), ("a", 0)
    ),
    "quantiles": listed(
        0.0, 1.0, -0.5, NAN, "a", None, 1j, [], [0.5, 2.0], ["a"], [None], [True], [[0.5]]
    ),
    "shape": listed((), (1, 2, 3), (0,), (2, -1), (1.5,), None, "a", 2**40, {}),
    "shape or None": listed((), (1, 2, 3), (0,), (2, -1), (1.5,), "a", 2**40, {}),
    "stream": listed(3, "a", object()),
    "indices": listed(
        3, "a", None, object(), [], [[0]], [0.5], [1.0], [True], [1j], [0, -1], [2**31], [HUGE], {}
    ),
    "activation": listed(
        "unknown",
        "",
        None,
        3,
        ["ReLU"],
        object(),
        fm.ReLU,
        fm.Linear(2, 2),
        fm.Dropout(),
        {},
        {"type": "x"},
        {"type": ["ReLU"]},
        {"type": "ELU", "a": 1},
        {"type": "ReLU", "a": 1},
    ),
    "groups": listed(
        3,
        "bias",
        object(),
        ["bias"],
        np.zeros(2),
        {1: {"lr": 1.0}},
        {"bias": 0.1},
        {"bias": None},
        {"bias": {"rate": 1.0}},
        {"bias": {0: 1.0}},
        {"bias": {"lr": -1e-9}},
        {"bias": {"lr": NAN}},
        {"bias": {"weight_decay": INF}},
        {"bias": {"lr": True}},
        {"bias": {"lr": "a"}},
    ),
}


def with_values(array, place, *values):
    for value in values:
        changed = np.array(array, np.float64)
        changed.flat[place] = value
        yield changed


def reshaped(rows, width):
    """Arrays with shapes other than (rows, width)."""
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
LEADING = {"3-d": X_BAD.pop("3-d")}  # rows with leading dimensions, which the targets do not have
X_TRAIN_BAD = {
    **X_BAD,
    **LEADING,
    "empty": EIGHTHS[:0],
    "one row as vector": EIGHTHS[0],
    "fewer rows": EIGHTHS[:4],
    "more rows": np.ones((ROWS + 1, WIDTH)),
}
# If the number of rows is wrong, the error names the other argument.
NAMED_INSTEAD = {"fewer rows": "y", "more rows": "y", "3-d": "y"}
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


# Required arguments of the constructors.
NEEDED = {
    "Linear": {"in_features": 3, "out_features": 2},
    "StepLR": {"step_size": 1},
    "Maxout": {"pieces": 2},
    "LayerNorm": {"features": 4},
    "BatchNorm": {"features": 4},
    "Scale": {"features": 4},
    "Embedding": {"num_embeddings": 5, "embedding_dim": 2},
    "GatherColumns": {"indices": [2, 0, 2]},
    "ParametricActivation": {"activation": "Mish", "features": 4},
    "Parameter": {"shape": 3},
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


def misaligned(array):
    buffer = np.zeros(array.nbytes + 1, np.uint8)
    moved = buffer[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def clear_error(call, argument, also="!"):
    """The call raises one of our errors, which is also a built-in error and explains itself."""
    with pytest.raises(fm.FastMLPError) as caught:
        call()
    assert isinstance(caught.value, (ValueError, TypeError))
    message = str(caught.value)
    assert argument in message.split(":")[0] or message.startswith(also), message
    assert "got" in message, message
    assert "want" in message or "needs" in message, message
    return caught.value
