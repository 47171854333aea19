"""The encoder of tables gives the numbers of scikit-learn's pipelines; descriptions are checked."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("sklearn")

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fastmlp.base.errors import ArgumentError
from fastmlp.tabular.encoder import Encoder
from fastmlp.tabular.encoder_columns import MISSING

ROWS = 400


def table(seed: int = 0, rows: int = ROWS) -> pd.DataFrame:
    """Numbers and levels with missing values, and levels of all frequencies."""
    rng = np.random.default_rng(seed)
    size = rng.normal(50, 20, rows)
    size[rng.random(rows) < 0.1] = np.nan
    colours = np.array(["red", "green", "blue", "teal", "rust", None], dtype=object)
    return pd.DataFrame(
        {
            "size": size,
            "colour": rng.choice(colours, rows, p=[0.4, 0.3, 0.2, 0.008, 0.002, 0.09]),
            "count": rng.integers(0, 1000, rows),
            "flag": rng.random(rows) < 0.3,
        }
    )


def judge(min_frequency: float) -> ColumnTransformer:
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    levels = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=MISSING, missing_values=None),
        OneHotEncoder(
            min_frequency=min_frequency,
            handle_unknown="infrequent_if_exist",
            sparse_output=False,
        ),
    )
    return ColumnTransformer(
        [
            ("size", numbers, ["size"]),
            ("colour", levels, ["colour"]),
            ("count", numbers, ["count"]),
            ("flag", levels, ["flag"]),
        ]
    )


def for_the_judge(frame: pd.DataFrame) -> pd.DataFrame:
    """The form for scikit-learn: levels as objects, missing ones as None."""
    texts = {
        name: frame[name].map(str, na_action="ignore").astype(object) for name in ("colour", "flag")
    }
    return frame.assign(
        **{name: column.where(column.notna(), None) for name, column in texts.items()}
    )


@pytest.mark.parametrize("min_frequency", [0.001, 0.01, 0.25])
def test_output_is_that_of_scikit_learn(min_frequency: float) -> None:
    train, new = table(0), table(1)
    # A level that training has not seen: counted as rare if rare ones exist, otherwise all zeros.
    new.loc[:5, "colour"] = "violet"
    encoder = Encoder(min_frequency, clip=None).fit(train)
    expected = judge(min_frequency).fit(for_the_judge(train))
    for frame in (train, new):
        np.testing.assert_allclose(
            encoder.transform(frame), expected.transform(for_the_judge(frame)), rtol=0, atol=1e-12
        )
    assert encoder.width == len(expected.get_feature_names_out())


def test_extreme_values_are_clipped() -> None:
    train, new = table(0), table(1)
    new.loc[0, "size"] = 1e300
    found = Encoder(clip=1.5).fit(train).transform(new)
    with np.errstate(over="ignore"):
        free = Encoder(clip=None).fit(train).transform(new)
    assert found[0, 0] == 1.5
    np.testing.assert_array_equal(found, np.clip(free, -1.5, 1.5))


@pytest.mark.parametrize("clip", [4.0, None])
def test_description_gives_the_same_encoder(clip: float | None) -> None:
    train, new = table(0), table(1)
    new.loc[0, "size"] = 1e9
    encoder = Encoder(clip=clip).fit(train)
    text = json.dumps(encoder.describe(), allow_nan=False)
    again = Encoder.from_description(json.loads(text))
    np.testing.assert_array_equal(again.transform(new), encoder.transform(new))
    assert again.left_out == encoder.left_out


def test_constant_empty_and_identifier_columns_are_dropped() -> None:
    rng = np.random.default_rng(0)
    frame = table().assign(
        nothing=None,
        same=3,
        same_text="x",
        no_level=pd.Categorical([None] * ROWS),
        nan=np.nan,
        name=[f"person {i}" for i in range(ROWS)],
        PassengerId=rng.permutation(ROWS),
        valid=rng.permutation(ROWS),
    )
    encoder = Encoder().fit(frame)
    assert encoder.left_out == {
        "nothing": "all missing",
        "same": "constant",
        "same_text": "constant",
        "no_level": "all missing",
        "nan": "all missing",
        "name": "identifier",
        "PassengerId": "identifier",
    }
    assert encoder.names == ["size", "colour", "count", "flag", "valid"]


def test_a_level_that_may_be_missing_is_not_constant() -> None:
    frame = pd.DataFrame({"pool": ["yes", None] * 20})
    assert Encoder().fit(frame).transform(frame[:2]).tolist() == [[0, 1], [1, 0]]


def test_a_table_without_usable_columns_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"no usable column is left: same \(constant\)"):
        Encoder().fit(pd.DataFrame({"same": [1] * 9}))


def test_a_known_maximum_divides_and_keeps_all_columns() -> None:
    pixels = pd.DataFrame({"a": [0.0, 0.0, 0.0], "b": [0.0, 8.0, 16.0]})
    encoder = Encoder(maximum=16.0).fit(pixels)
    np.testing.assert_array_equal(encoder.transform(pixels), pixels.to_numpy() / 16)


def test_order_and_superfluous_columns_do_not_matter() -> None:
    train, new = table(0), table(1)
    encoder = Encoder().fit(train)
    shuffled = new[new.columns[::-1]].assign(more=1)
    np.testing.assert_array_equal(encoder.transform(shuffled), encoder.transform(new))


def test_missing_columns_are_named() -> None:
    encoder = Encoder().fit(table())
    with pytest.raises(
        ArgumentError,
        match=r"2 columns are missing: 'size', 'flag' \(there is only 'count', 'colour'\)",
    ):
        encoder.transform(table()[["count", "colour"]])
    with pytest.raises(ArgumentError, match="a column is missing: 'size'"):
        encoder.notes(table().drop(columns="size"))


def test_notes_count_what_is_unreadable_or_unseen() -> None:
    encoder = Encoder(0.001).fit(table())
    new = table(1).astype({"count": object})
    assert encoder.notes(new) == []
    new.loc[0, "count"], new.loc[1:2, "colour"] = "many", "violet"
    notes = encoder.notes(new)
    assert len(notes) == 2
    assert "'colour': 2 values (such as 'violet')" in notes[0]
    assert "'count': 1 value (such as 'many')" in notes[1]
    with pytest.raises(ArgumentError, match="column 'count' must be numeric, got 'many'"):
        encoder.notes(new.assign(count="many"))


def good_description() -> dict:
    return Encoder().fit(table().assign(same=1)).describe()


def changed(path: list, value: object) -> dict:
    description = copy.deepcopy(good_description())
    place = description
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return description


@pytest.mark.parametrize(
    "description",
    [
        None,
        [],
        {},
        changed(["clip"], 0),
        changed(["clip"], "4"),
        changed(["columns"], []),
        changed(["columns"], {}),
        changed(["columns", 0], None),
        changed(["columns", 0, "kind"], "pickle"),
        changed(["columns", 0, "kind"], ["numeric"]),
        changed(["columns", 0, "name"], 3),
        changed(["columns", 0, "name"], "\ud800"),
        changed(["columns", 0, "name"], "colour"),
        changed(["columns", 0, "more"], 1),
        changed(["columns", 0, "scale"], 0.0),
        changed(["columns", 0, "scale"], -1),
        changed(["columns", 0, "mean"], True),
        changed(["columns", 0, "mean"], "1"),
        changed(["columns", 0, "mean"], float("nan")),
        changed(["columns", 0, "mean"], 10**400),
        changed(["columns", 1, "levels"], "red"),
        changed(["columns", 1, "levels"], ["red", "red"]),
        changed(["columns", 1, "levels"], ["red", 1]),
        changed(["columns", 1, "rare"], 1),
        changed(["columns", 3], {"name": "x", "kind": "categorical", "levels": [], "rare": False}),
        changed(["columns", 0, "name"], "other"),
        changed(
            ["columns", 0], {"name": "size", "kind": "categorical", "levels": [], "rare": True}
        ),
        changed(["reader"], {}),
    ],
)
def test_hostile_descriptions(description: object) -> None:
    with pytest.raises(ArgumentError):
        Encoder.from_description(description)
