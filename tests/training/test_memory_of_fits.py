"""A fit holds no second copy of its data."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import _core

ROWS, WIDTH = 20_000, 100
X = np.sin(np.arange(ROWS * WIDTH, dtype=np.float32)).reshape(ROWS, WIDTH)
Y = np.arange(ROWS) % 3


def make(*layers):
    return fm.Sequential(*layers, fm.Linear(WIDTH, 3, init="zeros"), seed=0)


def fit(**options):
    loss = fm.CrossEntropyLoss()
    return fm.fit(make(), X, Y, loss=loss, epochs=2, progress=False, **options)


def estimator(**options):
    from fastmlp.sklearn import MLPClassifier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MLPClassifier((2,), max_iter=2, **options).fit(X, Y)


def peak_bytes(call):
    """Peak of what Python and NumPy allocate."""
    call()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("call", "most"),
    [
        (lambda: fit(), 0.1),
        (lambda: fit(shuffle=False), 0.1),
        (lambda: fit(sample_weight=np.ones(ROWS, np.float32)), 0.1),
        (lambda: fit(validation=0.5), 0.65),
        (lambda: fit(validation=(X, Y)), 0.15),
        (lambda: fit(optimizer=fm.LBFGS()), 0.15),
        (lambda: estimator(), 0.2),
        (lambda: estimator(early_stopping=True, validation_fraction=0.5), 0.75),
    ],
    ids=["plain", "in order", "weights", "split", "given", "lbfgs", "sklearn", "sklearn, split"],
)
def test_a_fit_copies_only_parts_of_its_rows(call, most):
    if "estimator" in call.__code__.co_names:
        pytest.importorskip("sklearn")
    assert peak_bytes(call) < most * X.nbytes


def test_a_split_has_the_bits_of_copies():
    """Rows of the split are gathered from the given arrays; the result is that of copied rows."""
    weights = np.linspace(0.5, 1.5, ROWS, dtype=np.float32)
    split, copied = make(), make()
    seen = []

    class Look:
        def on_fit_ready(self, state):
            seen.append(state.fingerprint())

        def on_epoch_end(self, state):
            pass

    options = {"loss": fm.CrossEntropyLoss(), "epochs": 2, "progress": False}
    one = fm.fit(split, X, Y, sample_weight=weights, validation=0.3, callbacks=[Look()], **options)
    draws = np.argsort(_core.random_uniform(ROWS, 0, 0xFFFFFFFE), kind="stable")
    held = int(np.ceil(0.3 * ROWS))
    train, test = np.sort(draws[held:]), np.sort(draws[:held])
    two = fm.fit(copied, X[train], Y[train], sample_weight=weights[train], callbacks=[Look()],
                 validation=(X[test], Y[test], weights[test]), **options)  # fmt: skip
    assert split.params.tobytes() == copied.params.tobytes()
    assert (one.loss, one.val_loss, one.val_score) == (two.loss, two.val_loss, two.val_score)
    assert seen[0] == seen[1]
