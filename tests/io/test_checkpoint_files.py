"""Checkpoint files: states of callbacks come back unchanged, and malformed files are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import fastmlp as fm
from fastmlp.io import ModelFileError, checkpoint

X = np.random.default_rng(1).standard_normal((20, 2))
Y = np.arange(20) % 2
KEY = "fastmlp.fit"

# ---- allowed states ----

NAMES = st.sampled_from(
    ["array", "float", "floats", "tuple", "dict", "a/b", "a", "b", "", "\ud800"]
)
NUMBERS = st.integers() | st.floats(allow_nan=False) | st.booleans()
KEYS = NAMES | st.text() | NUMBERS | st.none() | st.tuples(st.integers(), st.text())
ARRAYS = arrays.arrays(
    st.sampled_from([np.float32, np.float64]),
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0),
)
STATES = st.recursive(
    st.none() | NUMBERS | NAMES | st.text() | ARRAYS,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner) | st.lists(inner).map(tuple),
    max_leaves=12,
)


def same(one, other):
    """Whether two states are equal, including types and bits."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same([*one], [*other]) and same([*one.values()], [*other.values()])
    return repr(one) == repr(other)


@given(state=STATES)
def test_states_come_back_as_they_were(state, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "state.safetensors"
    checkpoint.save(path, fm.Sequential(fm.Linear(1, 1)), {"one": state})
    _, found = checkpoint.read(path)
    assert same(found, {"one": state})


COLLIDING = [
    {"array": "fit/0"},
    {"float": "0x1p+0"},
    {"floats": [1.0]},
    {"dict": [[1, 2]]},
    {"tuple": [1]},
    {"array": {"array": np.zeros(2)}},
    {"a/b": np.zeros(2), "a": {"b": np.ones(3)}},
    {1: "int", "1": "text", 1.5: "float", None: "none", (1, "a"): "tuple"},
    {True: 0},
    {},
    {"a": {}, "b": [], "c": ()},
    (),
    [(1, [2.0, (3.0,)])],
    [float("nan"), float("-inf"), -0.0],
    [1.0, 2],
    np.float64(0.1).item(),
    2**4000,
    np.zeros((0, 3)),
    np.float32([[1, np.nan]]),
]


@pytest.mark.parametrize("state", COLLIDING, ids=repr)
def test_states_that_look_like_the_encoding(state, tmp_path):
    checkpoint.save(tmp_path / "c", fm.Sequential(fm.Linear(1, 1)), {"one": state})
    assert same(checkpoint.read(tmp_path / "c")[1], {"one": state})


def test_numbers_of_numpy_come_back_as_equal_numbers(tmp_path):
    state = [np.float32(0.1), np.float64(0.1), np.float16(2), np.int8(-3), np.uint64(2**63)]
    checkpoint.save(tmp_path / "c", fm.Sequential(fm.Linear(1, 1)), {"one": [*state, np.True_]})
    found = checkpoint.read(tmp_path / "c")[1]["one"]
    assert found == [*state, True]


LOOP = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        object(),
        1j,
        b"bytes",
        np.arange(3),
        np.array(["text"]),
        np.zeros(2, ">f4" if np.little_endian else "<f4"),
        np.zeros((1,) * 9),
        np.ma.zeros(2),
        np.longdouble(1),
        2**9000,
        LOOP,
        {frozenset(): 1},
    ],
    ids=lambda value: type(value).__name__,
)
def test_states_that_cannot_be_restored_are_refused_when_saved(value, tmp_path):
    with pytest.raises(fm.ArgumentTypeError, match=r"state.*: got .*; want None, numbers, text"):
        checkpoint.save(tmp_path / "c", fm.Sequential(fm.Linear(1, 1)), {"one": [value]})
    assert list(tmp_path.iterdir()) == []


def test_a_header_that_could_not_be_read_is_not_written(tmp_path):
    with pytest.raises(fm.ArgumentError, match="want at most"):
        checkpoint.save(tmp_path / "c", fm.Sequential(fm.Linear(1, 1)), {"one": "x" * 2**24})
    assert list(tmp_path.iterdir()) == []


# ---- hostile files ----


class Keeps:
    """A callback that accepts only a dict with its key."""

    def __init__(self):
        self.seen = {"epochs": 0, "best": (0.5, np.zeros(2))}

    def on_epoch_end(self, state):
        self.seen["epochs"] += 1

    def state_dict(self):
        return self.seen

    def load_state_dict(self, state):
        # The first value is kept even if a later one is wrong.
        self.seen["epochs"] = int(state["epochs"])
        best, array = state["best"]
        if (array.dtype, array.shape) != (np.float64, (2,)):
            raise TypeError(array)
        self.seen["best"] = float(best), array


class Fit:
    """A fit that continues from a file, and everything that this could change."""

    def __init__(self, path, epochs=4):
        self.net = fm.Sequential(fm.Linear(2, 2), fm.BatchNorm(2), fm.Dropout(0.5), seed=2)
        self.trainer = fm.Trainer(self.net, fm.CrossEntropyLoss(), fm.Adam(0.1))
        self.schedule = fm.ReduceLROnPlateau(patience=0)
        self.hooks = [fm.EarlyStopping(9), Keeps()]
        self.epochs = epochs
        self.path = path

    def run(self):
        hooks = [*self.hooks, fm.Checkpoint(self.path, resume=True)]
        self.trainer.fit(X, Y, epochs=self.epochs, batch_size=8, validation=0.3, callbacks=hooks,
                         schedule=self.schedule, progress=False)  # fmt: skip

    def all(self):
        parts = [self.trainer, self.schedule, *self.hooks]
        return [self.net.params, self.net.state, *(part.state_dict() for part in parts),
                self.trainer.history.loss]  # fmt: skip


@pytest.fixture(scope="module")
def blob(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "c.safetensors"
    Fit(path, epochs=3).run()
    return path.read_bytes()


def take_apart(blob):
    length = int.from_bytes(blob[:8], "little")
    header = json.loads(blob[8 : 8 + length])
    return header, json.loads(header["__metadata__"][KEY]), blob[8 + length :]


def put_together(header, data, state):
    header["__metadata__"][KEY] = json.dumps(state)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def places(value, path=()):
    """All places in a nested value, including the whole."""
    yield path
    if isinstance(value, (dict, list)):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(one, (*path, key))


REMOVED = object()
MAY_BE_OTHERS = {
    *("callbacks.0._best", "callbacks.1.best.tuple.0", "callbacks.1.epochs", "epochs", "stopped"),
    *(f"schedules.lr.{name}" for name in ("_bad", "_best", "_falls", "_resting")),
    *("trainer.epochs_done", "trainer.step_count", "trainer.t"),
}
WRONG = [REMOVED, None, True, -1, 7, 2**31, 2**63, 10**400, 1.5, "text", "", [], [1], {}, {"a": 1},
         {"float": "nan"}, {"float": "0x1p+9999"}, {"float": 1}, {"array": "fit/99"},
         {"array": "fit/0"}, {"array": []}, {"floats": "fit/0"}, {"floats": "0.W"}, {"tuple": 1},
         {"dict": [[1]]}, {"dict": 3}, {"dict": [[[], 1]]}, {"tuple": []}]  # fmt: skip


def changed(state, path, value):
    """A copy with another value at a place, or without that place."""
    if not path:
        return value
    copy = json.loads(json.dumps(state))
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    if value is REMOVED:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return copy


class Reader:
    """Fits that continue from files, one after the other; a new fit after each accepted file."""

    def __init__(self, folder):
        self.path = folder / "c"
        self._begin()

    def _begin(self):
        self.fit = Fit(self.path)
        self.before = self.fit.all()

    def takes(self, contents):
        """Whether a file is accepted; a refused file must change nothing."""
        self.path.write_bytes(contents)
        try:
            self.fit.run()
        except (ModelFileError, fm.ArgumentError):
            assert same(self.fit.all(), self.before)
            assert len(self.fit.trainer.history) == 0
            return False
        self._begin()
        return True


@pytest.fixture
def reader(tmp_path):
    return Reader(tmp_path)


def test_a_changed_value_in_a_checkpoint_is_refused_and_changes_nothing(blob, reader):
    header, state, data = take_apart(blob)
    taken = {}
    assert reader.takes(put_together(header, data, state))
    unchanged = json.dumps(state)
    for path in places(state):
        for value in WRONG[not path :]:
            other = changed(state, path, value)
            # In Python, True equals 1.
            differs = json.dumps(other) != unchanged
            if differs and reader.takes(put_together(header, data, other)):
                taken.setdefault(".".join(map(str, path)), []).append(value)
    # Numbers that could be right, because nothing else in the file depends on them.
    assert taken.keys() == MAY_BE_OTHERS
    values = [value for values in taken.values() for value in values]
    assert all(type(value) in (int, bool) or value == {"float": "nan"} for value in values)


def test_truncation_is_refused(blob, reader):
    for length in range(0, len(blob), 7):
        assert not reader.takes(blob[:length])


def with_tensor(header, data, name, other):
    """Header and bytes of a file in which one tensor is replaced."""
    found, chunks, position = {"__metadata__": header["__metadata__"]}, [], 0
    for key, entry in header.items():
        if key == "__metadata__":
            continue
        chunk = data[slice(*entry["data_offsets"])]
        if key == name:
            dtype = "F64" if other.dtype == np.float64 else "F32"
            entry, chunk = {"dtype": dtype, "shape": [*other.shape]}, other.tobytes()
        found[key] = {**entry, "data_offsets": [position, position + len(chunk)]}
        chunks.append(chunk)
        position += len(chunk)
    return found, b"".join(chunks)


def test_arrays_of_another_shape_or_dtype_are_refused(blob, reader):
    header, state, data = take_apart(blob)
    names = [name for name in header if name.startswith("fit/")]
    assert len(names) > 8
    for name in names:
        shape, kind = header[name]["shape"], header[name]["dtype"]
        dtype, other = (np.float32, np.float64)[:: 1 if kind == "F32" else -1]
        kept = np.frombuffer(data[slice(*header[name]["data_offsets"])], dtype).reshape(shape)
        assert reader.takes(put_together(*with_tensor(header, data, name, kept), state))
        for wrong in (kept.astype(other), kept[:-1], np.concatenate([kept, kept]), kept[None]):
            contents = put_together(*with_tensor(header, data, name, wrong), state)
            assert not reader.takes(contents), (name, wrong.dtype, wrong.shape)


def longer(holder, key, one):
    return {**holder, key: [*holder[key], one]}


IN_WORDS = {
    "a key twice": (
        lambda s: {**s, "schedule": {"dict": [["_best", 1], ["_best", 2]]}},
        "a key appears twice",
    ),
    "a column more": (
        lambda s: {**s, "history": {**s["history"], "more": []}},
        "history: want exactly loss, val_loss, val_score, lr, seconds",
    ),
    "fewer epochs than were done": (
        lambda s: {**s, "epochs": 2}, "epochs: the file has 3 done of 2"
    ),
    "a callback more": (
        lambda s: longer(s, "callbacks", {}), "callbacks: want the states of 2"
    ),
    "an array more": (
        lambda s: {**s, "trainer": longer(s["trainer"], "slots", 0)},
        "trainer.slots: the file has 3 arrays; want 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_WORDS)
def test_refusals_name_the_fault_of_a_checkpoint(name, blob, tmp_path):
    change, words = IN_WORDS[name]
    header, state, data = take_apart(blob)
    (tmp_path / "c").write_bytes(put_together(header, data, change(state)))
    with pytest.raises((ModelFileError, fm.ArgumentError), match=words):
        Fit(tmp_path / "c").run()
