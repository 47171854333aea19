"""Tables as people have them are read rightly, and can be learnt.

The target of each table follows from its columns. A table that was read rightly is learnt by least
squares, which takes no time and hides nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("tests.table_cases")  # skips where pyarrow is missing

from tests.table_cases import CASES, KIND, ROWS, plain

from fastmlp.base.errors import ArgumentError
from fastmlp.tabular import ReadTable, TableError, TableReader, load_table

pytestmark = pytest.mark.usefixtures("in_tmp_path")


def inputs(read: ReadTable) -> np.ndarray:
    """Columns as least squares wants them: numbers, flags of missing values, levels."""
    found = [np.ones(read.n_rows)]
    for column in read.columns:
        if column.values is not None:
            missing = np.isnan(column.values)
            filled = np.where(missing, np.nanmean(column.values), column.values)
            found += [(filled - filled.mean()) / (filled.std() or 1.0), missing]
        elif column.codes is not None:
            found += [column.codes == code for code in range(-1, min(column.codes.max() + 1, 9))]
    return np.column_stack(found).astype(float)


def score(read: ReadTable, y: np.ndarray, classes: int) -> float:
    """R2 of a regression, or the share of right answers, of least squares."""
    x = inputs(read)
    wanted = np.eye(classes)[y] if classes else y
    answers = x @ np.linalg.lstsq(x, wanted, rcond=None)[0]
    if classes:
        return float((answers.argmax(axis=1) == y).mean())
    return 1 - float(((y - answers) ** 2).sum() / ((y - y.mean()) ** 2).sum())


@pytest.mark.parametrize("name", CASES)
def test_a_table_is_read_as_its_owner_means_it(name: str) -> None:
    case = CASES[name]
    content = case.content.encode() if isinstance(case.content, str) else case.content
    path = Path(f"case{case.suffix}")
    path.write_bytes(content)
    target = "column3" if name == "no names" else None
    names = ("kind", "price", "rooms") if target is None else (target,)
    for target in names:
        try:
            table = load_table(path, target, options=case.options)
        except TableError as error:
            if "there is no column" not in str(error):
                raise
        else:
            break
    reader = TableReader()
    options = case.options
    read = reader.fit_read(table.frame, options.among(table.frame.names))
    assert {rule.name: rule.kind for rule in reader.rules} == dict(case.kinds)
    assert reader.left_out == dict(case.left_out)
    if case.classes is not None:
        assert table.classes == list(case.classes)
    said = [*table.notes, *reader.warnings, *map(str, reader.rules)]
    for words in case.says:
        assert any(words in line for line in said), said
    for column, value in case.first.items():
        values = read[column].values
        assert values is not None
        assert values[0] == pytest.approx(value, abs=1e-9)
    assert score(read, table.y, len(table.classes)) >= case.score
    again = TableReader.from_description(reader.describe()).read(table.frame)
    for one, other in zip(read.columns, again.columns, strict=True):
        for found, expected in zip(vars(one).values(), vars(other).values(), strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (plain(kind=[""] * ROWS), "target 'kind' has no values"),
        (plain(kind=["hi"] * ROWS), "target 'kind' has one class only: 'hi'"),
        (
            plain() + "1,2,hi,more\n",
            "has 4 values in row 201 below the names, but 3 columns: put quotes around",
        ),
        (plain().replace("size", "temp"), "two columns named 'temp'"),
        ("kind\n" + "\n".join(KIND), "no usable column is left"),
    ],
)
def test_tables_that_are_refused(content: str, words: str) -> None:
    Path("t.csv").write_text(content)
    with pytest.raises((TableError, ArgumentError), match=words):
        TableReader().fit(load_table("t.csv", "kind").frame)


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1251", "большой дом;малая квартира"),
        ("cp1253", "μεγάλο σπίτι;μικρό διαμέρισμα"),
        ("shift_jis", "大きい家;小さいマンション"),
        ("gb18030", "大房子在北京;小房子在上海"),
        ("euc_kr", "큰 집 서울;작은 집 부산"),
    ],
)
def test_encodings_of_other_alphabets(encoding: str, words: str) -> None:
    pytest.importorskip("charset_normalizer")
    big, small = words.split(";")
    text = plain(kind=np.where(KIND == "hi", big, small))
    Path("t.csv").write_bytes(text.encode(encoding))
    table = load_table("t.csv", "kind")
    assert set(table.classes) == {big, small}
    assert "give `encoding` if letters look wrong" in table.notes[0]


PIECES = [
    *(
        b",",
        b";",
        b"\t",
        b'"',
        b"'",
        b"\n",
        b"\r",
        b"\0",
        b"\\",
        b"#",
        b"\xff",
        b"\xe9",
        b" ",
        b"-",
    ),
    *(b".", b"0", b"9999", b"1e400", b"NaN", b"\xef\xbb\xbf", b"\xe2\x88\x92", b"2020-02-30"),
    *(b"1,234", b"()", b"%", b"\xed\xa0\x80", b"99:99", b"Jan", b"2020-W60"),
]


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_are_read_the_same_twice_or_refused(seed: int) -> None:
    random = np.random.default_rng(seed)
    for case in random.choice(np.array([*CASES.values()], dtype=object), 8):
        content = case.content.encode() if isinstance(case.content, str) else case.content
        damaged = content[:1500]
        for _ in range(random.integers(1, 30)):
            at = random.integers(len(damaged))
            damaged = damaged[:at] + random.choice(PIECES) + damaged[at + random.integers(3) :]
        Path("damaged.csv").write_bytes(damaged)
        reader = TableReader()
        try:
            one, other = reader.fit_read("damaged.csv"), reader.read("damaged.csv")
        except (TableError, ArgumentError):
            continue
        for first, second in zip(one.columns, other.columns, strict=True):
            np.testing.assert_array_equal(first.values, second.values)
            np.testing.assert_array_equal(first.codes, second.codes)
