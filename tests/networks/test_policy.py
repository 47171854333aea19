"""Policies: actions, their probabilities and values, from any form of observations."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.distributions import Categorical, Gaussian, SquashedGaussian

WIDTH, N, ACTIONS, NUMBERS = 4, 2000, 5, 3
OBS = np.random.default_rng(0).standard_normal((N, WIDTH))


def graph(outputs, dtype="float64", seed=1):
    x = fm.Input(WIDTH)
    h = fm.Tanh()(fm.Linear(WIDTH, 8)(x))
    return fm.Graph(x, {k: fm.Linear(8, n)(h) for k, n in outputs.items()}, seed=seed, dtype=dtype)


def chain(columns, dtype="float64", seed=1):
    return fm.Sequential(
        fm.Linear(WIDTH, 8), fm.Tanh(), fm.Linear(8, columns), seed=seed, dtype=dtype
    )


def policies(dtype):
    net = {"policy": ACTIONS, "value": 1}
    actor = {"policy": NUMBERS, "log_std": NUMBERS, "value": 1}
    wide = {"low": [-2.0, 0.0, 1.0], "high": 3.0}
    return {
        "categorical": fm.Policy(graph(net, dtype), seed=3),
        "categorical alone": fm.Policy(chain(ACTIONS, dtype), seed=3),
        "last column": fm.Policy(chain(ACTIONS + 1, dtype), value="last column", seed=3),
        "two networks": fm.Policy(chain(ACTIONS, dtype), value=chain(1, dtype, 2), seed=3),
        "frozen": fm.Policy(fm.freeze(graph(net, dtype)), seed=3),
        "gaussian": fm.Policy(chain(2 * NUMBERS, dtype), "gaussian", seed=3),
        "own log_std": fm.Policy(
            chain(NUMBERS, dtype), "gaussian", log_std=[-0.5, 0.0, 0.3], seed=3
        ),
        "output log_std": fm.Policy(graph(actor, dtype), "gaussian", seed=3),
        "squashed": fm.Policy(chain(2 * NUMBERS, dtype), "squashed_gaussian", seed=3),
        "box": fm.Policy(graph(actor, dtype), "squashed_gaussian", seed=3, **wide),
    }


NAMES = list(policies("float64"))


def parts(results):
    return [None if one is None else np.asarray(one).tobytes() for one in results]


def scores_of(policy, obs):
    """Scores, log_std and value, from the networks' predictions."""
    y = policy.net.predict(obs)
    y = y if isinstance(y, dict) else {"policy": y}
    value = y["value"][..., 0] if "value" in y else None
    scores = y["policy"]
    if isinstance(policy._options["value"], str):
        scores, value = scores[..., :-1], scores[..., -1]
    elif policy._options["value"] is not None:
        value = policy._options["value"].predict(obs)[..., 0]
    if policy.distribution == "categorical":
        return scores, None, value
    log_std = y.get("log_std", policy.log_std)
    if log_std is None:
        scores, log_std = scores[..., :NUMBERS], scores[..., NUMBERS:]
    return scores, log_std, value


def expected(policy, obs, actions):
    """The log probabilities of actions, and the entropy of their distributions."""
    scores, log_std, _ = scores_of(policy, obs)
    if policy.distribution == "categorical":
        found = Categorical(scores)
    elif policy.distribution == "gaussian":
        found = Gaussian(scores, log_std)
    else:
        box = policy._options["low"], policy._options["high"]
        return SquashedGaussian(scores, log_std, *box).log_prob(actions), None
    return found.log_prob(actions), found.entropy()


def knows_densities(policy, actions):
    """Where rounding does not hide how far an action is from an end of its box."""
    if policy.distribution != "squashed_gaussian":
        return np.full(N, True)
    low, high = (np.asarray(policy._options[end]) for end in ("low", "high"))
    return (np.abs(2 * (actions - low) / (high - low) - 1) < 1 - 1e-6).all(-1)


@pytest.mark.parametrize("name", NAMES)
def test_probabilities_and_values(name):
    policy = policies("float64")[name]
    actions, log_prob, value = policy.act(OBS)
    known = knows_densities(policy, actions)
    assert known.mean() > 0.9
    wanted, entropy = expected(policy, OBS[known], actions[known])
    tolerance = 1e-12 if entropy is not None else 1e-8
    np.testing.assert_allclose(log_prob[known], wanted, rtol=tolerance, atol=tolerance)
    own_value = scores_of(policy, OBS)[2]
    assert parts([value]) == parts([own_value])
    again, entropy_again, value_again = policy.evaluate(OBS, actions)
    np.testing.assert_allclose(again[known], wanted, rtol=tolerance, atol=tolerance)
    assert parts([value_again]) == parts([value])
    if entropy is None:
        assert entropy_again is None
    else:
        np.testing.assert_allclose(entropy_again, entropy, rtol=1e-12)
        assert parts([again]) == parts([log_prob])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_gives_the_bits_of_its_rows(name, dtype):
    few, wholly = policies(dtype)[name], policies(dtype)[name]
    obs = OBS[:12].astype(dtype)
    one_by_one = [few.act(row) for row in obs]
    found = wholly.act(obs)
    for k, whole in enumerate(found):
        if whole is None:
            assert all(one[k] is None for one in one_by_one)
        else:
            assert (
                np.array([one[k] for one in one_by_one], whole.dtype).tobytes() == whole.tobytes()
            )
    assert few.drawn == wholly.drawn > 0
    given = [few.evaluate(row, one[0]) for row, one in zip(obs, one_by_one, strict=True)]
    assert np.array([one[0] for one in given], dtype).tobytes() == (
        wholly.evaluate(obs, found[0])[0].tobytes()
    )


@pytest.mark.parametrize("name", ["categorical", "box"])
def test_any_form_of_observations(name):
    obs = OBS[:6].astype(np.float32)
    forms = [obs, obs.astype(float), list(obs), obs.tolist(), obs.astype(">f4"), obs[::-1][::-1]]
    results = [parts(policies("float32")[name].act(form)) for form in forms]
    assert all(result == results[0] for result in results)
    shaped = policies("float32")[name].act(obs.reshape(2, 3, WIDTH))
    assert parts(shaped) == results[0]
    assert shaped[1].shape == (2, 3)
    five = policies("float32")[name].act(obs.reshape(1, 2, 1, 3, WIDTH))
    assert parts(five) == results[0]
    assert five[1].shape == (1, 2, 1, 3)


def test_types_of_one_observation():
    tables = policies("float32")
    action, log_prob, value = tables["categorical"].act(OBS[0])
    assert [type(one) for one in (action, log_prob, value)] == [int, float, float]
    action, log_prob, value = tables["gaussian"].act(OBS[0].astype(">f8"))
    assert (action.shape, action.dtype, type(log_prob), value) == (
        (NUMBERS,),
        "float32",
        float,
        None,
    )
    assert [type(one) for one in tables["categorical"].evaluate(OBS[0], 2)] == [float] * 3


@pytest.mark.parametrize("name", NAMES)
def test_the_most_likely_action(name):
    policy = policies("float64")[name]
    actions, log_prob, _ = policy.act(OBS, deterministic=True)
    scores, _, _ = scores_of(policy, OBS)
    if policy.distribution == "categorical":
        assert (actions == scores.argmax(-1)).all()
        np.testing.assert_allclose(log_prob, expected(policy, OBS, actions)[0], rtol=1e-12)
    elif policy.distribution == "gaussian":
        assert (actions == scores).all()
    else:
        low, high = (np.asarray(policy._options[end]) for end in ("low", "high"))
        wanted = low + (high - low) / 2 * (1 + np.tanh(scores))
        np.testing.assert_allclose(actions, wanted, rtol=1e-14, atol=1e-15)
    assert policy.drawn == 0


def test_frequencies_of_classes():
    net = fm.Sequential(fm.Linear(1, 4, init="zeros"))
    probabilities = np.array([0.5, 0.25, 0.25, 0.0])
    with np.errstate(divide="ignore"):
        net[0].b = np.log(probabilities)
    actions, log_prob, _ = fm.Policy(net, seed=0).act(np.zeros((20000, 1)))
    counts = np.bincount(actions, minlength=4) / 20000
    np.testing.assert_allclose(counts, probabilities, atol=0.01)
    assert counts[3] == 0
    np.testing.assert_allclose(np.exp(log_prob), probabilities[actions], rtol=1e-6)


def test_moments_of_numbers():
    policy = fm.Policy(
        fm.Sequential(fm.Linear(1, 1, init="zeros")), "gaussian", log_std=0.5, seed=0
    )
    u = policy.act(np.zeros((20000, 1)))[0]
    assert abs(u.mean()) < 0.03
    assert abs(u.std() - np.exp(0.5)) < 0.03


def test_a_squashed_density_near_the_end_of_the_box():
    net = fm.Sequential(fm.Linear(1, 2, init="zeros"), dtype="float64")
    net[0].b = [15.0, 0.0]
    action, log_prob, _ = fm.Policy(net, "squashed_gaussian", seed=0).act([0.0], deterministic=True)
    assert 1 - 1e-12 < action[0] <= 1
    # log(1 - tanh(15)^2) is log 4 - 30, less than rounding.
    assert log_prob == pytest.approx(-0.5 * np.log(2 * np.pi) - np.log(4) + 30, rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_copies(name):
    first, second = policies("float32")[name], policies("float32")[name]
    other = fm.Policy(first.net, first.distribution, seed=4, **first._options)
    start = parts(first.act(OBS))
    assert start == parts(second.act(OBS))
    assert start != parts(other.act(OBS))
    for twin in (pickle.loads(pickle.dumps(first)), copy.deepcopy(first)):
        assert (twin.seed, twin.drawn) == (3, first.drawn)
        assert parts(twin.act(OBS)) == parts(second.act(OBS))
        second.drawn = first.drawn
    first.drawn = 0
    assert parts(first.act(OBS)) == start


def test_log_std_takes_effect_at_once():
    policy = policies("float64")["own log_std"]
    policy.log_std[...] = -20.0
    np.testing.assert_allclose(policy.act(OBS)[0], policy.net.predict(OBS), atol=1e-7)
    policy.log_std = [0.0, 1.0, 2.0]
    assert policy.evaluate(OBS[0], OBS[0, :3])[1] == pytest.approx(
        3 + 1.5 * np.log(2 * np.pi * np.e)
    )
    with pytest.raises(fm.ArgumentError, match="takes it from the network"):
        policies("float64")["gaussian"].log_std = 0.0


def test_scores_that_are_no_distribution():
    for name in ("categorical", "gaussian", "box"):
        policy = policies("float32")[name]
        with pytest.raises(fm.ArgumentError, match=r"obs: got scores .* no distribution"):
            policy.act([np.nan, 0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("obs", "message"),
    [
        (np.zeros(3), "obs: got 3 columns; want 4"),
        ("a", "obs: got dtype"),
        ([[0.0], [1.0, 2.0]], "obs"),
    ],
)
def test_bad_observations(obs, message):
    policy = policies("float32")["categorical"]
    for call in (policy.act, policy.value, lambda obs: policy.evaluate(obs, [0])):
        with pytest.raises(fm.FastMLPError, match=message):
            call(obs)
    assert policy.drawn == 0


@pytest.mark.parametrize(
    ("name", "actions", "message"),
    [
        ("categorical", [0, ACTIONS], "actions: got action 5 at row 1; want 0 to 4"),
        ("categorical", [0], r"actions: got shape \(1,\); want \(2,\)"),
        ("categorical", [0.5, 1], "actions: got 0.5"),
        ("gaussian", [0.0, 1.0], r"actions: got shape \(2,\); want \(2, 3\)"),
    ],
)
def test_bad_actions(name, actions, message):
    with pytest.raises(fm.ArgumentError, match=message):
        policies("float32")[name].evaluate(OBS[:2], actions)


ONE = chain(1)
WRONG = {
    "net: got": {"net": 3},
    "distribution: got": {"net": ONE, "distribution": "beta"},
    "log_std: got one for": {"net": ONE, "log_std": 0.0},
    "an even number": {"net": chain(3), "distribution": "gaussian"},
    r"log_std: got shape \(2,\)": {"net": chain(3), "distribution": "gaussian", "log_std": [0, 1]},
    "value: got 'V'": {"net": ONE, "value": "V"},
    "value: got output 'policy' of 2": {"net": graph({"policy": 2, "v": 1}), "value": "policy"},
    r"value: got outputs of \[2\]": {"net": chain(2), "value": chain(2)},
    "value: got a float32": {"net": chain(2), "value": chain(1, "float32")},
    "value: got 3": {"net": ONE, "value": 3},
    "got 0 columns of scores": {"net": ONE, "value": "last column"},
    "high: got -1": {"net": chain(2), "distribution": "squashed_gaussian", "high": -1.0},
    r"low: got shape \(2,\)": {"net": chain(2), "distribution": "squashed_gaussian", "low": [0, 1]},
    "seed": {"net": ONE, "seed": -1},
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_policies(message):
    with pytest.raises(fm.FastMLPError, match=message):
        fm.Policy(**WRONG[message])


def test_deterministic_must_be_a_flag():
    with pytest.raises(fm.ArgumentTypeError, match="deterministic: got 1"):
        policies("float32")["categorical"].act(OBS[0], deterministic=1)
