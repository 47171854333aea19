"""Tables that are read in pieces: the same encoders as in memory, and clear errors."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("tests.table_cases")  # skips where pyarrow is missing

import pyarrow as pa
from pyarrow import csv, parquet
from tests.table_cases import CASES

from fastmlp.base.errors import ArgumentError
from fastmlp.tabular import Reporter, TableError, TableReader, TabM, load, load_table, train
from fastmlp.tabular.models import MODELS
from fastmlp.tabular.reading import ReadOptions, frame_of
from fastmlp.tabular.streaming.memory import checked_memory, needed_memory
from fastmlp.tabular.streaming.parquet_files import ParquetFiles
from fastmlp.tabular.streaming.sketch import Sketch
from fastmlp.tabular.streaming.survey import TEST, VALIDATION, Roles, survey
from fastmlp.tabular.streaming.table import open_table
from fastmlp.tabular.streaming.targets import TargetReader
from fastmlp.tabular.streaming.text_files import TextFiles

pytestmark = pytest.mark.usefixtures("in_tmp_path")

SMALL = 1 << 11  # bytes of a block: several in each table
LARGER = 1 << 15
QUICK = TabM(members=2, hidden=(16,), bins=4, embedding=2, epochs=2)


def surveyed(files: Any, target: str, options: ReadOptions | None = None, **lots: float) -> Any:
    """What one pass over files finds."""
    table = load_like(files, target, options or ReadOptions())
    reader = TableReader().fit(table[0], (options or ReadOptions()).among(table[0].names))
    roles = Roles(lots.get("validation", 0.0), lots.get("test", 0.0), 0)
    return survey(files, reader, table[1], roles, 10**9, lambda *_: None)


def load_like(files: Any, target: str, options: ReadOptions) -> tuple[Any, TargetReader]:
    from fastmlp.tabular.table import hints_of

    sample = files.sample(1 << 20)
    reader = TargetReader(sample, target, None, hints_of(options, sample))
    frame = sample.drop([target, *options.drop, *options.keep])
    return frame.take(reader.sample_rows), reader


@pytest.mark.parametrize("name", CASES)
def test_one_pass_learns_the_encoders_of_a_table_in_memory(name: str) -> None:
    case = CASES[name]
    content = case.content.encode() if isinstance(case.content, str) else case.content
    path = Path(f"case{case.suffix}")
    if case.suffix not in (".csv", ".tsv", ".txt", ".data", ".csv.gz"):
        pytest.skip("not read in pieces")
    path.write_bytes(content)
    names = frame_of(path, case.options).names
    target = next((n for n in ("kind", "price", "rooms", "column3") if n in names), names[-1])
    whole = load_table(path, target, options=case.options)
    read = TableReader()
    columns = read.fit_read(whole.frame, whole.options.among(whole.frame.names))
    found = surveyed(TextFiles([path], case.options, SMALL), target, case.options)
    assert found.reader.describe() == read.describe()
    assert found.rows == len(whole.y)
    for model in MODELS.values():
        expected = model().encoder().fit(columns).describe()
        assert found.encoder(model().encoder()).describe() == expected


def mixed(rows: int = 3000) -> pa.Table:
    """Numbers, gaps, levels, dates and text, and a target that follows from them."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, rows))
    city = rng.choice(["Ghent", "Ypres", "Bruges"], rows)
    y = a - b + (city == "Ghent")
    return pa.table(
        {
            "a": a,
            "b": pa.array(np.where(rng.random(rows) < 0.1, np.nan, b), from_pandas=True),
            "city": city,
            "day": pa.array(rng.integers(10_000, 20_000, rows).astype(np.int32)).cast(pa.date32()),
            "words": [f"the {c} of number {i % 97}" for i, c in enumerate(city)],
            "y": y,
        }
    )


def test_parquet_and_text_give_the_encoders_of_memory() -> None:
    table = mixed()
    Path("rows").mkdir()
    for part in range(3):
        parquet.write_table(table.slice(1000 * part, 1000), f"rows/{part}.parquet",
                            row_group_size=300)  # fmt: skip
    csv.write_csv(table, "rows.csv")
    folder, file = Path("rows"), Path("rows.csv")
    of_text = TextFiles([file], ReadOptions(), LARGER)
    for files, path in ((ParquetFiles([folder], 128), folder), (of_text, file)):
        whole = load_table(path, "y")
        columns = TableReader().fit_read(whole.frame)
        found = surveyed(files, "y")
        for model in MODELS.values():
            expected = model().encoder().fit(columns).describe()
            assert found.encoder(model().encoder()).describe() == expected


def test_each_row_has_one_part_and_is_there_once() -> None:
    table = mixed()
    csv.write_csv(table, "rows.csv")
    files = TextFiles([Path("rows.csv")], ReadOptions(), LARGER)
    found = surveyed(files, "y", validation=0.2, test=0.1)
    held = {kind: found.target.read(found.held[kind]) for kind in (VALIDATION, TEST)}
    assert found.rows + sum(map(len, held.values())) == len(table)
    assert 400 < len(held[VALIDATION]) < 800
    assert 200 < len(held[TEST]) < 400
    assert set(held[VALIDATION]).isdisjoint(held[TEST])


@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_a_table_in_pieces_is_learnt(kind: str) -> None:
    table = mixed(6000)
    if kind == "classes":
        above = np.where(table["y"].to_numpy() > 0, "up", "down")
        table = table.set_column(5, "y", pa.array(above))
    parquet.write_table(table, "rows.parquet", row_group_size=1000)
    told: list[tuple[str, int, int]] = []

    class Told(Reporter):
        def on_bytes(self, title: str, done: int, total: int) -> None:
            told.append((title, done, total))

    opened = open_table([Path("rows.parquet")], "y", None, "rows", ReadOptions(), 10**8)
    trained = train(opened, model=QUICK, n_members=1, reporter=Told())
    name = "R2" if kind == "numbers" else "accuracy"
    assert trained.scores[name] > (0.3 if kind == "numbers" else 0.65)
    assert trained.scores[name] > trained.baseline[name]
    assert {title for title, *_ in told} == {"reading", "encoding"}
    assert all(0 < done <= total for _, done, total in told)
    trained.save("model.safetensors")
    again = load("model.safetensors").predict("rows.parquet")
    np.testing.assert_array_equal(again, trained.model.predict("rows.parquet"))
    twin = train(opened, model=QUICK, n_members=1)
    np.testing.assert_array_equal(twin.outputs, trained.outputs)


def test_memory_tells_when_a_table_is_read_in_pieces() -> None:
    csv.write_csv(mixed(200), "rows.csv")
    assert load_table("rows.csv", "y", memory="1GB").__class__.__name__ == "Table"
    assert needed_memory([Path("rows.csv")]) >= Path("rows.csv").stat().st_size
    for wrong in ("much", "3 apples", 5, True, float("nan"), "1 iB"):
        with pytest.raises(ArgumentError, match="memory: got"):
            checked_memory(wrong)
    with pytest.raises(TableError, match="leave out"):
        train(load_table("rows.csv", "y"), memory="1GB")
    opened = open_table([Path("rows.csv")], "y", None, "rows", ReadOptions(), 10**8)
    with pytest.raises(TableError, match="cv"):
        train(opened, cv=3)


def test_the_command_trains_a_folder_within_a_limit_of_memory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("click")
    from fastmlp.cli import main

    monkeypatch.setattr("fastmlp.tabular.streaming.memory.LEAST", 1)
    Path("rows").mkdir()
    parquet.write_table(mixed(6000), "rows/a.parquet", row_group_size=1000)
    options = ["--model", "mlp", "--hidden", "16", "--epochs", "3", "--n-members", "1"]
    assert main(["train", "rows", "--target", "y", "--memory", "500kB", *options]) == 0
    shown = capsys.readouterr().out
    assert "read in pieces" in shown
    assert "RMSE" in shown
    # Only a model of the same data is replaced.
    assert main(["train", "rows", "--target", "y", "--memory", "500kB", *options]) == 0
    assert main(["train", "rows", "--target", "a", "--memory", "500kB", *options]) == 1
    assert main(["train", "rows", "--target", "y", "--memory", "lots"]) == 1
    assert "memory: got 'lots'" in capsys.readouterr().err


def test_several_files_and_gzip_are_one_table() -> None:
    table = mixed(900)
    csv.write_csv(table.slice(0, 500), "a.csv")
    csv.write_csv(table.slice(500), "b.csv")
    Path("b.csv.gz").write_bytes(gzip.compress(Path("b.csv").read_bytes()))
    files = TextFiles([Path("a.csv"), Path("b.csv.gz")], ReadOptions(), LARGER)
    rows = sum(len(piece.frame) for piece in files.pieces())
    assert rows == 900
    whole = TextFiles([Path("b.csv.gz")], ReadOptions())
    Path("b.csv.gz").write_bytes(Path("b.csv.gz").read_bytes()[:-200])
    with pytest.raises(TableError, match="since the training began"):
        list(whole.pieces())
    with pytest.raises(TableError, match="cannot be read as gzip"):
        list(TextFiles([Path("b.csv.gz")], ReadOptions()).pieces())


def test_files_that_are_damaged_or_change_are_named() -> None:
    parquet.write_table(mixed(900), "rows.parquet", row_group_size=300)
    files = ParquetFiles([Path("rows.parquet")])
    content = Path("rows.parquet").read_bytes()
    pieces = files.pieces()
    next(pieces)
    Path("rows.parquet").write_bytes(content + b"more")
    with pytest.raises(TableError, match=r"rows\.parquet"):
        list(pieces)
    Path("rows.parquet").write_bytes(content[:-50])
    with pytest.raises(TableError, match=r"rows\.parquet.* cannot be read as parquet"):
        ParquetFiles([Path("rows.parquet")])
    Path("a.csv").write_text("a,y\n1,2\n3,4\n")
    Path("b.csv").write_text("b,y\n1,2\n3,4\n")
    with pytest.raises(TableError, match=r"b\.csv: not all files have the columns 'a', 'b'"):
        list(TextFiles([Path("a.csv"), Path("b.csv")], ReadOptions()).pieces())


def test_a_column_that_changes_its_kind_deep_in_the_file_is_named() -> None:
    head = "".join(f"{i / 7:.3f},{i}\n" for i in range(2000))
    tail = "".join(f"word{i},{i}\n" for i in range(2000))
    Path("rows.csv").write_text("a,y\n" + head + tail)
    files = TextFiles([Path("rows.csv")], ReadOptions(), SMALL)
    # The sample is from the beginning, as of a file in which rows cannot be found.
    files.sample = lambda most: files._files[0].head(1 << 12)  # type: ignore[method-assign]
    with pytest.raises(TableError, match=r"column 'a' holds numbers in a sample.*'word0'"):
        surveyed(files, "y")


def test_levels_that_the_sample_has_not_are_learnt() -> None:
    rows = "".join(f"{'old' if i < 3000 else 'new'}{i % 3},{i / 10}\n" for i in range(6000))
    Path("rows.csv").write_text("a,y\n" + rows)
    files = TextFiles([Path("rows.csv")], ReadOptions(), SMALL)
    files.sample = lambda most: files._files[0].head(1 << 12)  # type: ignore[method-assign]
    found = surveyed(files, "y")
    assert found.reader.rules[0].levels == ("new0", "new1", "new2", "old0", "old1", "old2")
    assert found.reader.rules[0].reason.startswith("6 levels")


@pytest.mark.parametrize("order", ["sorted", "reversed", "shuffled"])
def test_quantiles_of_a_sketch_are_within_its_error(order: str) -> None:
    count = 200_000
    values = np.arange(float(count))
    if order == "shuffled":
        np.random.default_rng(0).shuffle(values)
    values = values[::-1] if order == "reversed" else values
    sketch = Sketch(most=1000, size=1024)
    for part in np.array_split(values, 777):
        sketch.add(part)
    found = sketch.values()
    assert not sketch.is_exact
    assert len(found) < 1100
    assert (found[0], found[-1]) == (0.0, count - 1)
    shares = np.linspace(0, 1, 101)
    errors = np.abs(np.quantile(found, shares) - shares * count) / count
    assert errors.max() <= sketch.rank_error + 2 / len(found) < 0.01
    assert sketch.mean == pytest.approx(values.mean(), rel=1e-12)
    assert sketch.deviation == pytest.approx(values.std(), rel=1e-12)


def test_a_sketch_keeps_rare_values() -> None:
    sketch = Sketch(most=100, size=64)
    for _ in range(50):
        sketch.add(np.zeros(1000))
    sketch.add(np.array([1.0, 2.0]))
    assert set(sketch.values()) == {0.0, 1.0, 2.0}
