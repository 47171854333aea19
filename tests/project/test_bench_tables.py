"""The benchmark on tables: splits, prepared columns, stored results, comparisons and the report."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

from bench.tables import __main__ as command  # noqa: E402
from bench.tables import run as running  # noqa: E402
from bench.tables.cases import chosen_cases, described_cases, split  # noqa: E402
from bench.tables.contestants import CONTESTANTS  # noqa: E402
from bench.tables.features import Features  # noqa: E402
from bench.tables.figures import Figures, critical_difference, groups, ranking  # noqa: E402
from bench.tables.fit import checked, one_fit  # noqa: E402
from bench.tables.goals import all_goals  # noqa: E402
from bench.tables.plots import draw  # noqa: E402
from bench.tables.run import Request  # noqa: E402
from bench.tables.scores import scores_of  # noqa: E402
from bench.tables.store import Store, newest_versions, of_any_version  # noqa: E402

ROWS = 80


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small tables and their manifest."""
    rng = np.random.default_rng(0)
    size, city = rng.normal(size=ROWS), rng.choice(["Ghent", "Ypres", "Lier"], ROWS)
    frame = pd.DataFrame({"size": size, "city": city})
    frame.assign(price=3 * size + (city == "Lier")).to_csv(tmp_path / "prices.csv", index=False)
    frame.assign(kind=np.where(size > 0, "big", "small")).to_csv(
        tmp_path / "kinds.csv", index=False
    )
    manifest = {
        "prices": {"file": "prices.csv", "target": "price", "task": "regression"},
        "kinds": {"file": "kinds.csv", "target": "kind", "task": "classification"},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return tmp_path


def test_splits_keep_the_shares_of_the_classes(folder: Path) -> None:
    (case,) = chosen_cases(described_cases(folder), ["kinds"])
    first, again, other = (split(case, seed) for seed in (0, 0, 1))
    assert (len(first.train.y), len(first.test.y)) == (60, 20)
    assert abs(first.train.y.mean() - first.test.y.mean()) < 0.05
    assert first.test.frame.equals(again.test.frame)
    assert not first.test.frame.equals(other.test.frame)
    assert "kind" not in first.train.frame


def test_columns_become_numbers_dates_and_categories() -> None:
    train = pd.DataFrame({
        "flag": [True, False, True, True, False],
        "day": ["2024-01-01", "2024-01-02T12:00", None, "2024-03-05", "2024-03-06"],
        "kind": ["a", "b", "a", None, "b"],
        "id": ["x1", "x2", "x3", "x4", "x5"],
    })  # fmt: skip
    features = Features(train)
    assert features.kinds == {"flag": "number", "day": "date", "kind": "category", "id": "left out"}
    test = train.assign(kind=["b", "new", None, "a", "a"])
    found = features.frame(test)
    assert found["flag"].tolist() == [1.0, 0.0, 1.0, 1.0, 0.0]
    assert found["kind"].cat.codes.tolist() == [1, -1, -1, 0, 0]
    assert found.loc[1, ["day", "day hour", "day weekday", "day month"]].tolist() == [
        19724.5, 12.0, 1.0, 1.0
    ]  # fmt: skip
    assert math.isnan(found.loc[2, "day"])


@pytest.mark.parametrize("table", ["prices", "kinds"])
def test_a_contestant_learns_and_is_measured(folder: Path, table: str) -> None:
    (case,) = chosen_cases(described_cases(folder), [table])
    found = one_fit("HistGradientBoosting", split(case, 0), 1, 0)
    assert found["error"] < 0.6
    assert found["fit_wall"] > 0.0
    assert found["fit_cpu"] > 0.0
    assert ("log_loss" in found) == (table == "kinds")


def test_scores_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import log_loss, mean_squared_error, roc_auc_score

    rng = np.random.default_rng(0)
    for classes in (2, 4):
        true = rng.integers(0, classes, 60)
        p = rng.dirichlet(np.ones(classes), 60)
        found = scores_of(true, p, classes)
        area = roc_auc_score(true, p[:, 1] if classes == 2 else p, multi_class="ovr")
        assert found["auc"] == pytest.approx(area)
        assert found["log_loss"] == pytest.approx(log_loss(true, p))
        assert found["error"] == np.mean(p.argmax(axis=1) != true)
    true, predicted = rng.normal(size=(2, 60))
    expected = np.sqrt(mean_squared_error(true, predicted)) / true.std()
    assert scores_of(true, predicted, 0)["error"] == pytest.approx(expected)


def test_unfit_predictions_are_refused(folder: Path) -> None:
    (case,) = chosen_cases(described_cases(folder), ["kinds"])
    data = split(case, 0)
    for wrong in (np.zeros(20), np.full((20, 2), np.nan), np.ones((20, 2)), np.ones((19, 2)) / 2):
        with pytest.raises(ValueError, match="predictions: got"):
            checked(wrong, data)


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The requests of a run; none is really measured. The table "kinds" fails with CatBoost."""
    requests: list[Request] = []

    def note(request: Request, seconds: float) -> dict[str, Any]:
        requests.append(request)
        if request.table == "kinds" and request.contestant == "CatBoost":
            return {"failed": "out of luck"}
        place = list(CONTESTANTS).index(request.contestant)
        seen = {"log_loss": 0.3} if request.table == "kinds" else {}
        return {"error": 0.1 + place / 100, "fit_wall": 1.0, "fit_cpu": 2.0, "predict_wall": 0.1,
                "others": 0.0 if place else 1.0, "test_rows": 20, **seen}  # fmt: skip

    monkeypatch.setattr(running, "fit_in_fresh_process", note)
    monkeypatch.setattr(command, "missing_reasons", lambda rows: {})
    monkeypatch.setattr(command, "draw", lambda figures, folder: [])
    monkeypatch.setattr(type(CONTESTANTS["CatBoost"]), "version", lambda self: "1.0")
    return requests


def test_a_run_continues_where_it_ended_and_repeats_failures(
    folder: Path, tmp_path: Path, requested: list[Request]
) -> None:
    arguments = [str(folder), "--seeds", "2", "--out", str(tmp_path / "out")]
    command.main([*arguments, "--only", "CatBoost", "LightGBM"])
    assert len(requested) == 2 * 2 * 2
    requested.clear()
    command.main([*arguments, "--only", "CatBoost", "LightGBM"])
    assert {(r.table, r.contestant) for r in requested} == {("kinds", "CatBoost")}
    requested.clear()
    command.main([*arguments, "--only", "LightGBM", "scikit-learn MLP"])
    assert {r.contestant for r in requested} == {"scikit-learn MLP"}
    text = (tmp_path / "out" / "tables.md").read_text("utf-8")
    assert "out of luck" in text
    assert all(goal.name in text for goal in all_goals(Figures([], [])))


def test_busy_fits_can_be_repeated(folder: Path, tmp_path: Path, requested: list[Request]) -> None:
    arguments = [str(folder), "--seeds", "1", "--out", str(tmp_path / "out"), "--tables", "prices"]
    command.main(arguments)
    requested.clear()
    command.main([*arguments, "--remeasure-busy"])
    assert [r.contestant for r in requested] == list(CONTESTANTS)[:1]


def test_a_program_without_tables_or_with_unknown_names_ends(folder: Path) -> None:
    for wrong in ([], ["no-such-folder"], [str(folder), "--tables", "x"],
                  [str(folder), "--only", "x"]):  # fmt: skip
        with pytest.raises(SystemExit):
            command.main(wrong)


def result(contestant: str, table: str, error: float, seed: int = 0, **more: Any) -> dict[str, Any]:
    facts = {"version": "1", "fit_wall": 1.0, "others": 0.0, "test_rows": 100}
    return {"contestant": contestant, "table": table, "error": error, "seed": seed, **facts, **more}


def test_the_last_result_of_a_key_and_version_counts(tmp_path: Path) -> None:
    store = Store(tmp_path / "a" / "results.jsonl")
    assert store.all() == []
    for row in (result("a", "t", 0.5), result("a", "t", 0.4), result("a", "t", 0.3, version="2"),
                result("a", "u", 0.2, version="1")):  # fmt: skip
        store.add(row)
    assert [row["error"] for row in store.all()] == [0.4, 0.3, 0.2]
    assert [row["error"] for row in newest_versions(store.all())] == [0.4, 0.2]
    assert [row["error"] for row in of_any_version(store.all())] == [0.3, 0.2]


def test_ratios_compare_common_tables_and_seeds() -> None:
    rows = [result("a", "t", 0.2), result("a", "t", 0.9, seed=1), result("b", "t", 0.1),
            result("a", "u", 0.1), result("b", "u", 0.2), result("b", "v", 0.3)]  # fmt: skip
    figures = Figures(rows, ["a", "b"])
    ratio = figures.ratio("a", "b")
    assert ratio is not None
    assert (ratio.mean, ratio.wins, ratio.tables) == (pytest.approx(1.0), 1, 2)
    assert not figures.is_complete("b")
    perfect = Figures([result("a", "t", 0.0), result("b", "t", 0.01)], ["a", "b"]).ratio("a", "b")
    assert perfect is not None
    assert perfect.mean == pytest.approx(0.5)


def test_pictures_are_drawn(tmp_path: Path) -> None:
    rows = [
        result(name, table, 0.1 + k / 10, fit_cpu=1.0 + k)
        for k, name in enumerate(("fastmlp fast", "CatBoost", "LightGBM"))
        for table in "tuv"
    ]
    names = draw(Figures(rows, ["fastmlp fast", "CatBoost", "LightGBM"]), tmp_path)
    assert len(names) == 3
    assert all((tmp_path / name).read_bytes()[:4] == b"\x89PNG" for name in names)


def test_wall_times_of_a_busy_machine_do_not_count() -> None:
    rows = [result("a", "t", 0.2, others=1.5), result("b", "t", 0.2)]
    figures = Figures(rows, ["a", "b"])
    assert figures.ratio("a", "b", "fit_wall", quiet=True) is None
    assert figures.ratio("a", "b", "fit_wall") is not None


def test_ranks_and_critical_differences() -> None:
    # Demšar (2006), table 5 and section 3.2.2: k = 4 contestants on N = 14 tables.
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, 0.10) == pytest.approx(1.12, abs=0.005)
    values = np.array([[0.1, 0.2, 0.3], [0.1, 0.3, 0.2], [0.2, 0.2, 0.5]])
    found = ranking(values, ["a", "b", "c"])
    assert found.ranks == pytest.approx({"a": 3.5 / 3, "b": 6.5 / 3, "c": 8 / 3})
    assert groups(found) == [["a", "b", "c"]]
    many = ranking(np.tile([[0.1, 0.2, 0.3]], (30, 1)), ["a", "b", "c"])
    assert groups(many) == []
    assert many.p < 1e-6


@pytest.mark.parametrize(("error", "verdict"), [(0.097, "pass"), (0.098, "FAIL")])
def test_goals_are_judged_from_the_results(error: float, verdict: str) -> None:
    rows = [result("CatBoost", "t", 0.1), result("fastmlp best", "t", error)]
    goals = {
        (goal.name, goal.wanted): goal
        for goal in all_goals(Figures(rows, ["CatBoost", "fastmlp best"]))
    }
    name = "fastmlp best: error, geometric mean"
    assert goals[name, "at most 0.97 times CatBoost"].verdict == verdict
    assert goals["fastmlp best: mean rank by error", "first"].verdict == "not measured"
