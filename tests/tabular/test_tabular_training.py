"""Training from Python: settings, hold-outs, cross-validations, notes, and saved models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pandas")

import pandas as pd
from tests.houses import houses, write

import fastmlp as fm
from fastmlp import tabular
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.tabular import MLP, TableError
from fastmlp.tabular.training import hold_out

pytestmark = pytest.mark.usefixtures("in_tmp_path")

QUICK = MLP(hidden=(16,), epochs=8, lr=0.01)


def test_settings_follow_the_number_of_rows_and_given_values() -> None:
    few, many = MLP().plan(1000, 2), MLP().plan(100_000, 2)
    assert not few.one_cycle
    assert many.one_cycle
    assert few.batch_size < MLP().plan(4000, 2).batch_size < many.batch_size
    assert few.epochs > many.epochs
    assert few.dropout > MLP().plan(1000, 0).dropout
    given = MLP(epochs=7, batch_size=5, lr=0.5, dropout=0.0).plan(100_000, 2)
    assert (given.epochs, given.batch_size, given.lr, given.dropout) == (7, 5, 0.5, 0.0)


def test_hyperparameters_reach_the_network() -> None:
    model = MLP(hidden=(8, 4), activation="leaky_relu", dropout=0, dtype="float64", epochs=2)
    net = tabular.train(houses(), target="grade", model=model).model.net
    kinds = [type(layer).__name__ for layer in net.layers]
    assert kinds == ["Linear", "LeakyReLU", "Linear", "LeakyReLU", "Linear"]
    assert net.dtype == np.float64


class Clipped(MLP):
    """A model with a custom encoder."""

    def encoder(self, table: tabular.Table) -> tabular.Encoder:
        return tabular.Encoder(clip=0.5)


def test_a_custom_model_chooses_its_encoder() -> None:
    trained = tabular.train(houses(100), "grade", model=Clipped(hidden=(4,), epochs=2))
    assert trained.model.description.encoder.clip == 0.5


def test_a_hold_out() -> None:
    data = houses().drop(columns="grade")
    trained = tabular.train(data, target="price", model=MLP(epochs=60))
    assert trained.scores["R2"] > 0.9
    assert trained.baseline["R2"] < 0.05
    assert trained.scores["RMSE"] < trained.baseline["RMSE"]
    assert list(trained.summary) == ["test R2", "test RMSE"]
    assert trained.notes == ("columns left out: key (identifier), country (constant)",)
    assert (trained.folds, trained.deviations) == ((), {})
    assert trained.true.shape == trained.outputs.shape == (45,)


def test_a_cross_validation() -> None:
    data = houses().drop(columns="price")
    trained = tabular.train(data, target="grade", model=QUICK, cv=3)
    accuracies = [fold["accuracy"] for fold in trained.folds]
    assert trained.scores["accuracy"] == pytest.approx(np.mean(accuracies))
    assert trained.deviations["accuracy"] == pytest.approx(np.std(accuracies, ddof=1))
    assert trained.scores["accuracy"] > trained.baseline["accuracy"] + 0.1
    assert "(3 folds)" in trained.summary["test accuracy"]
    assert trained.outputs.shape == (300, 2)


@pytest.mark.parametrize("counts", [(10, 10), (18, 2), (30, 9, 1), (12, *[2] * 6), (3, *[1] * 17)])
@pytest.mark.parametrize("cv", [None, 3])
def test_rare_classes_and_few_rows(counts: tuple[int, ...], cv: int | None) -> None:
    y = np.repeat([f"c{i}" for i in range(len(counts))], counts)
    if len(counts) > sum(counts) // 2:
        y = np.concatenate([y, y])
    table = {"x": np.arange(float(len(y))), "y": y}
    trained = tabular.train(table, model=QUICK, cv=cv)
    assert trained.model.classes == sorted(set(y))


class Recorder(tabular.Reporter):
    """Records the calls of its methods."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.notes: Sequence[str] = ()

    def on_table(self, table: tabular.Table, notes: Sequence[str]) -> None:
        self.notes = notes
        self.events.append(str(table))

    def callbacks(self, title: str) -> Sequence[Any]:
        self.events.append(title)
        return ()

    def on_fold_end(self, title: str, history: fm.History) -> None:
        self.events.append((title, len(history) > 0))


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[tabular.Encoder]:
    """Records the encoders that are fitted."""
    found: list[tabular.Encoder] = []
    usual = tabular.Encoder.fit

    def noted(self: tabular.Encoder, frame: pd.DataFrame) -> tabular.Encoder:
        found.append(self)
        return usual(self, frame)

    monkeypatch.setattr(tabular.Encoder, "fit", noted)
    return found


def one_row_differs(row: int) -> pd.DataFrame:
    """A column is constant except in one row, and a level occurs only in that row."""
    frame = houses(100)[["size", "grade"]].assign(city="Ghent", lift=0)
    frame.loc[1::2, "city"] = "Bruges"
    frame.loc[row, ["city", "lift"]] = ["Ypres", 1]
    return frame


@pytest.mark.parametrize("cv", [None, 3])
def test_the_notes_are_those_of_the_encoder_that_is_saved(
    cv: int | None, fits: list[tabular.Encoder]
) -> None:
    table = tabular.load_table(houses(100)[["size", "grade"]], "grade")
    held_out = int(hold_out(table, 0)[2][0])
    recorder = Recorder()
    frame = one_row_differs(held_out)
    trained = tabular.train(frame, "grade", model=QUICK, cv=cv, reporter=recorder)
    encoder = trained.model.description.encoder
    assert fits.count(encoder) == 1
    assert len(fits) == 1 + (cv or 0)
    assert recorder.notes == trained.notes
    # The training rows do not contain that row; the model of all rows does.
    unseen = "column 'city': 1 value (such as 'Ypres') not among the levels seen in training"
    left_out = "columns left out: lift (constant)"
    assert trained.notes == (() if cv else (unseen, left_out))
    assert encoder.left_out == ({} if cv else {"lift": "constant"})


def test_a_reporter_is_called_for_each_training() -> None:
    recorder = Recorder()
    tabular.train(houses(60), "grade", model=QUICK, cv=2, reporter=recorder)
    folds = ["fold 1 of 2", ("fold 1 of 2", True), "fold 2 of 2", ("fold 2 of 2", True)]
    assert recorder.events == ["60 rows, 5 columns; grade (2 classes): classification", *folds,
                            "all rows"]  # fmt: skip


def test_the_same_seed_gives_the_same_file() -> None:
    table = write("houses.csv", houses().drop(columns="price"))
    for threads in (1, 2):
        tabular.train(table, "grade", model=QUICK, n_threads=threads).save(f"{threads}.safetensors")
    assert Path("1.safetensors").read_bytes() == Path("2.safetensors").read_bytes()
    other = tabular.train(table, "grade", model=QUICK, seed=1).model.net
    assert (other.params != fm.load("1.safetensors").params).any()


def test_a_training_that_diverges_is_an_error() -> None:
    with pytest.raises(TableError, match=r"training diverged: .* try a smaller `lr`"):
        tabular.train(houses(), "price", model=MLP(hidden=(16,), epochs=8, lr=1e30))


def test_a_training_without_a_finite_loss_has_no_scores() -> None:
    model = MLP(hidden=(8, 8), epochs=1, batch_size=1000, lr=1e30)
    trained = tabular.train(tabular.load_dataset("iris"), model=model)
    assert trained.history.best_epoch is None
    assert np.isnan(list(trained.scores.values())).all()
    assert np.isfinite(list(trained.baseline.values())).all()


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        ({"one": ["a"] * 40, "y": list("ab") * 20}, {}, "no usable column is left: one .constant"),
        ({"x": range(40), "y": list("ab") * 20}, {"cv": 21}, "40 rows are too few for 21 folds"),
        ({"x": range(40), "y": list("ab") * 20}, {"cv": 1}, "`cv`: got 1; want at least 2"),
        ({"x": range(40), "y": list("ab") * 20}, {"model": "tree"}, "model: got 'tree'; want"),
        ({"x": [-1e308] * 20 + [1e308] * 20, "y": list("ab") * 20}, {}, "'x' holds numbers too"),
        ({"x": range(40), "y": [4e306 * x for x in range(40)]}, {}, "target holds numbers too"),
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
        ({"model": 3}, r"model: got 3; want one of mlp, or hyperparameters such as MLP\("),
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
    with pytest.raises(TableError, match="leave out `target`, `task` and `options`"):
        tabular.train(tabular.load_dataset("iris"), target="x")
