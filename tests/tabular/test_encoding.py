"""From read columns to inputs of a network."""

from __future__ import annotations

import json
from statistics import NormalDist

import numpy as np
import pytest

from fastmlp.base.errors import ArgumentError
from fastmlp.base.sparse import SparseRows
from fastmlp.tabular.columns import ReadColumn, ReadTable
from fastmlp.tabular.encoding import Encoder
from fastmlp.tabular.encoding.bins import Bins
from fastmlp.tabular.encoding.levels import LevelColumn
from fastmlp.tabular.encoding.normal import normal_quantile
from fastmlp.tabular.encoding.scaling import Affine, NormalQuantiles

RANDOM = np.random.default_rng(3)


def read(**columns: object) -> ReadTable:
    """A read table; whole numbers are codes, floats are numbers, and names in d_ are dates."""
    found = []
    for name, given in columns.items():
        array = np.asarray(given)
        if array.dtype.kind == "i":
            found.append(ReadColumn(name, "categorical", codes=array.astype(np.int32)))
        else:
            kind = "date" if name.startswith("d_") else "numeric"
            found.append(ReadColumn(name, kind, values=array.astype(np.float64)))
    return ReadTable(len(found[0]), tuple(found))


def test_normal_quantiles_are_those_of_the_standard_library() -> None:
    p = np.concatenate([[1e-300, 1e-12, 1e-7, 0.075, 0.925, 1 - 1e-9], np.linspace(0.001, 0.999)])
    expected = [NormalDist().inv_cdf(value) for value in p]
    np.testing.assert_allclose(normal_quantile(p), expected, rtol=1e-14, atol=1e-15)


def test_robust_scaling_has_the_published_values() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
    z = (x - 3.0) / (4.0 - 2.0)
    np.testing.assert_allclose(Affine.robust(x).apply(x), z / np.sqrt(1 + (z / 3) ** 2))
    # Equal quartiles: half of the range takes their place.
    y = np.array([0.0] * 9 + [5.0])
    assert Affine.robust(y).factor == 2.0 / 5.0
    # No number leaves the range of float32, however large it is.
    wide = np.array([0.0, 1e-300, 1e308, -1e308])
    assert np.abs(Affine.robust(wide).apply(wide)).max() <= 3.0


def test_quantiles_are_those_of_scikit_learn() -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    x = RANDOM.exponential(size=600)
    new = np.concatenate([x, [-5.0, 1e9], RANDOM.exponential(size=50)])
    theirs = preprocessing.QuantileTransformer(n_quantiles=20, output_distribution="normal")
    expected = theirs.fit(x[:, None]).transform(new[:, None])[:, 0]
    np.testing.assert_allclose(NormalQuantiles.fit(x).apply(new), expected, atol=1e-6)


def test_repeated_numbers_get_the_middle_of_their_quantiles() -> None:
    x = np.array([0.0] * 400 + list(range(1, 201)), dtype=np.float64)
    z = NormalQuantiles.fit(x).apply(np.array([0.0]))
    assert abs(z[0] - NormalDist().inv_cdf(1 / 3)) < 0.1


@pytest.mark.parametrize("levels", [2, 3, 5])
def test_scaled_levels_equal_scaled_columns(levels: int) -> None:
    codes = RANDOM.integers(-1, levels, 200).astype(np.int32)
    column = LevelColumn.fit("c", codes, scaled=True)
    assert column is not None
    raw = np.array([[float(c == level) for level in range(levels)] for c in codes])
    if levels == 2:
        raw = raw[:, :1] - raw[:, 1:]
    expected = np.column_stack([Affine.robust(one).apply(one) for one in raw.T])
    np.testing.assert_allclose(column.transform(codes), expected, atol=1e-14)


def test_rare_missing_and_unseen_levels_have_their_places() -> None:
    codes = np.array([0] * 50 + [1] * 40 + [2] * 2 + [3] * 1 + [-1] * 7, dtype=np.int32)
    column = LevelColumn.fit("c", codes, min_frequency=0.03, missing_level=True)
    assert column is not None
    assert (column.levels, column.rare, column.missing, column.width) == ((0, 1), True, True, 4)
    new = np.array([0, 1, 3, -2, 17, -1], dtype=np.int32)
    assert column.transform(new).argmax(axis=1).tolist() == [0, 1, 2, 2, 2, 3]
    plain = LevelColumn.fit("c", codes)
    assert plain is not None
    assert plain.transform(np.array([-1, -2], np.int32)).sum() == 0


def test_many_levels_become_rows_of_an_embedding() -> None:
    table = read(x=RANDOM.normal(size=60), c=np.arange(60) % 12, d=np.arange(60) % 3)
    encoder = Encoder("robust", most_one_hot=8, scaled_levels=True).fit(table)
    assert (encoder.n_numbers, encoder.n_flags, encoder.embedded) == (1, 3, [13])
    x = encoder.transform(table)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[:, -1], np.arange(60) % 12)
    unseen = encoder.transform(read(x=[0.0], c=[-2], d=[-1]))
    assert unseen[0, -1] == 12


def test_many_inputs_of_levels_are_sparse_rows_of_the_same_numbers() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(-2, 40, (50, 3)).astype(np.int32)
    numbers = np.where(rng.random(50) < 0.1, np.nan, rng.standard_normal(50))
    table = read(size=numbers, a=codes[:, 0], b=codes[:, 1], c=codes[:, 2])
    encoder = Encoder("standard", min_frequency=0.03, missing_level=True).fit(table)
    found, dense = encoder.inputs(table), encoder.transform(table)
    assert isinstance(found, SparseRows)
    rows = np.repeat(np.arange(50), np.diff(found.start))
    whole = np.zeros_like(dense)
    whole[rows, found.column] = found.value
    assert (whole == dense).all()
    narrow = Encoder("standard").fit(read(size=numbers))
    assert isinstance(narrow.inputs(table), np.ndarray)


def test_texts_become_hashed_words() -> None:
    texts = np.array(["Good film", "good FILM!", "bad film", None, ""], dtype=object)
    table = ReadTable(5, (ReadColumn("review", "text", texts=texts),))
    encoder = Encoder().fit(table)
    assert (encoder.n_flags, encoder.flag_widths) == (64, [64])
    x = encoder.transform(table)
    np.testing.assert_array_equal(x[0], x[1])
    assert (x[0] != x[2]).any()
    assert not x[3:].any()
    again = Encoder.from_description(json.loads(json.dumps(encoder.describe())))
    np.testing.assert_array_equal(again.transform(table), x)
    with pytest.raises(ArgumentError, match="no texts in column 'review'"):
        encoder.transform(read(review=[1.0]))


def test_dates_become_their_parts_and_constant_parts_are_left_out() -> None:
    days = np.arange(18_000.0, 18_400.0)
    encoder = Encoder().fit(read(d_start=days))
    parts = [column.part for column in encoder.numbers]
    assert parts == [
        "days", "weekday", "day of the year", "day of the month", "week sine", "week cosine",
        "year sine", "year cosine",
    ]  # fmt: skip
    # 2019-04-14 and 2020-01-01: a leap year has one day more at its end.
    days_of_month = encoder.numbers[3]
    fourteenth = days_of_month.scaling.apply(np.array([14.0]))
    assert days_of_month.transform(np.array([18_000.0])) == fourteenth
    assert encoder.numbers[1].scaling.center == pytest.approx(3.0, abs=0.02)
    # 2019-04-14 was a Sunday.
    number = encoder.numbers[1]
    assert number.transform(np.array([18_000.0])) == number.scaling.apply(np.array([6.0]))


def test_missing_numbers_are_the_median_and_flagged() -> None:
    table = read(x=[1.0, 2.0, np.nan, 4.0, 9.0], pair=[0.0, 1.0, 0.0, 0.0, 1.0])
    encoder = Encoder().fit(table)
    assert (encoder.n_numbers, encoder.n_flags) == (1, 2)
    x = encoder.transform(table, np.float64)
    assert x[2, 0] == encoder.numbers[0].scaling.apply(np.array([3.0]))
    np.testing.assert_array_equal(x[:, 2], [0, 0, 1, 0, 0])


@pytest.mark.parametrize("numbers", ["standard", "robust", "quantile"])
def test_a_described_encoder_is_the_same(numbers: str) -> None:
    x = np.where(RANDOM.random(100) < 0.1, np.nan, RANDOM.normal(size=100))
    table = read(x=x, c=np.arange(100) % 12, s=np.arange(100) % 2, d_day=np.arange(100.0) / 3)
    options = {"most_one_hot": 8, "scaled_levels": numbers == "robust"}
    encoder = Encoder(numbers, **options).fit(table)  # type: ignore[arg-type]
    again = Encoder.from_description(json.loads(json.dumps(encoder.describe())))
    np.testing.assert_array_equal(again.transform(table), encoder.transform(table))
    assert again.summary() == encoder.summary()
    assert again.names == ["x", "d_day", "c", "s"] == encoder.names


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["numbers"], {}),
        (["numbers", 0, "filling"], float("nan")),
        (["numbers", 0, "part"], "century"),
        (["numbers", 0, "scaling", "type"], "log"),
        (["numbers", 0, "scaling", "clip"], 0),
        (["numbers", 0, "scaling", "factor"], -1.0),
        (["levels", 0, "form"], "sign"),
        (["levels", 0, "levels"], [0, 0]),
        (["levels", 0, "levels"], [2**40]),
        (["levels", 0, "levels"], [-1, 2, 3]),
        (["levels", 0, "scales"], [[0.0, 1.0]]),
        (["levels", 0, "rare"], 1),
        (["extra"], 1),
    ],
)
def test_hostile_descriptions_are_refused(path: list[str | int], value: object) -> None:
    table = read(x=RANDOM.normal(size=30), c=np.arange(30) % 3)
    description = Encoder("robust").fit(table).describe()
    place = description
    for step in path[:-1]:
        place = place[step]  # type: ignore[index]
    place[path[-1]] = value  # type: ignore[index]
    with pytest.raises(ArgumentError):
        Encoder.from_description(description)


def test_tables_that_cannot_be_encoded_are_refused() -> None:
    with pytest.raises(ArgumentError, match="all rows are alike in x"):
        Encoder().fit(read(x=[1.0, 1.0, np.nan][:2]))
    encoder = Encoder().fit(read(x=[1.0, 2.0, 3.0], c=[0, 1, 0]))
    with pytest.raises(ArgumentError, match="no levels in column 'c'"):
        encoder.transform(read(x=[1.0]))


def test_the_summary_tells_how_columns_are_encoded() -> None:
    table = read(size=[0.0, 2.0, np.nan, 4.0] * 9, city=[0, 1, 2, 0] * 9)
    assert Encoder("standard").fit(table).summary() == {
        "size": "mean 2, deviation 1.633, clipped at 4; an input more for missing values",
        "city": "3 levels; an input each",
    }
    assert (
        Encoder("robust")
        .fit(table)
        .summary()["size"]
        .startswith("median 2, scale 4, smoothly clipped at 3; ")
    )
    assert Encoder("quantile").fit(table).summary()["size"].startswith("normal by quantiles; ")


def test_bins_lie_between_quantiles() -> None:
    x = np.column_stack([RANDOM.normal(size=200), np.repeat([0.0, 1.0], [130, 70])]).astype(
        np.float32
    )
    bins = Bins.fit(x, 8)
    assert [len(edges) - 1 for edges in bins.edges] == [8, 1]
    layer = bins.layer()
    assert not layer.trainable
    bins.set_layer(layer)
    repeated = np.repeat(x, bins.most, axis=1)
    pieces = np.clip(layer.forward(repeated), 0, 1).reshape(200, 2, 8)
    edges = bins.edges[0]
    expected = np.clip((x[:, :1] - edges[:-1]) / np.diff(edges), 0, 1)
    np.testing.assert_allclose(pieces[:, 0], expected, atol=1e-5)
    np.testing.assert_array_equal(pieces[:, 1, 0], x[:, 1])
    assert not pieces[:, 1, 1:].any()


def test_of_many_numbers_those_with_many_values_are_encoded_by_bins() -> None:
    many, few = RANDOM.normal(size=(100, 2)), RANDOM.integers(0, 6, (100, 4))
    x = np.column_stack([few[:, :2], many, few[:, 2:]]).astype(np.float64)
    bins, places = Bins.fit_some(x, 16, None)
    assert bins is not None
    assert places.tolist() == list(range(6))
    bins, places = Bins.fit_some(x, 32, 3)
    assert bins is not None
    assert places.tolist() == [2, 3]
    np.testing.assert_array_equal(bins.edges[0], Bins.fit(x[:, [2]], 32).edges[0])
    few = np.where(x[:, :4] > 2, 1.0, 0.0)
    for numbers, most, columns in ((x, 16, 1), (x, 0, None), (few, 16, 9)):
        bins, places = Bins.fit_some(numbers, most, columns)
        assert bins is None
        assert len(places) == 0


def test_the_rarer_of_two_values_is_not_far_out_among_quantiles() -> None:
    rare = np.where(np.arange(1000) == 7, 1.0, 0.0)
    encoder = Encoder("quantile").fit(read(x=rare))
    assert np.ptp(encoder.transform(read(x=rare))) < 2.0
