"""Training from Python: hold-outs, other rows, cross-validations, notes, and saved models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

import pandas as pd
from tests.houses import houses, write

import fastmlp as fm
from fastmlp import tabular
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.tabular import MLP, TableError
from fastmlp.tabular.splits import split_off

pytestmark = pytest.mark.usefixtures("in_tmp_path")

QUICK = MLP(hidden=(16,), epochs=8, lr=0.01)


def test_hyperparameters_reach_the_networks() -> None:
    model = MLP(hidden=(8, 4), activation="leaky_relu", dropout=0, dtype="float64", epochs=2)
    trained = tabular.train(houses(), target="grade", model=model, n_members=2)
    for member in trained.model.members:
        kinds = [type(layer).__name__ for layer in member.net.layers]
        assert kinds == ["Linear", "LeakyReLU", "Linear", "LeakyReLU", "Linear"]
        assert member.net.dtype == np.float64
    rounded = tabular.train(houses(60), target="grade", model=QUICK, compute="bfloat16")
    assert rounded.model.members[0].net.compute == "bfloat16"


def test_a_hold_out() -> None:
    data = houses().drop(columns="grade")
    trained = tabular.train(data, target="price", model=MLP(epochs=60))
    assert trained.scores["R2"] > 0.9
    assert trained.baseline["R2"] < 0.05
    assert trained.scores["RMSE"] < trained.baseline["RMSE"]
    assert list(trained.summary) == ["test RMSE", "test R2"]
    assert trained.notes == ("columns left out: key (identifier), country (constant)",)
    assert (trained.folds, trained.deviations) == ((), {})
    assert trained.true.shape == trained.outputs.shape == (45,)
    assert trained.model.training["rows"] == 255
    np.testing.assert_array_equal(trained.model.predict(trained.test), trained.outputs)


def test_other_rows_are_a_test() -> None:
    train, test = houses().drop(columns="price"), houses(70, seed=2).drop(columns="price")
    test.loc[:4, "grade"] = None
    trained = tabular.train(train, "grade", test=write("test.csv", test), model=QUICK)
    assert trained.model.training["rows"] == 300
    assert len(trained.true) == 65
    found = trained.model.predict(test[5:])
    assert trained.scores["accuracy"] == (found == test["grade"][5:]).mean()
    with pytest.raises(TableError, match="`cv` and `test` are two ways"):
        tabular.train(train, "grade", test=test, cv=2)
    with pytest.raises(TableError, match="'grade'"):
        tabular.train(train, "grade", test=test[["size", "city"]])


def test_a_cross_validation() -> None:
    data = houses().drop(columns="price")
    trained = tabular.train(data, target="grade", model=QUICK, cv=3)
    accuracies = [fold["accuracy"] for fold in trained.folds]
    assert trained.scores["accuracy"] == pytest.approx(np.mean(accuracies))
    assert trained.deviations["accuracy"] == pytest.approx(np.std(accuracies, ddof=1))
    assert trained.scores["accuracy"] > trained.baseline["accuracy"] + 0.1
    assert "(3 folds)" in trained.summary["test accuracy"]
    assert trained.outputs.shape == (300, 2)
    assert trained.model.training["rows"] == 300


@pytest.mark.parametrize("counts", [(10, 10), (18, 2), (30, 9, 1), (12, *[2] * 6), (3, *[1] * 17)])
@pytest.mark.parametrize("cv", [None, 3])
def test_rare_classes_and_few_rows(counts: tuple[int, ...], cv: int | None) -> None:
    y = np.repeat([f"c{i}" for i in range(len(counts))], counts)
    if len(counts) > sum(counts) // 2:
        y = np.concatenate([y, y])
    table = {"x": np.arange(float(len(y))), "y": y}
    trained = tabular.train(table, model=QUICK, cv=cv)
    assert trained.model.classes == sorted(set(y))


def one_row_differs(row: int) -> pd.DataFrame:
    """A column is constant except in one row, and a level occurs only in that row."""
    frame = houses(100)[["size", "grade"]].assign(city="Ghent", lift=0)
    frame.loc[1::2, "city"] = "Bruges"
    frame.loc[row, ["city", "lift"]] = ["Ypres", 1]
    return frame


class Recorder(tabular.Reporter):
    """Records the calls of its methods."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def on_table(self, table: tabular.Table) -> None:
        self.events.append(str(table))

    def on_columns(self, title: str, reader: Any, read: Any) -> None:
        self.events.append((title, reader.names, read.n_rows))

    def on_members(self, title: str, count: int) -> None:
        self.events.append((title, count))

    def callbacks(self, title: str) -> Any:
        self.events.append(title)
        return ()

    def on_trained(self, title: str, model: Any) -> None:
        self.events.append((title, len(model.members)))


@pytest.mark.parametrize("cv", [None, 3])
def test_the_notes_are_those_of_the_model_that_is_saved(cv: int | None) -> None:
    table = tabular.load_table(houses(100)[["size", "grade"]], "grade")
    held_out = int(split_off(table.y, 2, 0.15, 0)[1][0])
    trained = tabular.train(one_row_differs(held_out), "grade", model=QUICK, cv=cv)
    # The training rows do not contain that row; the model of all rows does.
    unseen = "column 'city': 1 value (such as 'Ypres') not among the levels seen in training"
    left_out = "columns left out: lift (constant)"
    assert trained.notes == (() if cv else (left_out, unseen))
    assert trained.model.reader.left_out == ({} if cv else {"lift": "constant"})


def test_a_reporter_is_called_for_each_training() -> None:
    recorder = Recorder()
    data = houses(60)[["size", "grade"]]
    tabular.train(data, "grade", model=QUICK, cv=2, reporter=recorder, n_members=2, n_threads=1)
    assert recorder.events[0] == "60 rows, 1 columns; grade (2 classes): classification"
    expected: list[Any] = []
    for title, rows in (("fold 1 of 2", 30), ("fold 2 of 2", 30), ("all rows", 60)):
        members = [f"{title}, member {number} of 2" for number in (1, 2)]
        expected += [(title, ["size"], rows), (title, 2), *members, (title, 2)]
    assert recorder.events[1:] == expected


def test_the_same_seed_gives_the_same_file() -> None:
    table = write("houses.csv", houses().drop(columns="price"))
    options: dict[str, Any] = {"model": QUICK, "n_members": 3}
    for threads in (1, 2):
        trained = tabular.train(table, "grade", n_threads=threads, **options)
        trained.save(f"{threads}.safetensors")
    assert Path("1.safetensors").read_bytes() == Path("2.safetensors").read_bytes()
    other = tabular.train(table, "grade", seed=1, **options)
    assert (other.outputs != trained.outputs).any()


def test_a_training_that_diverges_is_an_error() -> None:
    for members in (1, 3):
        model = MLP(hidden=(16,), epochs=8, lr=1e30)
        with pytest.raises(TableError, match=r"training diverged: .* try a smaller `lr`"):
            tabular.train(houses(), "price", model=model, n_members=members)


def test_an_interrupted_training_resumes_with_the_same_bits() -> None:
    class Interrupt(tabular.Reporter):
        """Ends the training of the second network."""

        def callbacks(self, title: str) -> Any:
            return [self] if "member 2" in title else ()

        def on_epoch_end(self, state: fm.FitState) -> None:
            if state.epoch == 3:
                raise KeyboardInterrupt

    data = houses().drop(columns="price")
    options: dict[str, Any] = {"model": QUICK, "n_members": 2, "n_threads": 1}
    whole = tabular.train(data, "grade", **options)
    with pytest.raises(KeyboardInterrupt):
        tabular.train(data, "grade", checkpoint="c", reporter=Interrupt(), **options)
    assert {path.name for path in Path().iterdir()} == {"c", "c.member2"}
    resumed = tabular.train(data, "grade", checkpoint="c", **options)
    np.testing.assert_array_equal(resumed.outputs, whole.outputs)


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        ({"one": ["a"] * 40, "y": list("ab") * 20}, {}, "no usable column is left: one .constant"),
        ({"x": range(40), "y": list("ab") * 20}, {"cv": 21}, "40 rows are too few for 21 folds"),
        ({"x": range(40), "y": list("ab") * 20}, {"cv": 1}, "`cv`: got 1; want at least 2"),
        ({"x": range(40), "y": list("ab") * 20}, {"model": "tree"}, "model: got 'tree'; want"),
        ({"x": range(40), "y": list("ab") * 20}, {"metric": "r2"}, "metric: got 'r2'; want one of"),
        ({"x": range(40), "y": list("abcd") * 10}, {"threshold": 0.2}, "threshold: got a number"),
        ({"x": range(40), "y": list("abcd") * 10}, {"class_weight": {"z": 1}}, "class_weight: got"),
        ({"x": range(40), "y": np.arange(40) / 7}, {"class_weight": "balanced"}, "for a regressi"),
        ({"x": range(40), "y": [4e306 * x for x in range(40)]}, {}, "target holds numbers too"),
        ({"x": range(40), "y": list("ab") * 20}, {"checkpoint": "c", "time_budget": 9}, "time_bud"),
    ],
)
def test_tables_that_cannot_be_trained_on_are_refused(
    columns: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises((TableError, ArgumentError), match=words):
        tabular.train(columns, target="y", **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cv": "3"}, "cv: got '3'; want an integer"),
        ({"cv": 2.5}, "cv: got 2.5; want an integer"),
        ({"seed": -1}, "seed: got -1; want 0 to"),
        ({"seed": "a"}, "seed: got 'a'; want an integer"),
        ({"n_threads": 0}, "n_threads: got 0; want 1 to"),
        ({"model": 3}, "model: got 3; want one of mlp"),
        ({"model": MLP}, "model: got <class .*; want one of mlp"),
        ({"checkpoint": 3}, "checkpoint: got 3; want a path"),
        ({"reporter": tabular.Reporter}, "reporter: got <class .*; want an object of a subclass"),
    ],
)
def test_unfit_arguments_of_train_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ArgumentError, ArgumentTypeError), match=f"^{words}"):
        tabular.train(houses(40), target="grade", **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hidden": 3}, "hidden: got 3; want a tuple of widths"),
        ({"hidden": "64"}, "hidden: got '64'; want a tuple of widths"),
        ({"hidden": (8, 0)}, "hidden: got 0; want 1 to"),
        ({"dropout": 2}, "dropout: got 2.0; want a finite number >= 0 and <= 1"),
        ({"dtype": "float64", "compute": "bfloat16"}, "compute"),
    ],
)
def test_unfit_hyperparameters_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ArgumentError, ArgumentTypeError), match=f"^{words}"):
        MLP(**options)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([[1]] * 40, r"no usable column is left: x \(holds lists\)"),
        ([1j, 2.0] * 20, r"no usable column is left: x \(holds complex numbers\)"),
        ([10**400] * 40, r"no usable column is left: x \(no finite numbers\)"),
    ],
)
def test_cells_that_are_neither_text_nor_numbers(cells: list[Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{words}"):
        tabular.train({"x": cells, "y": list("ab") * 20}, target="y")


def test_a_table_has_its_own_target() -> None:
    pytest.importorskip("sklearn")
    with pytest.raises(TableError, match="leave out `target`, `task`, `options` and `memory`"):
        tabular.train(tabular.load_dataset("iris"), target="x")
