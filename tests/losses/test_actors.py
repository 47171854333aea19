"""Losses of actors through a critic, and the targets of values and policies."""

from __future__ import annotations

import numpy as np
import pytest
from tests.harness import generator

import fastmlp as fm
from fastmlp.distributions import SquashedGaussian

ROWS, SEEN, ACTIONS = 6, 3, 2


def critic(columns=2):
    return fm.Sequential(
        fm.Linear(SEEN + ACTIONS, 8), fm.Tanh(), fm.Linear(8, columns), dtype="float64", seed=0
    )


def graph_critic():
    seen, action = fm.Input(SEEN, "seen"), fm.Input(ACTIONS, "action")
    h = fm.Tanh()(fm.Linear(SEEN + ACTIONS, 8)(fm.Concat()(seen, action)))
    return fm.Graph({"seen": seen, "action": action}, fm.Linear(8, 2)(h), dtype="float64", seed=0)


def rows(*shape):
    return generator("actors", shape).normal(size=shape)


def check_slope(make, scores, x, weight=None):
    """The gradient of a loss, made anew for each value, against central differences."""
    loss, h = make(), 1e-6
    loss.forward(scores, x, weight)
    gradient = loss.backward().copy()
    for index in np.ndindex(scores.shape):
        above, below = scores.copy(), scores.copy()
        above[index] += h
        below[index] -= h
        found = (make().forward(above, x, weight) - make().forward(below, x, weight)) / (2 * h)
        assert abs(found - gradient[index]) < 1e-8


@pytest.mark.parametrize("weight", [None, np.arange(ROWS, dtype=float)])
@pytest.mark.parametrize("make", [critic, graph_critic])
def test_gradients_pass_through_the_critic(make, weight):
    net, x = make(), rows(ROWS, SEEN)
    check_slope(lambda: fm.TD3ActorLoss(net), rows(ROWS, ACTIONS), x, weight)
    scores = 0.5 * rows(ROWS, 2 * ACTIONS)
    check_slope(lambda: fm.SACActorLoss(net, alpha=0.3, seed=4), scores, x, weight)
    box = {"low": [-2.0, 0.0], "high": 3.0}
    check_slope(lambda: fm.SACActorLoss(net, seed=4, **box), scores, x, weight)
    assert not net.grads.any()


def test_the_value_of_a_sac_actor_is_that_of_its_actions():
    net, x, scores = critic(), rows(ROWS, SEEN), rows(ROWS, 2 * ACTIONS)
    loss = fm.SACActorLoss(net, alpha=0.3, seed=9)
    value = loss.forward(scores, x)
    drawn = SquashedGaussian(*np.hsplit(scores, 2)).rsample(np.random.default_rng(9))
    q = net.predict(np.hstack([x, drawn.action])).min(axis=1)
    assert value == pytest.approx((0.3 * drawn.log_prob - q).mean())
    np.testing.assert_allclose(loss.log_prob, drawn.log_prob)


def test_log_deviations_beyond_the_limits_have_no_gradient():
    loss = fm.SACActorLoss(critic(), seed=0)
    loss.forward(np.array([[0.0, 0.0, -25.0, 3.0]]), rows(1, SEEN))
    assert loss.backward()[0, 2:].tolist() == [0.0, 0.0]
    assert np.isfinite(loss.backward()).all()


def test_an_actor_learns_the_best_action():
    """The critic is -|a - x|^2 / 2, so the best action is x."""
    seen, action = fm.Input(1, "seen"), fm.Input(1, "action")
    difference, half = fm.Linear(2, 1, bias=False), fm.Linear(1, 1, bias=False)
    value = half(fm.Square()(difference(fm.Concat()(seen, action))))
    net = fm.Graph({"seen": seen, "action": action}, value, seed=0)
    difference.W, half.W = [[-1.0], [1.0]], [[-0.5]]
    x = generator("best").uniform(-0.8, 0.8, size=(200, 1)).astype(np.float32)
    for loss, outputs in ((fm.TD3ActorLoss(net), 1), (fm.SACActorLoss(net, alpha=1e-4, seed=0), 2)):
        actor = fm.Sequential(fm.Linear(1, 32), fm.Tanh(), fm.Linear(32, outputs), seed=1)
        trainer = fm.Trainer(actor, loss, fm.Adam(lr=0.02))
        for _ in range(300):
            trainer.step(x, x)
        found = actor.predict(x)[:, :1]
        if outputs == 2:
            found = np.tanh(found)
        assert np.abs(found - x).mean() < 0.05


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fm.TD3ActorLoss(3), "^critic: got 3; want a network"),
        (lambda: fm.SACActorLoss(critic(), alpha=-1.0), "^alpha: got -1"),
        (
            lambda: fm.TD3ActorLoss(critic()).forward(rows(2, 2), rows(3, 3)),
            "^y: got 3 rows; want 2",
        ),
        (
            lambda: fm.SACActorLoss(critic()).forward(rows(2, 3), rows(2, 3)),
            "^scores: got 3 columns",
        ),
        (lambda: fm.TD3ActorLoss(critic()).forward("a", rows(3, 3)), "^scores: got"),
        (lambda: fm.TD3ActorLoss(critic()).forward(rows(2, 5), rows(2, 3)), "^x: got 8 columns"),
        (lambda: fm.dqn_target([1.0], [0], [[1.0]], gamma=1.5), "^gamma: got 1.5"),
        (lambda: fm.dqn_target([1.0, 2.0], [0], [[1.0]]), r"^reward: got shape \(2,\)"),
        (lambda: fm.dqn_target([1.0], [0], [[1.0]], next_q_online=[[1.0, 2.0]]), "^next_q_online"),
        (lambda: fm.sac_target([1.0], [0], [[1.0]], [0.0, 0.0]), "^next_log_prob: got shape"),
        (lambda: fm.gae([1.0], 1.0, [0], 0.0), "^values: got shape"),
        (lambda: fm.gae([1.0], [1.0], [0], [0.0]), r"^last_values: got shape \(1,\); want \(\)"),
        (lambda: fm.gae([[1.0]], [1.0], [0], 0.0), "^rewards: got shape"),
    ],
)
def test_arguments_that_do_not_fit_are_an_error(call, message):
    with pytest.raises((fm.ArgumentError, fm.ArgumentTypeError), match=message):
        call()


def test_targets_of_values():
    q, online = np.array([[1.0, 3.0], [2.0, 0.0]]), np.array([[5.0, 0.0], [0.0, 1.0]])
    reward, done = np.array([1.0, -1.0]), np.array([False, True])
    assert fm.dqn_target(reward, done, q, 0.5).tolist() == [2.5, -1.0]
    assert fm.dqn_target(reward, done, q, 0.5, online).tolist() == [1.5, -1.0]
    assert fm.td3_target(reward, done, q, 0.5).tolist() == [1.5, -1.0]
    assert fm.sac_target(reward, done, q, [2.0, 2.0], 0.5, 0.5).tolist() == [1.0, -1.0]
    assert fm.td3_target(reward, done, q.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("environments", [(), (3,)])
def test_advantages_equal_their_sums(environments):
    rng, steps, gamma, lam = generator("gae", environments), 9, 0.9, 0.8
    rewards, values = rng.normal(size=(2, steps, *environments))
    dones = rng.random(size=rewards.shape) < 0.3
    last = rng.normal(size=environments)
    advantages, returns = fm.gae(rewards, values, dones, last, gamma, lam)
    following = np.concatenate([values[1:], [last]])
    delta = rewards + gamma * (1 - dones) * following - values
    expected = np.zeros_like(rewards)
    for t in range(steps):
        factor = np.ones(environments)
        for k in range(t, steps):
            expected[t] += factor * delta[k]
            factor = factor * gamma * lam * (1 - dones[k])
    np.testing.assert_allclose(advantages, expected)
    np.testing.assert_allclose(returns, expected + values)
