"""Tuning of tables: the same result each time, what goes on after a kill, and bad input."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("optuna")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

import optuna

import fastmlp as fm
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, MissingPackageError
from fastmlp.distributed import tune
from fastmlp.distributed.tuning import search, studies
from fastmlp.distributed.tuning.spaces import Space
from fastmlp.distributed.tuning.trials import Outcome
from fastmlp.tabular import MLP, RealMLP, TableError, TabM, load

QUICK = RealMLP(hidden=(16,), epochs=4, batch_size=32)
SMALL: dict[str, Any] = {"model": QUICK, "n_members": 2, "at_once": 2}


def table(rows: int = 80) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    size, age = rng.uniform(30, 200, rows), rng.uniform(0, 90, rows)
    return {"size": size, "age": age, "price": 3 * size - age + rng.normal(0, 5, rows)}


def values(tuned: Any) -> list[tuple[str, float | None]]:
    return [(trial["state"], trial["value"]) for trial in tuned.trials]


def test_a_seed_and_a_number_of_trials_give_the_same_model() -> None:
    first, second = (tune(table(), "price", trials=4, n_threads=n, **SMALL) for n in (1, 2))
    assert values(first) == values(second)
    rows = {"size": [50.0, 100.0], "age": [10.0, 80.0]}
    np.testing.assert_array_equal(first.model.predict(rows), second.model.predict(rows))
    assert first.scores == second.scores
    assert first.model.training["tuned_trials"] == 4


def test_the_first_trials_are_the_defaults() -> None:
    for classes, kinds in ((0, (RealMLP, TabM, MLP)), (3, (RealMLP, TabM, MLP))):
        for kind in kinds:
            start = kind(hidden=(128, 128), epochs=20)
            space = Space((start,), classes, 1000)
            assert len(space.first_trials()) == 3
            found: Any = space.model_of(space.first_trials()[0])
            usual = start.usual(1000, classes)
            assert (found.hidden, found.epochs) == ((128, 128), 20)
            assert found.lr == (usual["lr"] if start.lr is None else start.lr)


def test_a_search_that_was_killed_goes_on(tmp_path: Path) -> None:
    storage = tmp_path / "trials.journal"
    script = f"""
import os
from tests.distributed.test_tuning import SMALL, table
from fastmlp.distributed import tune
from fastmlp.distributed.tuning import search

told = []
tell = search.Search._tell
def die(self, trial, outcome):
    told.append(trial)
    if len(told) == 4:
        os._exit(3)
    tell(self, trial, outcome)
search.Search._tell = die
tune(table(), "price", trials=6, storage={str(storage)!r}, **SMALL)
"""
    root = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", script], cwd=root, check=False)
    assert killed.returncode == 3
    whole = tune(table(), "price", trials=6, **SMALL)
    resumed = tune(table(), "price", trials=6, storage=storage, **SMALL)
    assert values(resumed) == values(whole)
    assert resumed.scores == whole.scores
    # All trials are there: only the networks of the best ones are trained again.
    again = tune(table(), "price", trials=6, storage=storage, **SMALL)
    assert again.scores == whole.scores
    more = tune(table(), "price", trials=7, storage=storage, **SMALL)
    assert len(more.trials) == 7


def test_databases_and_two_workers(tmp_path: Path) -> None:
    path = tmp_path / "trials.db"
    tune(table(), "price", trials=2, storage=path, study="houses", **SMALL)
    url = f"sqlite:///{path}"
    other = tune(table(), "price", trials=4, storage=url, study="houses", **SMALL)
    assert [study.study_name for study in optuna.get_all_study_summaries(url)] == ["houses"]
    assert len(other.trials) == 4


def test_trials_of_running_processes_are_left_alone() -> None:
    study = optuna.create_study()
    kept, lost = study.ask(), study.ask()
    kept.set_user_attr(studies.WORKER, "another machine/1")
    lost.suggest_float("x", 0, 1)
    lost.set_user_attr(studies.WORKER, studies.this_worker())
    assert studies.free_lost_trials(study) == 1
    states = [trial.state.name for trial in study.trials]
    assert states == ["RUNNING", "WAITING"]
    assert study.ask().suggest_float("x", 0, 1) == lost.params["x"]


def test_bad_trials_are_given_up_and_diverged_ones_do_not_end_the_search() -> None:
    rows = table(200)
    tuned = tune(rows, "price", trials=14, model=QUICK, n_members=2, at_once=4)
    assert "pruned" in {trial["state"] for trial in tuned.trials}
    assert len(tuned.trials) == 14
    complete = [trial["value"] for trial in tuned.trials if trial["state"] == "complete"]
    assert complete == sorted(complete)
    shares = tuned.importance()
    assert sum(shares.values()) == pytest.approx(1.0)
    assert set(shares) <= {f"realmlp.{name}" for name in tuned.space.parameters("realmlp")}
    assert len(tuned.picture().axes) == 2


def test_a_search_of_which_nothing_can_be_trained_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Outcome(float("nan"), "failed", 0.1, (), "diverged")
    monkeypatch.setattr(search, "run_trial", lambda *_: failed)
    tuned = tune(table(), "price", trials=6, **SMALL)
    assert values(tuned) == []
    assert np.isfinite(tuned.model.predict(table())).all()


def test_classes_and_the_kinds_of_a_preset(tmp_path: Path) -> None:
    rows = table(120)
    rows["price"] = np.where(rows["price"] > 300, "dear", "cheap")
    tuned = tune(rows, "price", trials=2, n_members=2, preset="fast", metric="roc_auc")
    assert {trial["model"] for trial in tuned.trials} == {"realmlp", "tabm"}
    assert tuned.importance() == {}  # too few trials
    tuned.save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(rows), tuned.model.predict(rows))


def test_without_time_for_a_trial_the_defaults_are_trained() -> None:
    tuned = tune(table(), "price", trials=4, time_budget=1e-3, **SMALL)
    assert tuned.trials == []
    assert tuned.best_model is None
    assert np.isfinite(tuned.scores["RMSE"])
    assert tuned.importance() == {}
    tuned.picture()


def test_trials_of_a_search_stop_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "FIRST_SHARE", 0.0)
    slow = RealMLP(hidden=(8,), epochs=100_000, batch_size=32)
    # The defaults that are trained in the end are given what is left of the time.
    tuned = tune(table(), "price", trials=4, time_budget=0.6, model=slow, n_members=1, at_once=2)
    assert tuned.trained.seconds < 20
    assert {trial.state.name for trial in tuned.study.trials} <= {"FAIL", "WAITING"}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"trials": 0}, ArgumentError, "trials: got 0"),
        ({"trials": 2.5}, ArgumentTypeError, "trials"),
        ({"at_once": 0}, ArgumentError, "at_once: got 0"),
        ({"time_budget": -1}, ArgumentError, "time_budget"),
        ({"storage": "trials.txt"}, ArgumentError, "storage: got 'trials.txt'; want a path"),
        ({"storage": "no/folder/a.db"}, ArgumentError, "folder does not exist"),
        ({"storage": "nothing://here"}, ArgumentError, "cannot be opened"),
        ({"storage": 5}, ArgumentTypeError, "storage: got 5"),
        ({"sampler": "grid"}, ArgumentError, "sampler: got 'grid'; want one of tpe, random"),
        ({"pruner": 3}, ArgumentTypeError, "pruner: got 3"),
        ({"study": 3}, ArgumentTypeError, "study: got 3"),
        ({"model": "forest"}, ArgumentError, "model"),
        ({"metric": "f1"}, ArgumentError, "metric"),
        ({"target": "cost"}, TableError, "no column 'cost'"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message.replace("(", r"\(")):
        tune(table(), **{"target": "price", **SMALL, **arguments})


def test_studies_of_something_else_are_refused(tmp_path: Path) -> None:
    storage = tmp_path / "trials.journal"
    tune(table(), "price", trials=1, storage=storage, study="one", **SMALL)
    with pytest.raises(ArgumentError, match=r"'one', which was begun with metric = 'RMSE'"):
        tune(table(), "price", trials=1, storage=storage, study="one", metric="mae", **SMALL)
    with pytest.raises(ArgumentError, match=r"study: got 'one', which was begun with rows"):
        tune(table(70), "price", trials=1, storage=storage, study="one", **SMALL)
    with studies.quiet():
        other = optuna.create_study(storage=studies.storage_of(storage), study_name="other")
        other.optimize(lambda trial: 0.0, n_trials=1)
    with pytest.raises(ArgumentError, match=r"'other', whose trials are not of fastmlp"):
        tune(table(), "price", trials=1, storage=storage, study="other", **SMALL)


def test_optuna_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingPackageError, match=r'pip install "fastmlp\[tune\]"'):
        tune(table(), "price", trials=1)


def test_tuning_leaves_settings_of_the_process_alone() -> None:
    before = optuna.logging.get_verbosity(), fm.get_num_threads(), list(warnings.filters)
    tune(table(), "price", trials=1, **SMALL)
    after = optuna.logging.get_verbosity(), fm.get_num_threads(), list(warnings.filters)
    assert before == after
