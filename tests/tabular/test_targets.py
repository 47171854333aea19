"""The target of a table: its column, its task, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pandas")

import pandas as pd

from fastmlp.tabular import TableError, load_table


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"] * 50, "classification"),
        ([True, False] * 50, "classification"),
        ([3, 7] * 50, "classification"),
        ([3.0, 7.0] * 50, "classification"),
        (list(range(10)) * 10, "classification"),
        (list(range(50)) * 2, "regression"),
        ([0.5, 1.5] * 50, "regression"),
        (["1.5", "2.5"] * 50, "regression"),
    ],
)
def test_the_task_is_detected(values: list[object], task: str) -> None:
    table = load_table({"x": np.arange(100.0), "y": values})
    assert table.task == task
    assert (table.y >= 0).all()


def test_the_task_can_be_chosen() -> None:
    columns = {"x": np.arange(100.0), "y": np.arange(100) % 4}
    assert load_table(columns, task="classification").classes == ["0", "1", "2", "3"]
    assert load_table(columns, task="regression").classes == []


def test_classes_of_numbers_are_in_their_order() -> None:
    table = load_table({"x": np.arange(60.0), "y": [10, 9, np.nan] * 20}, "y")
    assert table.classes == ["9", "10"]
    assert table.y.tolist() == [1, 0] * 20
    assert table.notes == ("rows without a target, left out: 20",)


ROWS = {
    "x": np.arange(40.0),
    "one": ["a"] * 40,
    "same": [3] * 40,
    "text": list("ab") * 20,
    "id": [f"n{i}" for i in range(40)],
    "none": [None] * 40,
    "infinite": [np.inf] * 40,
    "empty category": pd.Categorical([None] * 40, ["a", "b"]),
}


@pytest.mark.parametrize(
    ("rows", "target", "task", "words"),
    [
        (40, None, None, "which column is the target? Give `target` one of 'x', 'one'"),
        (40, "X", None, "no column 'X' to predict, only 'x', 'one'"),
        (40, "one", None, "one class only: 'a'"),
        (40, "same", None, "is constant: 3 throughout"),
        (40, "id", None, "40 different values in 40 rows"),
        (40, "none", None, "target 'none' has no values"),
        (40, "none", "regression", "target 'none' has no values"),
        (40, "infinite", None, "target 'infinite' has no values"),
        (40, "empty category", None, "target 'empty category' has no values"),
        (40, "text", "regression", "which a regression needs"),
        (10, "text", None, "10 rows with a target are too few: at least 20"),
        (40, "text", "clustering", "`task`: got 'clustering'; want one of classification, "),
    ],
)
def test_unfit_targets_are_refused(rows: int, target: str, task: str, words: str) -> None:
    with pytest.raises(TableError) as raised:
        load_table({name: values[:rows] for name, values in ROWS.items()}, target, task)
    assert words in str(raised.value)
