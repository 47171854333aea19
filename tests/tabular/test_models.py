"""Models for tables: what each one learns, and what all have in common."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.tabular.test_encoding import read

import fastmlp as fm
from fastmlp.base.errors import ArgumentError
from fastmlp.tabular.columns import ReadTable
from fastmlp.tabular.models import MLP, MODELS, RealMLP, TabM, find_model
from fastmlp.tabular.models.base import Member
from fastmlp.tabular.models.first_values import set_by_rows
from fastmlp.tabular.models.head import Head
from fastmlp.tabular.models.realmlp import groups

SMALL = {
    "mlp": MLP(hidden=(64, 32), epochs=60, lr=0.01),
    "realmlp": RealMLP(hidden=(32, 32), epochs=30, batch_size=64),
    "tabm": TabM(members=4, hidden=(32,), epochs=20, batch_size=64, bins=8, lr=0.01),
}


def table(rows: int = 400, seed: int = 0) -> tuple[ReadTable, np.ndarray, np.ndarray]:
    """A table with numbers, few and many levels and missing values; classes; and numbers."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 2))
    few, many = random.integers(0, 3, rows), random.integers(0, 12, rows)
    value = np.sin(2 * x[:, 0]) + 0.5 * (few == 1) + 0.1 * many
    x[random.random(rows) < 0.05, 1] = np.nan
    found = read(a=x[:, 0], b=x[:, 1], few=few, many=many)
    return found, (value > np.median(value)).astype(np.int64), 1000.0 + 50.0 * value


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("classes", [2, 0])
def test_every_model_learns(name: str, classes: int) -> None:
    (train, *y), (test, *true) = table(), table(200, seed=1)
    target, expected = (y[0], true[0]) if classes else (y[1], true[1])
    member = SMALL[name].fit_member(
        train.rows(np.arange(300)), target[:300], train.rows(np.arange(300, 400)), target[300:],
        classes=classes, seed=1,
    )  # fmt: skip
    outputs = member.outputs(test)
    assert outputs.dtype == np.float64
    if classes:
        np.testing.assert_allclose(outputs.sum(axis=1), 1.0)
        assert (outputs.argmax(axis=1) == expected).mean() > 0.8
    else:
        assert np.corrcoef(outputs, expected)[0, 1] > 0.85
    assert len(member.history.val_loss) == len(member.history.loss)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_same_seed_same_bits_on_any_number_of_threads(name: str) -> None:
    train, y, _ = table(150)
    found = []
    for count in (1, 2):
        with fm.threads(count):
            found.append(SMALL[name].fit_member(train, y, classes=2, seed=5).net.params)
    np.testing.assert_array_equal(*found)


def test_sparse_inputs_give_the_bits_of_dense_ones(monkeypatch) -> None:
    train, y, _ = table(150)
    found = []
    for most in (0.0, 1.0):
        monkeypatch.setattr("fastmlp.tabular.encoding.encoder._MOST_ENTRIES", most)
        member = SMALL["mlp"].fit_member(train, y, train, y, classes=2, seed=5)
        found.append((member.net.params, member.outputs(train)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_saved_member_predicts_the_same(name: str, tmp_path) -> None:
    train, _, y = table(150)
    member = SMALL[name].fit_member(train, y, classes=0)
    member.net.save(tmp_path / "net.safetensors")
    description = json.loads(json.dumps(member.describe()))
    again = Member.from_description(fm.load(tmp_path / "net.safetensors"), description)
    np.testing.assert_array_equal(again.outputs(train), member.outputs(train))
    description["head"]["members"] = 3
    with pytest.raises(ArgumentError, match="widths"):
        Member.from_description(again.net, description)


def test_the_last_of_equally_good_epochs_is_kept() -> None:
    train, y, _ = table(150)
    member = RealMLP(hidden=(8,), epochs=7, batch_size=32).fit_member(
        train, y, train, y, classes=2, metric=lambda true, outputs: 0.5
    )
    assert member.history.best_epoch == 6


def test_sample_weights_count() -> None:
    train, y, _ = table(300)
    flipped = np.where(np.arange(300) % 2, y, 1 - y)
    weight = (np.arange(300) % 2).astype(np.float64)
    member = SMALL["mlp"].fit_member(train, flipped, classes=2, sample_weight=weight)
    assert (member.outputs(train).argmax(axis=1) == y).mean() > 0.75


def test_predicted_numbers_stay_in_the_range_of_the_training() -> None:
    y = np.array([1.0, 2.0, 5.0])
    head = Head.fit(y, 0, clamp=True)
    np.testing.assert_allclose(head.outputs(np.array([[-99.0], [0.0], [99.0]])), [1, 8 / 3, 5])
    open_head = Head.from_description(json.loads(json.dumps(Head.fit(y, 0).describe())))
    assert open_head.outputs(np.array([[99.0]]))[0] > 100


def test_members_of_a_head_are_averaged_as_probabilities() -> None:
    scores = np.array([[0.0, 0.0, 0.0, np.log(3.0)]])
    np.testing.assert_allclose(Head(2, members=2).outputs(scores), [[0.375, 0.625]])


@pytest.mark.parametrize(
    ("key", "value"),
    [("classes", 1), ("classes", True), ("members", 0), ("scale", 0.0), ("mean", "0"), ("more", 1),
     ("low", 9.0)],
)  # fmt: skip
def test_hostile_heads_are_refused(key: str, value: object) -> None:
    description = Head.fit(np.array([1.0, 2.0]), 0, clamp=True).describe()
    with pytest.raises(ArgumentError):
        Head.from_description({**description, key: value})


def test_first_values_give_each_unit_deviation_1_and_a_kink_among_the_rows() -> None:
    x = np.random.default_rng(0).normal(3.0, 5.0, (500, 6)).astype(np.float32)
    layer = fm.Linear(6, 40)
    z = set_by_rows(layer, x, seed=1, number=0)
    np.testing.assert_allclose(z.std(axis=0), 1.0, rtol=1e-4)
    assert (z.min(axis=0) < 0).all()
    assert (z.max(axis=0) > 0).all()


def test_weights_shrink_as_in_the_published_code() -> None:
    train, y, _ = table(100)
    net = RealMLP(hidden=(16,)).fit_member(train, y, classes=2).net
    found = groups(net)
    fans = {"linear 1": net["linear 1"].in_features, "y": 16}
    for name, fan_in in fans.items():
        one = found[f"{name}.W"]
        assert one["lr"] == pytest.approx(fan_in**-0.5)
        assert one["lr"] * one["weight_decay"] == pytest.approx(1.0)
        assert found[f"{name}.b"] == {"lr": 0.1, "weight_decay": 0.0}
    for name, factor in (("scale", 6.0), ("activation 1", 0.1), ("angles.gain", 0.1)):
        assert found[name]["lr"] * found[name]["weight_decay"] == pytest.approx(factor**2)


def test_only_the_first_scaling_of_tabm_differs_between_members() -> None:
    train, y, _ = table(100)
    model = TabM(members=3, hidden=(8, 8), bins=4)
    encoder = model.encoder().fit(train)
    net = model.network(encoder, encoder.transform(train), model.head(y, 2), 0)
    first = net["r 1"].gain.reshape(3, -1)
    assert not (first[0] == first[1]).all()
    assert len(np.unique(first[0])) == len(encoder.numbers) + len(encoder.flag_widths)
    assert (net["r 2"].gain == 1).all()
    shift = net["s 1"].shift.reshape(3, -1)
    assert (shift[0] == shift[1]).all()
    signs = TabM(members=3, hidden=(8,), bins=0)
    plain = signs.network(encoder, encoder.transform(train), signs.head(y, 2), 0)
    assert set(plain["r 1"].gain.tolist()) == {-1.0, 1.0}


def test_realmlp_embeds_numbers_by_bins_too() -> None:
    (train, _, y), (test, _, true) = table(), table(200, seed=1)
    model = RealMLP(hidden=(32, 32), epochs=30, batch_size=64, bins=8, lr=0.05)
    net = model.fit_member(train, y, classes=0, seed=1)
    assert net.net["slopes"].groups == 2
    assert np.corrcoef(net.outputs(test), true)[0, 1] > 0.85


def test_an_annealed_training_ends_with_small_steps_and_not_before() -> None:
    train, y, _ = table(150)
    model = TabM(members=1, hidden=(8,), epochs=9, waits=1, annealed=True)
    settings = model.settings(None, 150, 2)
    assert settings["schedule"].rates(model.lr, 8, 9, 1)[0] < 1e-3 * model.lr
    found = model.fit_member(train, y, train, y, classes=2, metric=lambda true, outputs: 0.5)
    assert len(found.history) == 9


def test_a_wrong_model_is_refused() -> None:
    assert find_model("realmlp") == RealMLP()
    with pytest.raises(ArgumentError, match="want one of mlp, realmlp, tabm"):
        find_model("trees")
    with pytest.raises(ArgumentError, match="dropout"):
        TabM(dropout=1.0)
    with pytest.raises(ArgumentError, match="compute"):
        RealMLP(dtype="float64", compute="bfloat16")
