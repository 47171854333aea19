"""Splits of rows equal scikit-learn's, keep the proportions, and use each row once."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import model_selection

from fastmlp.tabular.splits import _strata, folds, split_off


def made_up(counts: tuple[int, ...], seed: int) -> tuple[np.ndarray, int]:
    """Classes with these numbers of rows, in random order; a regression if there is only one."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    return y, len(counts) if len(counts) > 1 else 0


COUNTS = [(101,), (64, 64), (140, 35, 13), (90, 9, 1), (11, *[12] * 9), (30, *[2] * 7), (26, 2)]


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("share", [0.15, 0.3, 0.5])
def test_two_parts_are_those_of_scikit_learn(counts: tuple[int, ...], share: float) -> None:
    for seed in range(5):
        y, classes = made_up(counts, seed)
        expected = model_selection.train_test_split(
            np.arange(len(y)), test_size=share, stratify=_strata(y, classes, 10), random_state=seed
        )
        for found, wanted in zip(split_off(y, classes, share, seed), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("count", [2, 3, 7])
def test_folds_are_those_of_scikit_learn(counts: tuple[int, ...], count: int) -> None:
    for seed in range(5):
        y, classes = made_up(counts, seed)
        strata = _strata(y, classes, count)
        kind = model_selection.KFold if strata is None else model_selection.StratifiedKFold
        judge = kind(count, shuffle=True, random_state=seed)
        expected = judge.split(np.zeros(len(y)), strata)
        for found, wanted in zip(folds(y, classes, count, seed), expected, strict=True):
            np.testing.assert_array_equal(found[0], wanted[0])
            np.testing.assert_array_equal(found[1], wanted[1])


def test_folds_test_each_row_once_and_splits_keep_shares() -> None:
    y, classes = made_up((160, 38, 2), seed=0)
    tested = np.concatenate([test for _, test in folds(y, classes, 5, seed=0)])
    assert sorted(tested) == list(range(200))
    parts = split_off(y, classes, 0.15, seed=0)
    assert sorted(np.concatenate(parts)) == list(range(200))
    assert [len(part) for part in parts] == [170, 30]
    shares = [(y[part] == 0).mean() for part in parts]
    np.testing.assert_allclose(shares, 0.8, atol=0.03)
