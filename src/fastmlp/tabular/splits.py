"""Which rows are trained, validated and tested on.

With the same seed, ``train_test_split``, ``KFold`` and ``StratifiedKFold`` of scikit-learn choose
the same rows (tests compare them). Importing scikit-learn for it would take a second.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from fastmlp.base.validation import Array

TEST_SHARE = 0.15  # of the rows
# Rows: rarer classes are split as if they were one. A share of `TEST_SHARE` has one row of each.
FEWEST_PER_STRATUM = 10


def split_off(y: Array, classes: int, share: float, seed: int) -> tuple[Array, Array]:
    """Split the rows of a target in two at random, the second part being `share` of them.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Class indices, or numbers if `classes` is 0.
    classes : int
        Number of classes; each has an equal share of both parts.
    share : float
    seed : int

    Returns
    -------
    two ndarrays of row numbers
    """
    random = np.random.RandomState(seed)
    count = math.ceil(share * len(y))
    strata = _strata(y, classes, FEWEST_PER_STRATUM)
    if strata is None:
        shuffled = random.permutation(len(y))
        return shuffled[count:], shuffled[:count]
    return _stratified(strata, count, random)


def _stratified(strata: Array, count: int, random: np.random.RandomState) -> tuple[Array, Array]:
    """Split ``range(len(strata))``: the second part has `count` rows, strata in equal shares."""
    sizes = np.unique(strata, return_counts=True)[1]
    of_strata = np.split(np.argsort(strata, kind="stable"), np.cumsum(sizes)[:-1])
    in_first = _shares(sizes, len(strata) - count, random)
    in_second = _shares(sizes - in_first, count, random)
    first, second = [], []
    for rows, a, b in zip(of_strata, in_first, in_second, strict=True):
        shuffled = rows[random.permutation(len(rows))]
        first.append(shuffled[:a])
        second.append(shuffled[a : a + b])
    return random.permutation(np.concatenate(first)), random.permutation(np.concatenate(second))


def _shares(sizes: Array, count: int, random: np.random.RandomState) -> Array:
    """Share `count` rows among strata in proportion to their sizes.

    Shares are rounded down; the rows left over go to the largest remainders, by lot among equals.
    """
    exact = sizes / sizes.sum() * count
    shares = np.floor(exact)
    remainders = exact - shares
    left = int(count - shares.sum())
    for remainder in np.unique(remainders)[::-1]:
        if left == 0:
            break
        equals = np.flatnonzero(remainders == remainder)
        chosen = random.choice(equals, size=min(len(equals), left), replace=False)
        shares[chosen] += 1
        left -= len(chosen)
    whole: Array = shares.astype(np.int64)
    return whole


def folds(y: Array, classes: int, count: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """Rows to train and rows to test on, `count` times; each row is tested on once."""
    rows = np.arange(len(y))
    strata = _strata(y, classes, count)
    random = np.random.RandomState(seed)
    fold = np.empty(len(y), dtype=np.int64)  # the one that a row is tested in
    if strata is None:
        fold[random.permutation(rows)] = np.sort(rows % count)
    else:
        _, first, codes = np.unique(strata, return_index=True, return_inverse=True)
        # Strata in the order in which they first occur.
        ordered = np.argsort(np.argsort(first))[codes]
        dealt = np.arange(len(rows)) % count
        for stratum in range(len(first)):
            of_stratum = np.sort(dealt[np.sort(ordered) == stratum])
            random.shuffle(of_stratum)
            fold[ordered == stratum] = of_stratum
    for number in range(count):
        yield rows[fold != number], rows[fold == number]


def _strata(y: Array, classes: int, fewest: int) -> Array | None:
    """The classes, those with fewer rows than `fewest` put together; None for a regression."""
    if not classes:
        return None
    counts = np.bincount(y, minlength=classes)
    rare = np.flatnonzero(counts < fewest)
    if counts[rare].sum() < fewest:
        # Too few even together: they go with the most frequent class.
        return np.where(np.isin(y, rare), counts.argmax(), y)
    return np.where(np.isin(y, rare), rare[0], y)
