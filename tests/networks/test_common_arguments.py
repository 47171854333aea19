"""What callers commonly pass is converted in the core, to the bits and with the errors of the
validation in Python."""

from __future__ import annotations

import numpy as np
import pytest
from tests.bad_values import misaligned

import fastmlp as fm

WIDTH, ROWS = 4, 6
NUMBERS = np.arange(ROWS * WIDTH).reshape(ROWS, WIDTH) % 7 - 2.0


def two_heads(dtype="float32"):
    x = fm.Input(WIDTH)
    h = fm.Tanh()(fm.Linear(WIDTH, 5)(x))
    return fm.Graph(x, {"a": fm.Linear(5, 3)(h), "b": fm.Linear(5, 1)(h)}, seed=1, dtype=dtype)


def two_inputs(dtype="float32"):
    x, z = fm.Input(WIDTH, "x"), fm.Input(2, "z")
    return fm.Graph([x, z], fm.Linear(WIDTH, 3)(x) + fm.Linear(2, 3)(z), seed=1, dtype=dtype)


def one_end(dtype="float32"):
    return fm.Sequential(fm.Linear(WIDTH, 5), fm.Tanh(), fm.Linear(5, 3), seed=1, dtype=dtype)


ROWS_OF_ANY_FORM = {
    "float32": NUMBERS.astype(np.float32),
    "float64": NUMBERS + 0.1,
    "beyond float32": NUMBERS * 1e300,
    **{np.dtype(kind).name: NUMBERS.astype(kind) for kind in "bhilqBHILQ?"},
    "large int64": NUMBERS.astype(np.int64) * (2**58 + 3),
    "one row": NUMBERS[0] + 0.1,
    "one float32 row": NUMBERS[1].astype(np.float32),
    "no rows": NUMBERS[:0] + 0.1,
    "columns apart": np.repeat(NUMBERS + 0.1, 2, 1)[:, ::2],
    "backwards": (NUMBERS + 0.1)[::-1, ::-1],
    "fortran": np.asfortranarray(NUMBERS.astype(np.float32)),
    "broadcast": np.broadcast_to(NUMBERS[0] + 0.1, (3, WIDTH)),
    "misaligned": misaligned(NUMBERS + 0.1),
    "read-only": np.frombuffer((NUMBERS + 0.1).tobytes()).reshape(ROWS, WIDTH),
    "three dimensions": (NUMBERS.astype(np.float32)).reshape(2, 3, WIDTH),
    "list of floats": (NUMBERS[0] + 0.1).tolist(),
    "tuple of ints": (3, -1, 0, 2**53),
    "ints and floats": [3, -1.5, np.float64(0.1), 0],
    "list of lists": (NUMBERS + 0.1).tolist(),
    "list of tuples": [tuple(row) for row in NUMBERS.tolist()],
    "list of arrays": list(NUMBERS + 0.1),
    "tuple of float32 arrays": tuple(NUMBERS.astype(np.float32)),
    "list of int arrays": list(NUMBERS.astype(np.int32)),
}
OTHER_FORMS = {
    "float16": NUMBERS.astype(np.float16),
    "longdouble": NUMBERS.astype(np.longdouble),
    "byte-swapped": NUMBERS.astype(">f4"),
    "subclass": np.ma.array(NUMBERS),
    "large ints": [2**60, 2**53 + 1, -(2**62), 1],
    "arrays of two types": [NUMBERS[0], NUMBERS[1].astype(np.int64)],
    "float32 scalars": list(NUMBERS[0].astype(np.float32)),
    "bools": [True, False, True, True],
    "five dimensions": NUMBERS.reshape(1, 2, 1, 3, WIDTH),
}
WRONG = {
    "empty list": [],
    "short list": [1.0, 2.0],
    "ragged": [[1.0] * WIDTH, [1.0]],
    "text in a list": [1.0, "a", 2.0, 3.0],
    "complex": NUMBERS + 1j,
    "object": NUMBERS.astype(object),
    "columns": NUMBERS[:, :2],
    "short row": NUMBERS[0, :2],
    "scalar": 1.0,
    "list of short arrays": [NUMBERS[0], NUMBERS[0, :2]],
    "huge int": [1.0, 2.0, 3.0, 10**400],
    "dict": {"x": NUMBERS, "y": NUMBERS},
    "None": None,
}
NETS = {"Sequential": one_end, "two outputs": two_heads}


def parts(y):
    """The bytes, types and shapes of an output, or of several."""
    named = y if isinstance(y, dict) else {"": y}
    return {name: (a.tobytes(), a.dtype, a.shape, type(a)) for name, a in named.items()}


def taken_at_once(net, monkeypatch):
    """Makes a call of the validation fail."""

    def refuse(*arguments):
        raise AssertionError("validated in Python")

    monkeypatch.setattr(type(net), "_predict_checked", refuse)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", NETS.values(), ids=NETS)
@pytest.mark.parametrize("form", ROWS_OF_ANY_FORM)
def test_predict_of_common_forms(form, make, dtype, monkeypatch):
    net, x = make(dtype), ROWS_OF_ANY_FORM[form]
    expected = parts(net._predict_checked(x, None))
    taken_at_once(net, monkeypatch)
    assert parts(net.predict(x)) == expected


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_predict_of_other_forms(form):
    net = one_end("float64")
    x = OTHER_FORMS[form]
    assert parts(net.predict(x)) == parts(net._predict_checked(x, None))


@pytest.mark.parametrize("make", NETS.values(), ids=NETS)
@pytest.mark.parametrize("form", WRONG)
def test_errors_are_those_of_the_validation(form, make):
    net = make()
    with pytest.raises(fm.FastMLPError) as expected:
        net._predict_checked(WRONG[form], None)
    with pytest.raises(type(expected.value)) as found:
        net.predict(WRONG[form])
    assert str(found.value) == str(expected.value)


def test_a_wrong_row_number_of_a_table_is_named():
    net = fm.Sequential(fm.Embedding(3, 2), in_features=1)
    trainer = fm.Trainer(net, fm.MSELoss(), fm.SGD(0.1))
    wrong = np.array([[1], [3], [0]], np.float32)
    before = net.params.copy()
    for call in (lambda: net.predict(wrong), lambda: trainer.step(wrong, np.zeros((3, 2)))):
        with pytest.raises(fm.ArgumentError, match="x: got 3 at row 1, column 0"):
            call()
    assert (net.params == before).all()


@pytest.mark.parametrize("form", ["float64", "one row", "list of arrays"])
def test_output_of_common_forms(form, monkeypatch):
    net, x = one_end(), ROWS_OF_ANY_FORM[form]
    expected = net._predict_checked(x, None)
    taken_at_once(net, monkeypatch)
    out = np.empty_like(expected)
    assert net.predict(x, out=out) is out
    assert out.tobytes() == expected.tobytes()


def test_output_that_overlaps_the_input():
    net = fm.Sequential(fm.Linear(WIDTH, WIDTH), seed=0)
    x = NUMBERS.astype(np.float32)
    with pytest.raises(fm.ArgumentError, match="overlaps"):
        net.predict(x, out=x)


INPUTS = {
    "dict": lambda x, z: {"z": z, "x": x},
    "list": lambda x, z: [x, z],
    "tuple of lists": lambda x, z: (x.tolist(), z.tolist()),
}


@pytest.mark.parametrize("rows", [slice(None), 0], ids=["rows", "one row"])
@pytest.mark.parametrize("form", INPUTS)
def test_several_inputs(form, rows, monkeypatch):
    net = two_inputs()
    x = INPUTS[form](NUMBERS[rows] + 0.1, NUMBERS[rows, :2].astype(np.float32))
    expected = parts(net._predict_checked(x, None))
    taken_at_once(net, monkeypatch)
    assert parts(net.predict(x)) == expected


def test_inputs_of_different_numbers_of_rows():
    with pytest.raises(fm.ArgumentError, match="the same number of rows"):
        two_inputs().predict([NUMBERS, NUMBERS[:2, :2]])


# ---- steps ----

X = NUMBERS + 0.1
Y = NUMBERS[:, :3] / 3
LABELS = np.array([0, 2, 1, 1, 0, 2])
WEIGHT = np.arange(ROWS) / 4.0
CLASSES, REAL = fm.CrossEntropyLoss, fm.MSELoss
FIELDS = {"action": LABELS, "target": WEIGHT}
POLICY = {"action": LABELS % 2, "log_prob": -WEIGHT, "advantage": X[:, 0], "return": WEIGHT}
OF_ODD_TYPES = {"target": WEIGHT.tolist(), "action": LABELS.astype(np.int8)[:, None]}


def ppo():
    return fm.PPOLoss(value_coef=0.5, entropy_coef=0.01)


STEPS = {
    "fields": (fm.DQNLoss, X, FIELDS, None),
    "fields of other types": (fm.DQNLoss, X, OF_ODD_TYPES, WEIGHT),
    "fields side by side": (fm.DQNLoss, X, np.stack([LABELS, WEIGHT], 1), None),
    "more fields": (ppo, X, POLICY, None),
    "one field": (fm.CriticLoss, X, WEIGHT, None),
    "one named field": (fm.CriticLoss, X, {"target": WEIGHT}, None),
    "float64": (REAL, X, Y, None),
    "float32": (REAL, X.astype(np.float32), Y.astype(np.float32), None),
    "weights": (REAL, X, Y, WEIGHT),
    "weights in a list": (REAL, X, Y, WEIGHT.tolist()),
    "list of arrays": (REAL, list(X), list(Y), WEIGHT.astype(np.float32)),
    "labels": (CLASSES, X, LABELS, None),
    "int32 labels": (CLASSES, X, LABELS.astype(np.int32), WEIGHT),
    "uint8 labels apart": (CLASSES, X, np.repeat(LABELS, 2).astype(np.uint8)[::2], None),
    "list of labels": (CLASSES, X, LABELS.tolist(), None),
}
WRONG_STEPS = {
    "class of a field": (fm.DQNLoss, X, {**FIELDS, "action": LABELS + 1}, None),
    "fraction of a field": (fm.DQNLoss, X, {**FIELDS, "action": LABELS / 2}, None),
    "NaN in a field": (fm.DQNLoss, X, {**FIELDS, "action": LABELS * np.nan}, None),
    "names of fields": (fm.DQNLoss, X, {"action": LABELS, "value": WEIGHT}, None),
    "a field too many": (fm.DQNLoss, X, {**FIELDS, "value": WEIGHT}, None),
    "rows of a field": (fm.DQNLoss, X, {**FIELDS, "target": WEIGHT[:2]}, None),
    "columns of fields": (fm.DQNLoss, X, X, None),
    "label": (CLASSES, X, LABELS + 1, None),
    "huge label": (CLASSES, X, LABELS.astype(np.uint64) - np.uint64(1), None),
    "label of a list": (CLASSES, X, [0, 1, 2, 0, 1, 1.5], None),
    "rows of y": (REAL, X, Y[:2], None),
    "columns of y": (REAL, X, Y[:, :2], None),
    "one row": (REAL, X[0], Y[0], None),
    "no rows": (REAL, X[:0], Y[:0], None),
    "weights": (REAL, X, Y, WEIGHT[:2]),
    "columns of weights": (REAL, X, Y, WEIGHT[:, None]),
}


def trained(loss, step_of):
    """Losses and parameters after some steps with Adam."""
    trainer = fm.Trainer(one_end(), loss(), fm.Adam(lr=0.1))
    losses = [step_of(trainer) for _ in range(3)]
    return losses, trainer.net.params.tobytes()


@pytest.mark.parametrize("name", STEPS)
def test_steps_of_common_forms(name, monkeypatch):
    loss, *arguments = STEPS[name]
    expected = trained(loss, lambda trainer: trainer._step_checked(*arguments))
    monkeypatch.delattr("fastmlp.training.steps.Steps._step_checked")
    assert trained(loss, lambda trainer: trainer.step(*arguments)) == expected


@pytest.mark.parametrize("name", WRONG_STEPS)
def test_errors_of_steps_are_those_of_the_validation(name):
    loss, *arguments = WRONG_STEPS[name]
    trainer = fm.Trainer(one_end(), loss(), fm.Adam(lr=0.1))
    with pytest.raises(fm.FastMLPError) as expected:
        trainer._step_checked(*arguments)
    with pytest.raises(type(expected.value)) as found:
        trainer.step(*arguments)
    assert str(found.value) == str(expected.value)


def test_targets_of_one_column():
    net = fm.Sequential(fm.Linear(WIDTH, 1, init="zeros"))
    trainer = fm.Trainer(net, fm.MSELoss(), fm.SGD(lr=0.0))
    y = NUMBERS[:, 0]
    forms = y, y[:, None], y.tolist(), y.astype(np.float32), y[:, None].tolist()
    (value,) = {trainer.step(X, form) for form in forms}
    assert value == pytest.approx(np.mean(y**2))


@pytest.mark.parametrize("form", [list, lambda y: dict(zip("ab", y, strict=True))])
def test_steps_of_several_outputs(form, monkeypatch):
    def run(step_of):
        losses = {"a": fm.CrossEntropyLoss(), "b": fm.MSELoss()}
        trainer = fm.Trainer(two_heads(), losses, fm.Adam(lr=0.1))
        values = [step_of(trainer)(X, form([LABELS, Y[:, 0]]), WEIGHT) for _ in range(3)]
        return values, trainer.net.params.tobytes()

    expected = run(lambda trainer: trainer._step_checked)
    monkeypatch.delattr("fastmlp.training.steps.Steps._step_checked")
    assert run(lambda trainer: trainer.step) == expected
