"""Arrow datasets as rows of a fit: files, folders, formats, columns, faults."""

from __future__ import annotations

import os

import numpy as np
import pytest

import fastmlp as fm

pa = pytest.importorskip("pyarrow")
from pyarrow import dataset, feather, parquet  # noqa: E402

ROWS, FILES = 120, 3
RNG = np.random.default_rng(0)
X = RNG.standard_normal((FILES * ROWS, 3)).astype(np.float32)
Y = np.arange(FILES * ROWS) % 2


def table(begin, end):
    columns = {name: X[begin:end, k] for k, name in enumerate("abc")}
    return pa.table({**columns, "y": Y[begin:end], "w": np.ones(end - begin, np.float32)})


WRITERS = {
    "parquet": lambda one, path: parquet.write_table(one, path, row_group_size=50),
    "feather": lambda one, path: feather.write_feather(one, str(path)),
    "csv": lambda one, path: __import__("pyarrow.csv").csv.write_csv(one, path),
}


@pytest.fixture(params=list(WRITERS))
def folder(request, tmp_path):
    write(tmp_path, request.param)
    return tmp_path


def write(path, kind="parquet"):
    for k in range(FILES):
        WRITERS[kind](table(k * ROWS, (k + 1) * ROWS), path / f"{k}.{kind}")


def fit(source, y=None, **options):
    net = fm.Sequential(fm.Linear(3, 8), fm.Tanh(), fm.Linear(8, 2), seed=0)
    options = {"epochs": 2, "batch_size": 32, "progress": False, **options}
    history = fm.fit(net, source, y, loss=fm.CrossEntropyLoss(), **options)
    return net.params.tobytes(), history.loss, history.val_loss


def test_files_give_the_bits_of_their_rows(folder):
    source = fm.data.arrow(folder, list("abc"), targets="y")
    assert fit(source, shuffle=False) == fit(X, Y, shuffle=False)
    # CSV files do not tell their rows, so they are always permuted.
    assert (fit(source) == fit(X, Y)) == (source.rows is not None)
    paths = sorted(folder.iterdir())
    some = fm.data.arrow([paths[2], str(paths[0])], list("abc"), "y", sample_weight="w")
    rows = np.r_[2 * ROWS : 3 * ROWS, 0:ROWS]
    expected = fit(X[rows], Y[rows], sample_weight=np.ones(2 * ROWS), shuffle=False)
    assert fit(some, shuffle=False) == expected


def test_datasets_columns_and_fractions(tmp_path):
    write(tmp_path)
    whole = dataset.dataset(tmp_path)
    source = fm.data.arrow(whole, targets="y", sample_weight="w")
    assert source.rows == FILES * ROWS
    expected = fit(X, Y, sample_weight=np.ones(len(X)), validation=0.2)
    assert fit(source, validation=0.2) == expected
    in_memory = fm.data.arrow(dataset.dataset(table(0, FILES * ROWS)), ["a", "b", "c"], "y")
    assert fit(in_memory) == fit(X, Y)


def test_row_groups_are_permuted(tmp_path):
    write(tmp_path)
    seen = []

    def loss(scores, y):
        seen.append(y[:, 0].copy())
        return 0.0, np.zeros_like(scores)

    net = fm.Sequential(fm.Linear(2, 1), seed=0)
    source = fm.data.arrow(tmp_path, ["b", "c"], ["a"], window=64)
    fm.fit(net, source, loss=loss, epochs=2, progress=False)
    first, second = np.concatenate(seen).reshape(2, -1)
    assert sorted(first) == sorted(second) == sorted(X[:, 0])
    window = np.flatnonzero(np.isin(X[:, 0], first[:64]))
    assert window.tolist() != list(range(64))


def test_lists_of_fixed_size_inputs_by_name_and_types():
    values = pa.FixedSizeListArray.from_arrays(pa.array(X[:, :2].ravel()), 2)
    columns = {"v": values, "c": X[:, 2].astype(np.float64), "i": np.arange(len(X), dtype=np.int16),
               "t": Y.astype(bool)}  # fmt: skip
    source = fm.data.arrow(dataset.dataset(pa.table(columns)), ["v", "c"], "t")
    assert fit(source) == fit(X, Y)
    by_name = fm.data.arrow(dataset.dataset(pa.table(columns)), {"a": ["v"], "b": ["c", "i"]},
                            {"p": "t", "q": ["c"]})  # fmt: skip
    a, b = fm.Input(2, name="a"), fm.Input(2, name="b")
    h = fm.Concat()(a, b)
    net = fm.Graph([a, b], {"p": fm.Linear(4, 2)(h), "q": fm.Linear(4, 1)(h)}, seed=0)
    loss = {"p": fm.CrossEntropyLoss(), "q": fm.MSELoss()}
    assert len(fm.fit(net, by_name, loss=loss, epochs=1)) == 1


BAD = [
    ({"a": [1.0], "y": ["one"]}, {}, "column 'y': got string; want numbers"),
    ({"a": [1.0], "y": [1]}, {"inputs": ["b"]}, "inputs: got 'b', which is not there; want some"),
    ({"a": [1.0], "y": [1]}, {"inputs": []}, "inputs: got no columns"),
    ({"a": [1.0], "y": [1]}, {"targets": None}, "targets: got None; want"),
    ({"a": [], "y": []}, {}, "got 0 rows"),
]


@pytest.mark.parametrize(("columns", "options", "match"), BAD, ids=[one[2][:25] for one in BAD])
def test_columns_that_do_not_fit(columns, options, match):
    rows = pa.table({name: pa.array(one, None if one else pa.float32())
                     for name, one in columns.items()})  # fmt: skip
    with pytest.raises((fm.ArgumentError, fm.ArgumentTypeError), match=match):
        fm.data.arrow(dataset.dataset(rows), **{"targets": "y", **options})


def test_missing_values_and_files(tmp_path):
    gaps = pa.table({"a": [1.0, None], "b": [1.0, 2.0], "c": [0.0, 0.0], "y": [0, 1]})
    with pytest.raises(fm.ArgumentError, match=r"block 1 .*column 'a': got 1 missing values in 2"):
        fit(fm.data.arrow(dataset.dataset(gaps), targets="y"))
    for path, match in ((tmp_path / "no", "does not exist"), (tmp_path, "no ending among")):
        with pytest.raises(fm.ArgumentError, match=match):
            fm.data.arrow(path, targets="y")
    with pytest.raises(fm.ArgumentTypeError, match=r"fm\.data\.arrow\(dataset"):
        fm.fit(fm.Sequential(fm.Linear(3, 1)), dataset.dataset(gaps), loss=fm.MSELoss())


class AfterFirst:
    def __init__(self, change):
        self.change = change

    def on_epoch_end(self, state):
        if state.epoch == 0:
            self.change()


def test_files_that_change_or_are_damaged(tmp_path):
    write(tmp_path)
    path = tmp_path / "1.parquet"
    whole = path.read_bytes()
    changes = {
        "bytes, and had": lambda: os.truncate(path, len(whole) // 2),
        "has been written to": lambda: os.utime(path, ns=(0, 0)),
        "is gone": path.unlink,
    }
    expected = fit(X, Y, epochs=1)
    for match, change in changes.items():
        path.write_bytes(whole)
        source = fm.data.arrow(tmp_path, list("abc"), "y")
        with pytest.raises(fm.ArgumentError, match=rf"x: the file .*1\.parquet .*{match}") as info:
            fit(source, callbacks=[AfterFirst(change)])
        assert info.value.history.loss == expected[1]
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(fm.ArgumentError, match=r"cannot be read"):
        fm.data.arrow(tmp_path, list("abc"), "y")
    # The pages are damaged, and the footer is whole.
    path.write_bytes(whole[:100] + bytes(200) + whole[300:])
    with pytest.raises(fm.ArgumentError, match=r"x: the file .*1\.parquet cannot be read"):
        fit(fm.data.arrow(tmp_path, list("abc"), "y"))
