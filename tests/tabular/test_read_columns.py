"""New rows are read by the rules of training, however they are written; types of data frames."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

import pandas as pd
import pyarrow as pa

from fastmlp.base.errors import ArgumentError
from fastmlp.tabular import TableError, TableReader
from fastmlp.tabular.reading import Frame, frame_of

pytestmark = pytest.mark.usefixtures("in_tmp_path")

DAYS = pd.date_range("2021-01-01", periods=60).strftime("%Y-%m-%d")
TRAIN = pd.DataFrame(
    {
        "x": np.linspace(-2, 2, 60).round(3).astype(str),
        "city": ["Oslo", "Bergen", "Oslo", "Narvik"] * 15,
        "flag": ["True", "False"] * 30,
        "when": DAYS,
    }
)
HEAD = "x,city,flag,when\n"
DAY = 18628.0  # 2021-01-01


@pytest.fixture(scope="module")
def reader() -> TableReader:
    return TableReader().fit(TRAIN)


@pytest.mark.parametrize(
    ("content", "row", "words"),
    [
        (HEAD + "0.5,Oslo,True,2021-01-01\n", [0.5, 0, 1, DAY], ""),
        (HEAD + ",,,\n", [np.nan, -1, -1, np.nan], ""),
        (HEAD + "0.5,Oslo,True,2021-01-01,\n", [0.5, 0, 1, DAY], ""),
        (HEAD + "0.5,Oslo\n", [0.5, 0, -1, np.nan], ""),
        (HEAD + "\n0.5,Oslo,True,2021-01-01\n", [0.5, 0, 1, DAY], ""),
        (HEAD + "0.5, Oslo ,TRUE,2021-01-01\n", [0.5, 0, 1, DAY], ""),
        (HEAD + "0.5,oslo,True,2021-01-01\n", [0.5, -2, 1, DAY], "'oslo') not among the levels"),
        (HEAD + "0.5,Oslo,1,2021-01-01\n", [0.5, 0, 1, DAY], ""),
        (HEAD + "0.5,Oslo,0,2021-01-01\n", [0.5, 0, 0, DAY], ""),
        (HEAD + "0.5,Oslo,no,2021-01-01\n", [0.5, 0, 0, DAY], ""),
        (HEAD + "0.5,Oslo,True,9999-12-31\n", [0.5, 0, 1, np.nan], ""),
        (HEAD + "0.5,Oslo,True,20210101\n", [0.5, 0, 1, DAY], ""),
        (HEAD + "0.5,Oslo,True,31/12/2020\n", [0.5, 0, 1, DAY - 1], ""),
        (HEAD + "0.5,Oslo,True,2021-01-01 12:00:00\n", [0.5, 0, 1, DAY + 0.5], ""),
        (HEAD + "0.5,Oslo,True,2021-01-01T00:00:00+06:00\n", [0.5, 0, 1, DAY - 0.25], ""),
        (HEAD + "1e300,Oslo,True,2021-01-01\n", [1e300, 0, 1, DAY], ""),
        (HEAD + "inf,Oslo,True,2021-01-01\n", [np.nan, 0, 1, DAY], ""),
        (HEAD + "€ 5,Oslo,True,2021-01-01\n", [5, 0, 1, DAY], ""),
        ("x;city;flag;when\n0,5;Oslo;True;2021-01-01\n", [0.5, 0, 1, DAY], ""),
        ("when,flag,city,more,x\n2021-01-01,True,Oslo,?,0.5\n", [0.5, 0, 1, DAY], ""),
        (HEAD + "n/a,Oslo,True,-\n", [np.nan, 0, 1, np.nan], ""),
    ],
)
def test_new_rows(content: str, row: list[float], words: str, reader: TableReader) -> None:
    Path("new.csv").write_text(content, encoding="utf-8")
    read = reader.read("new.csv")
    levels = {"city": ["Oslo", "Bergen", "Narvik"], "flag": ["False", "True"]}
    assert {r.name: list(r.levels) for r in reader.rules if r.levels} == levels
    found = [c.values if c.values is not None else c.codes for c in read.columns]
    np.testing.assert_allclose([values[0] for values in found], row, rtol=1e-12)
    assert words in "".join(read.notes.values())
    assert bool(words) == bool(read.notes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (HEAD + "0.5,Oslo,True,01/02/2021\n", "'when' must be dates, got '01/02/2021'"),
        (HEAD + "large,Oslo,True,2021-01-01\n", "'x' must be numeric, got 'large'"),
        (HEAD + '"1,234",Oslo,True,2021-01-01\n', "'x' must be numeric, got '1,234'"),
        ("X,City,flag,when\n1,Oslo,True,\n", "2 columns are missing: 'x', 'city' (there is 'X'"),
        ("x,x,city,flag,when\n1,2,Oslo,True,\n", "two columns named 'x'"),
        (HEAD, "new.csv has no rows"),
    ],
)
def test_new_rows_that_are_refused(content: str, words: str, reader: TableReader) -> None:
    Path("new.csv").write_text(content)
    with pytest.raises((ArgumentError, TableError)) as raised:
        reader.read("new.csv")
    assert words in str(raised.value)


def test_what_is_not_understood_is_noted(reader: TableReader) -> None:
    new = pd.concat([TRAIN, TRAIN])
    new.iloc[:3, 0], new.iloc[3, 3] = "many", "soon"
    notes = reader.notes(new)
    assert notes == [
        "column 'x': 3 values (such as 'many') not numeric: taken as missing",
        "column 'when': 1 value (such as 'soon') not dates: taken as missing",
    ]


ROWS = 40
BASE = dt.datetime(2024, 1, 1)
TYPES: dict[str, tuple[Any, str, Any]] = {
    "lists": ([[1, 2]] * ROWS, "holds lists", None),
    "structs": ([{"a": 1}] * ROWS, "holds structs", None),
    "lists beside text": ([[1], "a"] * (ROWS // 2), "holds lists, dicts or the like", None),
    "complex numbers": ([1j] * ROWS, "holds complex numbers", None),
    "nothing": ([None] * ROWS, "all missing", None),
    "bytes": ([b"b", b"a"] * (ROWS // 2), "categorical", 1),
    "decimals": ([decimal.Decimal(i) / 4 for i in range(ROWS)], "numeric", 0),
    "dates": ([(BASE + dt.timedelta(i)).date() for i in range(ROWS)], "date", 19723),
    "times": ([dt.time(i % 24, 30) for i in range(ROWS)], "numeric", 0.5),
    "durations": (pd.to_timedelta(np.arange(ROWS) + 1, unit="min"), "numeric", 1 / 60),
    "time zones": (pd.date_range(BASE, periods=ROWS, tz="Europe/Oslo"), "date", 19723 - 1 / 24),
    "far dates": ([dt.datetime(9999, 12, 31), *[BASE, BASE + dt.timedelta(1)] * 20][:ROWS],
                  "date", np.nan),
    "periods": (pd.period_range("2024-01", periods=ROWS, freq="M"), "date", 19723),
    "intervals": (pd.cut(np.arange(ROWS), 4), "categorical", 0),
    "categories": (pd.Categorical([3, 1] * (ROWS // 2)), "categorical", 1),
    "nullable whole numbers": (pd.array([None, *range(1, ROWS)], "Int64"), "numeric", np.nan),
    "truth values": ([True, None] * (ROWS // 2), "categorical", 0),
    "half precision": (np.arange(ROWS, dtype=np.float16), "numeric", 0),
    "large identifiers": (2**63 + np.arange(ROWS, dtype=np.uint64), "identifier", None),
    "large identifiers, few": (2**63 + np.arange(ROWS, dtype=np.uint64) // 20, "categorical", 0),
    "dates in digits": ([20240101 + i % 28 for i in range(ROWS)], "date", 19723),
    "text and numbers": (["a", 1, 2.0, None] * (ROWS // 4), "categorical", 2),
    "texts that are numbers": ([f" {i} " for i in range(ROWS)], "numeric", 0),
    "infinite numbers": ([np.inf, *range(1, ROWS)], "numeric", np.nan),
    "very large whole numbers": ([10**30 + i for i in range(ROWS)], "identifier", None),
    "sparse numbers": (pd.arrays.SparseArray([0.0, 1.0] * (ROWS // 2)), "numeric", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_types_of_data_frames(name: str) -> None:
    values, kind, first = TYPES[name]
    table = pd.DataFrame({"x": np.arange(ROWS) / 4, "odd": values})
    reader = TableReader().fit(table)
    if first is None:
        assert reader.left_out == {"odd": kind}
        return
    assert [rule.kind for rule in reader.rules] == ["numeric", kind]
    column = reader.read(table)["odd"]
    found = column.values if column.values is not None else column.codes
    np.testing.assert_allclose(found[0], first, rtol=1e-6)


def test_tables_of_other_libraries() -> None:
    polars = pytest.importorskip("polars")

    columns = {"size": [1.5, None, 2.5], "city": ["a", None, "b"], "c": ["u", "v", "u"]}
    expected = TableReader().fit(columns).read(columns)
    for table in (
        pd.DataFrame(columns),
        pa.table(columns),
        polars.DataFrame(columns),
        polars.DataFrame(columns).with_columns(polars.col("c").cast(polars.Categorical)),
        polars.LazyFrame(columns),
    ):
        read = TableReader().fit(table).read(table)
        for one, other in zip(read.columns, expected.columns, strict=True):
            assert one.kind == other.kind
            np.testing.assert_array_equal(one.values, other.values)
            np.testing.assert_array_equal(one.codes, other.codes)


def test_runs_of_values_are_read() -> None:
    runs = pa.RunEndEncodedArray.from_arrays([2, 3], [1.5, 2.5])
    read = TableReader().fit_read(pa.table({"x": runs}))
    np.testing.assert_array_equal(read["x"].values, [1.5, 1.5, 2.5])


def test_many_constant_columns_are_one_short_line() -> None:
    table = {f"c{i}": [1, 1] for i in range(1500)} | {"x": [1, 2]}
    reader = TableReader().fit(table)
    assert reader.left_out_line().endswith(" and 1,494 more (constant)")
    assert len(reader.left_out_line()) < 100


def test_a_description_gives_the_same_reader(reader: TableReader) -> None:
    again = TableReader.from_description(json.loads(json.dumps(reader.describe())))
    assert again.rules == reader.rules
    assert again.describe() == reader.describe()


def changed(reader: TableReader, path: list[Any], value: Any) -> Any:
    description = copy.deepcopy(reader.describe())
    place = description
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return description


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["rules"], []),
        (["rules"], {}),
        (["rules", 0], None),
        (["rules", 0, "kind"], "pickle"),
        (["rules", 0, "kind"], ["numeric"]),
        (["rules", 0, "name"], 3),
        (["rules", 0, "name"], "\ud800"),
        (["rules", 0, "name"], "city"),
        (["rules", 0, "more"], 1),
        (["rules", 0, "levels"], ["a"]),
        (["rules", 0, "style"], {}),
        (["rules", 0, "style", "decimal"], ";"),
        (["rules", 0, "style", "thousands"], "."),
        (["rules", 0, "style", "unit"], None),
        (["rules", 0, "form"], "(a+)+"),
        (["rules", 0, "missing"], "x"),
        (["rules", 1, "levels"], []),
        (["rules", 1, "levels"], ["a", "a"]),
        (["rules", 1, "levels"], ["a", 1]),
        (["left_out"], []),
        (["left_out"], {"x": "constant"}),
        (["left_out"], {"more": 3}),
        (["missing"], None),
        (["decimal"], "x"),
        (["thousands"], 3),
    ],
)
def test_hostile_descriptions(path: list[Any], value: Any, reader: TableReader) -> None:
    with pytest.raises(ArgumentError):
        TableReader.from_description(changed(reader, path, value))


def test_frames_keep_what_they_are_given() -> None:
    frame = frame_of({"a": [1, 2, 3], "b": ["x", None, "z"]})
    assert len(frame) == 3
    taken = frame.take(np.array([2, 0])).drop(["b"])
    assert taken.names == ["a"]
    assert taken.column("a").to_pylist() == [3, 1]
    assert frame.take(np.array([True, False, True])).column("b").to_pylist() == ["x", "z"]


def test_some_rows_are_read_as_if_there_were_no_others() -> None:
    """Columns are parsed as a whole; what other rows hold must not show."""
    rng = np.random.default_rng(0)
    n = 400
    size = [f"{value:.2f}" for value in rng.normal(size=n)]
    colour = rng.choice(["red ", "blue", " red", ""], n)
    cells = [
        [size[i] if i else "none", size[i], i % 7 or "", colour[i], f"20{i % 9}0-0{1 + i % 5}-11",
         f"key{i}", "0.5" if i % 3 else "", "007" if i == 1 else i]
        for i in range(n)
    ]  # fmt: skip
    lines = [",".join(map(str, row)) for row in cells]
    Path("t.csv").write_text("a,b,c,d,e,f,g,h\n" + "\n".join(lines))
    frame = frame_of("t.csv")
    for rows in (rng.permutation(n)[:300], np.arange(2, n), np.arange(n) % 2 == 0):
        some = frame.take(rows)
        alone = Frame(pa.Table.from_pylist(some.table.to_pylist()).take(some.rows))
        readers = TableReader(), TableReader()
        read, expected = readers[0].fit_read(some), readers[1].fit_read(alone)
        assert readers[0].describe() == readers[1].describe()
        again = readers[0].read(frame.take(rows))
        for one, two, three in zip(read.columns, expected.columns, again.columns, strict=True):
            for field in ("values", "codes", "texts"):
                np.testing.assert_array_equal(getattr(one, field), getattr(two, field))
                np.testing.assert_array_equal(getattr(one, field), getattr(three, field))
    few = frame.take(np.arange(50)).take(np.array([4, 2]))
    assert few.column("f").to_pylist() == ["key4", "key2"]
