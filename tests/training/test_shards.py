"""Batches in shards: the gradient of each part by itself, added in a fixed binary tree."""

from __future__ import annotations

import numpy as np
import pytest
from tests import harness
from tests.harness import same_bits

import fastmlp as fm
from fastmlp import reference as ref
from fastmlp.reference.shards import shard_rows, tree_sum


def joined(dtype):
    """Products, sums in order, a fold, groups, and layers whose state depends on the batch."""
    return fm.Sequential(
        fm.Linear(12, 48), fm.LayerNorm(48), fm.GELU(), fm.Linear(12, 10, fold=4),
        fm.Linear(40, 20, groups=5), fm.Tanh(), fm.Scale(20), fm.Linear(20, 3), seed=1, dtype=dtype,
    )  # fmt: skip


def gradient_by_hand(net, x, y, shards, weight=None):
    """The tree over the gradients of the shards, each from calls by hand."""
    loss = fm.CrossEntropyLoss()
    loss.forward(net.forward(x), y, weight)
    dscores, parts = loss.backward(), []
    for rows in shard_rows(len(x), shards):
        net.forward(x[rows])
        net.backward(dscores[rows])
        parts.append(net.grads.copy() if rows.start < rows.stop else np.zeros_like(net.grads))
    return tree_sum(parts)


def problem(rows, dtype="float32", features=12):
    rng = harness.generator(rows)
    return rng.normal(size=(rows, features)).astype(dtype), rng.integers(0, 3, rows)


@pytest.mark.parametrize(
    ("rows", "shards", "dtype"),
    [(64, 8, "float32"), (37, 4, "float64"), (5, 8, "float32"), (2300, 2, "float32")],
)
def test_a_step_has_the_sum_of_the_shards_in_the_tree(rows, shards, dtype):
    x, y = problem(rows, dtype)
    net = joined(dtype)
    expected = gradient_by_hand(net.copy(), x, y, shards)
    fm.Trainer(net, fm.CrossEntropyLoss(), fm.SGD(lr=0.1), shards=shards).step(x, y)
    assert same_bits(net.grads, expected)


def test_weighted_rows_and_embeddings_have_it_too():
    rng = harness.generator(3)
    x = rng.integers(0, 7, (40, 2)).astype(np.float32)
    y, weight = rng.integers(0, 3, 40), rng.uniform(size=40).astype(np.float32)
    net = fm.Sequential(fm.Embedding(7, 6, columns=2), fm.Linear(12, 3), seed=2)
    expected = gradient_by_hand(net.copy(), x, y, 4, weight)
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.SGD(lr=0.1), shards=4)
    trainer.step(x, y, weight)
    np.testing.assert_allclose(net.grads, expected, rtol=1e-5, atol=1e-7)
    assert same_bits(net.grads[:42], expected[:42])


@pytest.mark.parametrize("shards", [2, 8])
def test_steps_agree_with_the_reference(shards):
    rng = harness.generator(4)
    x, y, weight = rng.normal(size=(22, 6)), rng.integers(0, 3, 22), rng.uniform(size=22)
    net = fm.Sequential(fm.Linear(6, 9), fm.BatchNorm(9), fm.Tanh(), fm.Dropout(0.2),
                        fm.Linear(9, 3), dtype="float64", seed=5)  # fmt: skip
    twin = ref.Sequential(
        harness.layer_reference(net[0], 0, 6, 5, None), ref.BatchNorm(np.ones(9), np.zeros(9)),
        *(harness.layer_reference(net[k], k, 9, 5, None) for k in (2, 3, 4)),
    )  # fmt: skip
    other = ref.Trainer(twin, ref.CrossEntropyLoss(), ref.SGD(lr=0.1), [ref.L2(0.01)], 0.4, shards)
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.SGD(lr=0.1, clip_norm=0.4),
                         penalty=fm.L2(0.01), shards=shards)  # fmt: skip
    for _ in range(5):
        assert np.isclose(trainer.step(x, y, weight), other.step(x, y, weight), rtol=1e-12)
    np.testing.assert_allclose(net.params, np.concatenate([p.ravel() for p in twin.params]),
                               rtol=1e-10, atol=1e-12)  # fmt: skip
    norm = net.layers[1]
    moments = twin.layers[1]
    np.testing.assert_allclose(norm.running_mean, moments.running_mean, rtol=1e-10)
    np.testing.assert_allclose(norm.running_var, moments.running_var, rtol=1e-10)


def fitted(net, x, y, **options):
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.Adam(lr=0.01), shards=8)
    trainer.fit(x, y, epochs=2, batch_size=60, progress=False, **options)
    return net.params.copy()


def batch_norm(dtype="float32"):
    return fm.Sequential(fm.Linear(12, 30), fm.BatchNorm(30), fm.ReLU(), fm.Dropout(0.3),
                         fm.Linear(30, 3), seed=6, dtype=dtype)  # fmt: skip


@pytest.mark.parametrize("make", [joined, batch_norm])
def test_any_number_of_threads_gives_the_same_bits(make):
    x, y = problem(130)
    with harness.using_threads(1):
        expected = fitted(make("float32"), x, y)
    for threads in (2, 3, 7):
        with harness.using_threads(threads):
            assert same_bits(fitted(make("float32"), x, y), expected)


def test_large_steps_that_reuse_memory_give_the_same_bits():
    x, y = problem(2100, features=16)
    net = fm.Sequential(fm.Linear(16, 520), fm.ReLU(), fm.Linear(520, 500), fm.ReLU(),
                        fm.Linear(500, 3), seed=1)  # fmt: skip
    expected = gradient_by_hand(net.copy(), x, y, 4)
    fm.Trainer(net, fm.CrossEntropyLoss(), fm.SGD(lr=0.1), shards=4).step(x, y)
    assert same_bits(net.grads, expected)


def test_sparse_rows_give_the_bits_of_dense_ones():
    sparse = pytest.importorskip("scipy.sparse")
    x, y = problem(50)
    x[np.abs(x) < 1.0] = 0.0
    nets = [fm.Sequential(fm.Linear(12, 20), fm.ReLU(), fm.Linear(20, 3), seed=1) for _ in "ab"]
    assert same_bits(fitted(nets[0], x, y), fitted(nets[1], sparse.csr_matrix(x), y))


def test_both_halves_of_a_step_give_the_bits_of_a_step():
    x, y = problem(50)
    nets = [joined("float32"), joined("float32")]
    for net in nets:
        trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.SGD(lr=0.1), shards=8)
        if net is nets[0]:
            trainer.step(x, y)
            continue
        loss = fm.CrossEntropyLoss()
        loss.forward(trainer.forward(x), y)
        trainer.apply(loss.backward())
    assert same_bits(nets[0].params, nets[1].params)


def test_members_have_their_losses_in_shards():
    x, y = problem(64)
    histories = []
    for shards in (1, 8):
        net = fm.Sequential(fm.Linear(24, 16, groups=2), fm.Tanh(), fm.Linear(16, 6, groups=2),
                            seed=1, dtype="float64")  # fmt: skip
        histories.append(
            fm.fit(net, x, y, loss=fm.CrossEntropyLoss(fold=2), members=2, epochs=2, batch_size=30,
                   progress=False, shards=shards)
        )  # fmt: skip
    np.testing.assert_allclose(histories[0].member_loss, histories[1].member_loss, rtol=1e-9)


def test_own_losses_see_the_whole_batch():
    seen = []

    def loss(scores, y):
        seen.append(len(scores))
        return float(np.mean((scores - y) ** 2)), 2 * (scores - y) / scores.size

    x = np.ones((20, 2), np.float32)
    net = fm.Sequential(fm.Linear(2, 1), seed=0)
    fm.Trainer(net, loss, fm.SGD(lr=0.1), shards=4).step(x, np.zeros((20, 1), np.float32))
    assert seen == [20]


def test_a_saved_trainer_keeps_its_shards(tmp_path):
    x, y = problem(40)
    trainer = fm.Trainer(batch_norm(), fm.CrossEntropyLoss(), shards=4)
    trainer.step(x, y)
    trainer.save(tmp_path / "trainer.safetensors")
    other = fm.Trainer.load(tmp_path / "trainer.safetensors")
    assert other.shards == 4
    assert other.step(x, y) == trainer.step(x, y)
    assert same_bits(other.net.params, trainer.net.params)


@pytest.mark.parametrize("shards", [0, 3, 2048, -8])
def test_other_numbers_of_shards_are_refused(shards):
    with pytest.raises(fm.ArgumentError, match=f"shards: got {shards}; want"):
        fm.Trainer(joined("float32"), fm.CrossEntropyLoss(), shards=shards)


class Twice:
    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


def test_what_needs_the_whole_batch_is_refused():
    net = fm.Sequential(fm.Linear(2, 2), fm.Custom(Twice(), 2), fm.Linear(2, 1))
    with pytest.raises(fm.ArgumentError, match="shards: got 4 for a network with"):
        fm.Trainer(net, fm.MSELoss(), shards=4)
    net = fm.Sequential(fm.Linear(2, 1))
    with pytest.raises(fm.ArgumentError, match="shards: got 4 with LBFGS"):
        fm.Trainer(net, fm.MSELoss(), fm.LBFGS(), shards=4)
    trainer = fm.Trainer(net, fm.MSELoss(), shards=2)
    with pytest.raises(fm.ArgumentError, match="accumulate: got a trainer with shards=2"):
        trainer.accumulate([[1.0, 2.0]], [1.0])
