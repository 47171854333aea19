"""Losses by hand: bad scores, targets and weights are refused, and the last gradient is kept."""

from __future__ import annotations

import re

import numpy as np
import pytest
from tests import loss_problems
from tests.bad_values import (
    CLASSES,
    LABELS,
    NAN,
    NEEDED,
    NOT_ARRAYS_OF_REALS,
    ROWS,
    WEIGHTS_BAD,
    WRONG_LABELS,
    clear_error,
    reshaped,
    subclasses,
)
from tests.harness import LOSSES

import fastmlp as fm

# Losses of several fields are in test_fields.py.
PLAIN = [cls for cls in subclasses(fm.Loss) if cls.__name__ in loss_problems.PLAIN]

SCORES = np.ones((ROWS, CLASSES))
REAL_TARGETS_BAD = {
    **NOT_ARRAYS_OF_REALS,
    **reshaped(ROWS, CLASSES),
    "fewer rows": np.ones((ROWS - 1, CLASSES)),
}
SCORES_BAD = {
    **NOT_ARRAYS_OF_REALS,
    "scalar": 1.0,
    "3-d": SCORES[None],
    "no columns": SCORES[:, :0],
}
OUTSIDE_0_TO_1 = {"below": SCORES * -0.1, "above": SCORES * 1.1, "nan": SCORES * NAN}
TARGET_RANGES = {
    "BCEWithLogitsLoss": OUTSIDE_0_TO_1,
    "SigmoidFocalLoss": OUTSIDE_0_TO_1,
    "PoissonNLLLoss": {"negative": SCORES * -1.0},
    "KLDivLoss": {"negative": SCORES * -1.0, "nan": SCORES * NAN},
    **{name: WRONG_LABELS for name, (_, row) in LOSSES.items() if row["target"] == "class"},
}


def loss_cases():
    for cls in sorted(PLAIN, key=lambda cls: cls.__name__):
        name = cls.__name__
        targets = {**REAL_TARGETS_BAD, **TARGET_RANGES.get(name, {})}
        for argument, values in {
            "scores": SCORES_BAD,
            "y": targets,
            "sample_weight": WEIGHTS_BAD,
        }.items():
            for label, value in values.items():
                yield pytest.param(name, argument, value, id=f"{name}-{argument}-{label}")


def signs_of(value):
    """Texts that show what a message got."""
    signs = {type(value).__name__, "masked values", "rows of unequal length"}
    try:
        array = np.asarray(value)
    except ValueError:
        return signs
    signs |= {
        f"dtype {array.dtype}",
        f"shape {array.shape}",
        *(f"{n} rows" for n in array.shape[:1]),
    }
    signs |= {f"{n} columns" for n in array.shape[1:]}
    if array.dtype.kind in "iuf":
        signs |= {f"label {number}" for number in array.ravel()}
        signs |= {str(number) for number in array.ravel()}
        signs |= {f"values from {array.min()} to {array.max()}"} if array.size else set()
    return signs


def names_everything(error, argument, value):
    """The message is "argument: got the value; want the allowed values"."""
    parts = re.fullmatch(r"(\w+): got ([^;]+); (want|needs) (.+)", str(error))
    assert parts, error
    assert parts[1] == argument
    assert any(f"{parts[2]} ".startswith(f"{sign} ") for sign in signs_of(value)), error


@pytest.mark.parametrize("method", ["forward", "score"])
@pytest.mark.parametrize(("name", "argument", "value"), list(loss_cases()))
def test_losses(name, argument, value, method):
    cls = getattr(fm, name)
    loss = cls(**NEEDED.get(name, {}))
    y = LABELS if LOSSES[name][1]["target"] == "class" else SCORES
    good = {"scores": SCORES, "y": y, "sample_weight": np.ones(ROWS)}
    value_before = loss.forward(**good)
    gradient = loss.backward().copy()
    # Scores may have leading dimensions, which the targets then lack.
    leading = method == "forward" and argument == "scores" and getattr(value, "ndim", 0) == 3
    named, shown = ("y", y) if leading else (argument, value)
    error = clear_error(lambda: getattr(loss, method)(**{**good, argument: value}), named)
    names_everything(error, named, shown)
    assert np.array_equal(loss.backward(), gradient)
    assert loss.forward(**good) == value_before
