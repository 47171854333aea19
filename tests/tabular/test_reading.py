"""Tables from files, frames and dicts: how they are read, how often, and what is refused."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

import pandas as pd
from tests.houses import houses, write

from fastmlp.base.errors import ArgumentError, ArgumentTypeError, MissingPackageError
from fastmlp.tabular import TableReader
from fastmlp.tabular.reading import Frame, ReadOptions, TableError, frame_of

pytestmark = pytest.mark.usefixtures("in_tmp_path")


def assert_holds(found: Frame, expected: pd.DataFrame) -> None:
    """The values of a frame are those of a data frame; text files hold text."""
    assert found.names == list(expected)
    for name in found.names:
        column = pd.Series(found.column(name).to_pylist(), name=name)
        wanted = expected[name]
        if pd.api.types.is_numeric_dtype(wanted):
            column = pd.to_numeric(column)
        pd.testing.assert_series_equal(column, wanted, check_dtype=False, check_index_type=False)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are opened."""
    names: list[str] = []
    usual = builtins.open

    def counting(file: Any, *args: Any, **more: Any) -> Any:
        names.append(os.path.basename(str(file)))
        return usual(file, *args, **more)

    monkeypatch.setattr(builtins, "open", counting)
    return names


@pytest.mark.parametrize("name", ["houses.csv", "houses.csv.gz", "houses.tsv", "houses.TSV.GZ"])
def test_a_file_of_each_kind_is_opened_once(name: str, opened: list[str]) -> None:
    expected = houses()
    separator = "\t" if "tsv" in name.lower() else ","
    compression = "gzip" if name.lower().endswith("gz") else None
    expected.to_csv(name, index=False, sep=separator, compression=compression)
    opened.clear()
    assert_holds(frame_of(name), expected)
    assert opened.count(name) == 1


def test_parquet_gives_what_csv_gives() -> None:
    houses().to_parquet("p.parquet")
    write("c.csv", houses())
    for name in ("p.parquet", "c.csv"):
        assert_holds(frame_of(name), houses())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_can_be_read() -> None:
    # More than a pipe holds, and a name with a line break.
    expected = pd.DataFrame({'a "size"\nin m': np.arange(50_000), "b,": "x"})
    os.mkfifo("pipe.csv")
    text = expected.to_csv(index=False)
    writer = threading.Thread(target=lambda: Path("pipe.csv").write_text(text, newline=""))
    writer.start()
    found = frame_of("pipe.csv")
    writer.join()
    assert_holds(found, expected)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_other_separators_in_a_csv(separator: str, start: str) -> None:
    expected = houses()[["size", "grade"]]
    text = start + expected.to_csv(index=False, sep=separator)
    Path("h.csv").write_text(text, encoding="utf-8")
    assert_holds(frame_of("h.csv"), expected)


def test_blanks_around_names_and_more_ways_to_be_missing() -> None:
    Path("t.csv").write_text(" a , b\n1, ?\n2, x\n")
    read = TableReader().fit("t.csv", ReadOptions(kinds={"b": "categorical"})).read("t.csv")
    assert read["a"].values.tolist() == [1, 2]
    assert read["b"].codes.tolist() == [-1, 0]


def test_frames_and_dicts_are_taken_as_they_are() -> None:
    columns = {" size": [1.0, 2.0], 3: ["a", None]}
    frame = pd.DataFrame(columns, index=[5, 5])
    for table in (columns, frame):
        found = frame_of(table)
        assert found.names == ["size", "3"]
        assert found.column("size").to_pylist() == [1.0, 2.0]
    assert list(frame) == [" size", 3]


@pytest.mark.parametrize("table", [None, 3, np.zeros((3, 2)), [[1, 2]]])
def test_unfit_tables_are_refused(table: object) -> None:
    with pytest.raises(ArgumentTypeError, match="want a data frame, a dict of columns"):
        frame_of(table)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"a": [1, 2], "b": [1]}, "the columns do not make a table"),
        ({"a": [1], "b": 2}, "the column 'b' is 2; want an array with one value for each row"),
        ({"a": "x"}, "the column 'a' is 'x'; want an array"),
        ({"a": []}, "the table has no rows"),
        ({"a": [1], "a ": [2]}, "two columns named 'a'"),
    ],
)
def test_dicts_that_make_no_table(table: object, words: str) -> None:
    with pytest.raises(TableError, match=words):
        frame_of(table)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", b"", "empty.csv is empty"),
        ("blank.csv", b"\n \n", "blank.csv is empty"),
        ("names.csv", b"a,b\n", "names.csv has no rows"),
        ("binary.csv", b"\xff\xfe\x00a,b\n\x00\xd8", "binary.csv is not utf-16-le"),
        (
            "ragged.csv",
            b"a,b\n1,2\n3,4,5\n",
            "ragged.csv has 3 values in row 2 below the names, but 2",
        ),
        ("shifted.csv", b"a,b\n1,2,3\n3,4,5\n", "more values in a row than names"),
        ("table.doc", b"a,b\n1,2\n", "table.doc is no table: want a file whose name ends in .csv"),
        ("cut.csv.gz", b"\x1f\x8b\x08\x00\x00", "cut.csv.gz cannot be read as csv"),
        ("plain.csv.gz", b"a,b\n1,2\n", "plain.csv.gz cannot be read as csv"),
        ("twice.csv", b"a,b, a\n1,2,3\n", "twice.csv has two columns named 'a'"),
    ],
)
def test_files_that_are_no_tables(name: str, content: bytes, words: str) -> None:
    Path(name).write_bytes(content)
    with pytest.raises(TableError, match=words):
        frame_of(name)


def test_a_corrupt_parquet_file_is_refused() -> None:
    Path("binary.parquet").write_bytes(b"PAR1\0\0\0\0PAR1")
    with pytest.raises(TableError, match=r"binary\.parquet cannot be read as parquet"):
        frame_of("binary.parquet")


def test_without_pyarrow_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r'pip install "fastmlp\[tabular\]"'):
        frame_of({"a": [1]})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sep": "::"}, "sep: got '::'; want one character"),
        ({"encoding": "klingon"}, "encoding: got 'klingon'; want the name of an encoding"),
        ({"decimal": ";"}, "decimal: got ';'; want one of ., ,"),
        ({"decimal": ",", "thousands": ","}, "thousands: got ','"),
        ({"skip_rows": -1}, "skip_rows: got -1"),
        ({"kinds": {"x": "number"}}, "kinds: got 'number'; want one of numeric, date"),
        ({"kinds": {"x": "numeric:dmy"}}, "kinds: got 'numeric:dmy'"),
        ({"drop": "note"}, "drop: got 'note'; want a tuple of texts"),
        ({"missing": (3,)}, "missing: got (3,); want a tuple of texts"),
        ({"drop": 3}, "drop: got 3; want a tuple of texts"),
        ({"kinds": "numeric"}, "kinds: got 'numeric'; want a mapping"),
        ({"sep": 5}, "sep: got 5; want one character"),
    ],
)
def test_options_that_do_not_suit(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ArgumentError, ArgumentTypeError)) as raised:
        ReadOptions(**options)
    assert words in str(raised.value)


def test_names_in_options_are_found_however_they_are_written() -> None:
    options = ReadOptions(drop=(" cafe\u0301",), kinds={"e\u0301t\u00e9 ": "categorical"})
    reader = TableReader().fit({"caf\u00e9": [1, 2], "\u00e9t\u00e9": [1, 2]}, options)
    assert [(rule.name, rule.kind) for rule in reader.rules] == [("\u00e9t\u00e9", "categorical")]


def test_system_errors_are_not_changed() -> None:
    Path("folder.csv").mkdir()
    with pytest.raises(FileNotFoundError):
        frame_of("missing.csv")
    with pytest.raises(IsADirectoryError):
        frame_of("folder.csv")


def test_a_text_file_is_read_without_pandas() -> None:
    # Importing it takes longer than reading a small table.
    days = pd.date_range("2024-01-01", periods=300).strftime("%d/%m/%Y")
    houses().assign(when=days, euro="€ 5,50", gap="-").to_csv("t.csv", sep=";", decimal=",")
    code = (
        "import sys; from fastmlp.tabular import TableReader; "
        "TableReader().fit_read('t.csv'); sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_values_longer_than_a_block_are_read() -> None:
    text = "word " * 300_000
    Path("t.csv").write_text("note,size\n" + f'"{text}",1.5\nshort,2.5\n' * 3)
    frame = frame_of("t.csv")
    assert len(frame) == 6
    assert frame.column("note")[0].as_py() == text
