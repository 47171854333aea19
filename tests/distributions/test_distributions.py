"""Distributions: against closed forms, differences, their own samples, and PyTorch or SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from tests.harness import generator

import fastmlp as fm
from fastmlp.distributions import Categorical, Gaussian, Normal, SquashedGaussian

ROWS, WIDTH = 5, 3


def parameters(dtype=np.float64, rows=ROWS):
    rng = generator("distributions")
    return rng.normal(size=(2, rows, WIDTH)).astype(dtype)


def slope(value, array, h=1e-6):
    """Central differences of the sum of ``value(array)``."""
    found = np.empty_like(array)
    for index in np.ndindex(array.shape):
        above, below = array.copy(), array.copy()
        above[index] += h
        below[index] -= h
        found[index] = (value(above).sum() - value(below).sum()) / (2 * h)
    return found


def test_gradients_of_classes():
    logits, action = parameters()[0], np.array([0, 2, 1, 1, 0])
    policy = Categorical(logits)
    expected = slope(lambda x: Categorical(x).log_prob(action), logits)
    np.testing.assert_allclose(policy.log_prob_gradient(action), expected, atol=1e-9)
    expected = slope(lambda x: Categorical(x).entropy(), logits)
    np.testing.assert_allclose(policy.entropy_gradient(), expected, atol=1e-9)


def test_probabilities_of_large_and_masked_logits():
    policy = Categorical([[1e4, 0.0, -np.inf], [0.0, 0.0, -np.inf]])
    assert policy.probs.tolist() == [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    np.testing.assert_allclose(policy.entropy(), [0.0, np.log(2.0)], rtol=1e-6)
    assert np.isfinite(policy.entropy_gradient()).all()
    assert policy.log_prob([2, 2]).tolist() == [-np.inf, -np.inf]
    assert set(policy.sample(0).tolist()) <= {0, 1}
    assert policy.mode().tolist() == [0, 0]


def test_classes_are_drawn_as_often_as_their_probabilities():
    logits = np.log(np.array([0.1, 0.2, 0.7]))
    drawn = Categorical(np.tile(logits, (20_000, 1))).sample(1)
    np.testing.assert_allclose(np.bincount(drawn) / 20_000, [0.1, 0.2, 0.7], atol=0.012)
    assert drawn.dtype == np.int64


def test_gradients_of_gaussians():
    mean, log_std = parameters()
    action = generator("action").normal(size=mean.shape)
    policy = Gaussian(mean, log_std)
    for found, expected in zip(
        policy.log_prob_gradient(action),
        (slope(lambda m: Gaussian(m, log_std).log_prob(action), mean),
         slope(lambda s: Gaussian(mean, s).log_prob(action), log_std)),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
    expected = slope(lambda s: Gaussian(mean, s).entropy(), log_std)
    np.testing.assert_allclose(policy.entropy_gradient()[1], expected, atol=1e-8)
    assert not policy.entropy_gradient()[0].any()


def test_samples_of_gaussians():
    policy = Gaussian(np.full((40_000, 2), [1.0, -2.0]), np.log([0.5, 2.0]))
    drawn = policy.sample(3)
    np.testing.assert_allclose(drawn.mean(axis=0), [1.0, -2.0], atol=0.03)
    np.testing.assert_allclose(drawn.std(axis=0), [0.5, 2.0], rtol=0.02)
    np.testing.assert_allclose(-policy.log_prob(drawn).mean(), policy.entropy()[0], atol=0.02)
    assert policy.mode() is policy.mean
    assert Normal is Gaussian


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (np.array([-2.0, 0.0, 1.0]), 3.0)])
def test_gradients_of_squashed_gaussians(low, high):
    mean, log_std = parameters()
    policy = SquashedGaussian(mean, 0.3 * log_std, low, high)
    drawn = policy.rsample(0)
    np.testing.assert_allclose(policy.log_prob(drawn.action), drawn.log_prob, rtol=1e-8)
    assert ((drawn.action >= policy.low) & (drawn.action <= policy.high)).all()
    weights = generator("weights").normal(size=mean.shape)
    of_log_prob = generator("of").normal(size=ROWS)

    def loss(m, s):
        noise = drawn.noise
        other = SquashedGaussian(m, s, low, high)
        u = m + np.exp(s) * noise
        action = other.low + (other.high - other.low) * (1 + np.tanh(u)) / 2
        return (weights * action).sum(axis=1) + of_log_prob * other.log_prob(action)

    found = policy.rsample_gradient(drawn.noise, weights, of_log_prob)
    expected = (
        slope(lambda m: loss(m, 0.3 * log_std), mean),
        slope(lambda s: loss(mean, s), 0.3 * log_std),
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)

    def fixed(m):
        return SquashedGaussian(m, 0.3 * log_std, low, high).log_prob(drawn.action)

    found = policy.log_prob_gradient(drawn.action)[0]
    np.testing.assert_allclose(found, slope(fixed, mean), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_squashing_far_from_zero_is_stable(dtype):
    """tanh is 1 in rounding, but its density is that of the tail."""
    policy = SquashedGaussian(np.array([[30.0], [-30.0]], dtype), np.zeros((2, 1), dtype))
    drawn = policy.rsample(0)
    assert np.abs(drawn.action).tolist() == [[1.0], [1.0]]
    u = 30.0 + np.array([1.0, -1.0]) * drawn.noise[:, 0]
    expected = -0.5 * drawn.noise[:, 0] ** 2 - 0.5 * np.log(2 * np.pi) + 2 * u - 2 * np.log(2)
    np.testing.assert_allclose(drawn.log_prob, expected, rtol=1e-5)
    assert drawn.log_prob.dtype == drawn.action.dtype == dtype
    assert np.isfinite(policy.log_prob(drawn.action)).all()
    assert np.isfinite(np.hstack(policy.rsample_gradient(drawn.noise, drawn.action, [1, 1]))).all()


def test_the_density_of_a_squashed_gaussian_integrates_to_one():
    grid = np.linspace(-2.0, 1.0, 20_001)[1:-1, np.newaxis]
    policy = SquashedGaussian(np.full_like(grid, 0.3), np.full_like(grid, -0.2), -2.0, 1.0)
    assert np.exp(policy.log_prob(grid)).sum() * 3.0 / 20_000 == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: Categorical(x),
        lambda x: Gaussian(x, np.zeros(WIDTH)),
        lambda x: SquashedGaussian(x, np.zeros(WIDTH)),
    ],
)
def test_samples_are_seeded_and_shaped(make):
    x = parameters(np.float32)[0]
    policy = make(x)
    first = policy.sample(7)
    assert np.array_equal(first, policy.sample(np.random.default_rng(7)))
    assert not np.array_equal(first, policy.sample(8))
    one, many = make(x[0]), make(np.broadcast_to(x, (2, *x.shape)))
    assert one.sample(0).shape == first.shape[1:]
    assert many.sample(0).shape == (2, *first.shape)
    assert many.log_prob(many.mode()).shape == (2, ROWS)
    if first.dtype.kind == "f":
        assert first.dtype == np.float32
        assert policy.log_prob(first).dtype == np.float32
    assert "shape" in repr(policy)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Categorical("a"), "^logits: got"),
        (lambda: Categorical(1.0), "^logits: got shape"),
        (lambda: Categorical([[0.0, 1.0]]).log_prob([2]), "^action: got label 2"),
        (lambda: Categorical([[0.0, 1.0]]).log_prob([0, 1]), r"^action: got shape \(2,\)"),
        (lambda: Categorical([[0.0, 1.0]]).sample("a"), "^rng: got 'a'; want a numpy.random.Gen"),
        (lambda: Categorical([[0.0, 1.0]]).sample(-1), "^rng: got -1"),
        (lambda: Gaussian([[0.0, 1.0]], [0.0]), r"^log_std: got shape \(1,\); want \(1, 2\)"),
        (lambda: Gaussian([0.0], [0.0]).log_prob([[0.0]]), "^action: got shape"),
        (lambda: SquashedGaussian([0.0], [0.0], 1.0, 1.0), "^high: got 1.0; want finite"),
        (lambda: SquashedGaussian([0.0], [0.0], low=[0.0, 0.0]), "^low: got shape"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises((fm.ArgumentError, fm.ArgumentTypeError), match=message):
        call()


def test_they_equal_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (pip install torch)")
    mean, log_std = parameters()
    theirs = torch.distributions.Categorical(logits=torch.tensor(mean))
    ours, action = Categorical(mean), np.array([0, 2, 1, 1, 0])
    np.testing.assert_allclose(ours.log_prob(action), theirs.log_prob(torch.tensor(action)))
    np.testing.assert_allclose(ours.entropy(), theirs.entropy())
    scale = torch.tensor(np.exp(0.5 * log_std))
    normal = torch.distributions.Normal(torch.tensor(mean), scale)
    gaussian = Gaussian(mean, 0.5 * log_std)
    np.testing.assert_allclose(gaussian.entropy(), normal.entropy().sum(-1))
    squash = torch.distributions.TransformedDistribution(
        normal, [torch.distributions.TanhTransform()]
    )
    inside = np.tanh(gaussian.sample(0))
    expected = squash.log_prob(torch.tensor(inside)).sum(-1)
    np.testing.assert_allclose(
        SquashedGaussian(mean, 0.5 * log_std).log_prob(inside), expected, rtol=1e-8
    )


def test_they_equal_scipy():
    stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed (pip install scipy)")
    mean, log_std = parameters()
    policy = Gaussian(mean, log_std)
    x = policy.sample(0)
    expected = stats.norm(mean, np.exp(log_std))
    np.testing.assert_allclose(policy.log_prob(x), expected.logpdf(x).sum(axis=1))
    np.testing.assert_allclose(policy.entropy(), expected.entropy().sum(axis=1))
