"""What every loss promises, for each row of the registry, and targets of named fields."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from tests import loss_problems as problems
from tests.harness import LOSSES, check, column, generator, loss_reference

import fastmlp as fm

ROWS = 12
EVERY = problems.cases(LOSSES)
OF_FIELDS = problems.cases(problems.FIELDS)


def problem(loss, rows=ROWS, least=5):
    """Scores and targets."""
    rng = generator("every", repr(loss))
    width = problems.width_of(loss, least)
    return rng.normal(size=(rows, width)), problems.targets(loss, rows, width, rng)


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_backward_equals_central_differences(loss):
    scores, y = problem(loss)
    weight = generator("weight").uniform(0.1, 2.0, size=ROWS)
    loss.forward(scores, y, weight)
    gradient, h = loss.backward(), 1e-6
    for index in np.ndindex(scores.shape):
        above, below = scores.copy(), scores.copy()
        above[index] += h
        below[index] -= h
        slope = (loss.forward(above, y, weight) - loss.forward(below, y, weight)) / (2 * h)
        assert abs(slope - gradient[index]) < 1e-7


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_networks_are_trained_with_its_gradient(loss):
    scores, y = problem(loss)
    x = generator("x").normal(size=(ROWS, 3))
    net = fm.Sequential(
        fm.Linear(3, 4), fm.Tanh(), fm.Linear(4, scores.shape[1]), dtype="float64", seed=1
    )
    assert fm.gradcheck(net, loss, x[:4], y[:4]) < 1e-6
    # A copy of the targets is gathered in the order of the rows, whatever their width.
    history = fm.fit(net, x, y, loss=loss, epochs=2, batch_size=5, seed=0, progress=False)
    assert np.isfinite(history.loss).all()
    assert np.isfinite(net.params).all()


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_the_mean_and_the_sum(loss):
    scores, y = problem(loss)
    given, reference = loss.arguments(), loss_reference(loss)
    total = type(loss)(**{**given, "reduction": "sum"}).forward(scores, y)
    elements = scores.shape[1] // reference.elementwise if reference.elementwise else 1
    assert loss.forward(scores, y) == pytest.approx(total / (ROWS * elements), rel=1e-12)


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_weights_count_rows(loss):
    scores, y = problem(loss)
    counts = generator("counts").integers(0, 3, size=ROWS)
    repeated = scores.repeat(counts, axis=0), y.repeat(counts, axis=0)
    assert loss.forward(scores, y, counts) == pytest.approx(loss.forward(*repeated), rel=1e-10)
    assert loss.score(scores, y, counts) == pytest.approx(loss.score(*repeated), rel=1e-10)
    assert loss.forward(scores, y, np.zeros(ROWS)) == 0.0
    assert not loss.backward().any()
    assert math.isnan(loss.score(scores, y, np.zeros(ROWS)))
    assert loss.forward(scores[:0], y[:0]) == 0.0


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_a_fold_is_the_mean_of_its_members(loss):
    scores, y = problem(loss)
    members = [scores, scores[::-1].copy(), scores * 0.5]
    folded = type(loss)(**{**loss.arguments(), "fold": 3})
    value, gradient = folded.forward(np.hstack(members), y), folded.backward()
    parts = [loss.forward(one, y) for one in members]
    assert value == pytest.approx(np.mean(parts), rel=1e-13)
    np.testing.assert_allclose(folded.values, parts, rtol=1e-13)
    for one, slope in zip(members, np.split(gradient, 3, axis=1), strict=True):
        loss.forward(one, y)
        np.testing.assert_allclose(slope, loss.backward() / 3, rtol=1e-13, atol=1e-17)
    each = [loss.score(one, y) for one in members]
    assert folded.member_scores(np.hstack(members), y).tolist() == pytest.approx(each)


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_rows_by_themselves_and_leading_dimensions(loss):
    scores, y = problem(loss)
    expected = loss.forward(scores[:1], y[:1])
    assert loss.forward(scores[0], y[0]) == expected
    whole, gradient = loss.forward(scores, y), loss.backward()
    shaped = loss.forward(scores.reshape(3, 4, -1), y.reshape(3, 4, *y.shape[1:]))
    assert shaped == whole
    assert np.array_equal(loss.backward().reshape(gradient.shape), gradient)


@pytest.mark.parametrize("loss", EVERY, ids=repr)
def test_objects(loss):
    other = pickle.loads(pickle.dumps(loss))
    assert repr(other) == repr(loss)
    assert json.loads(json.dumps(loss.describe()))["type"] == type(loss).__name__
    scores, y = problem(loss)
    assert other.forward(scores, y) == loss.forward(scores, y)


# ---- targets of fields ----


@pytest.mark.parametrize("loss", OF_FIELDS, ids=repr)
def test_fields_by_name(loss):
    scores, y = problem(loss)
    named = problems.by_name(loss, y, scores.shape[1])
    expected = loss.forward(scores, y)
    assert loss.forward(scores, named) == expected
    kinds = [(name, "f8", np.shape(column)[1:]) for name, column in named.items()]
    structured = np.zeros(ROWS, kinds)
    for name, field in named.items():
        structured[name] = field
    assert loss.forward(scores, structured) == expected
    one = {name: column[0] for name, column in named.items()}
    assert loss.forward(scores[0], one) == loss.forward(scores[:1], y[:1])
    shaped = {
        name: np.reshape(column, (3, 4, *np.shape(column)[1:])) for name, column in named.items()
    }
    assert loss.forward(scores.reshape(3, 4, -1), shaped) == expected


@pytest.mark.parametrize("loss", OF_FIELDS, ids=repr)
def test_trainers_take_fields_by_name(loss):
    scores, y = problem(loss)
    named = problems.by_name(loss, y, scores.shape[1])
    x = generator("x").normal(size=(ROWS, 3))
    nets = [fm.Sequential(fm.Linear(3, scores.shape[1]), seed=0) for _ in range(2)]
    found = [
        fm.Trainer(net, loss, fm.SGD(lr=1e-3)).step(x, given)
        for net, given in zip(nets, (y, named), strict=True)
    ]
    assert found[0] == found[1]
    assert np.array_equal(nets[0].params, nets[1].params)
    fm.fit(nets[0], x, named, loss=loss, epochs=1, validation=(x, named), progress=False)


def test_fields_of_several_outputs():
    x = fm.Input(3)
    h = fm.Tanh()(fm.Linear(3, 8)(x))
    net = fm.Graph(x, {"policy": fm.Linear(8, 2)(h), "value": fm.Linear(8, 1)(h)}, seed=0)
    rng = generator("outputs")
    fields = {"action": rng.integers(2, size=9), "log_prob": np.full(9, -0.7),
              "advantage": rng.normal(size=9)}  # fmt: skip
    losses = {"policy": fm.PPOLoss(entropy_coef=0.01), "value": fm.MSELoss()}
    trainer = fm.Trainer(net, losses, loss_weights={"policy": 1.0, "value": 0.5})
    rows, returns = rng.normal(size=(9, 3)), rng.normal(size=9)
    scores = net.predict(rows)
    expected = losses["policy"].forward(scores["policy"], fields)
    expected += 0.5 * losses["value"].forward(scores["value"], returns)
    assert trainer.step(rows, {"policy": fields, "value": returns}) == pytest.approx(expected)


def bad(call, message):
    with pytest.raises((fm.ArgumentError, fm.ArgumentTypeError), match=message):
        call()


def test_fields_that_do_not_fit_are_an_error():
    loss, scores = fm.PPOLoss(), np.zeros((2, 3))
    good = {"action": [0, 2], "log_prob": [-1.0, -1.0], "advantage": [0.0, 1.0]}
    assert loss.forward(scores, good) < 0
    bad(lambda: loss.forward(scores, {**good, "action": [0, 3]}),
        r"^y: got 3.0 for action at row 1; want whole numbers from 0 to 2")  # fmt: skip
    bad(lambda: loss.forward(scores, {**good, "action": [0.5, 1]}), r"^y: got 0.5 for action")
    bad(lambda: loss.forward(scores, {**good, "action": [math.nan, 1]}), r"^y: got nan for action")
    bad(lambda: loss.forward(scores, {**good, "log_prob": [0.0]}),
        r"^y\['log_prob'\]: got 1 rows; want 2")  # fmt: skip
    bad(lambda: loss.forward(scores, {**good, "advantage": "a"}), r"^y\['advantage'\]")
    bad(lambda: loss.forward(scores, {"action": [0, 1]}),
        r"^y: got dict of 'action'; want action, log_prob, advantage")  # fmt: skip
    bad(lambda: loss.forward(scores, {**good, "return": [0.0, 0.0]}), r"^y: got dict of .*'return'")
    bad(lambda: loss.forward(scores, np.zeros((2, 2))), r"^y: got shape \(2, 2\); want \(2, 3\)")
    bad(lambda: loss.forward(scores, None), r"^y: got")
    bad(lambda: loss.forward(scores, "text"), r"^y: got")
    trainer = fm.Trainer(fm.Sequential(fm.Linear(2, 3), seed=0), loss)
    before = trainer.net.params.copy()
    bad(lambda: trainer.step(np.zeros((2, 2)), {**good, "action": [0, 3]}), r"^y: got 3.0 for act")
    assert np.array_equal(trainer.net.params, before)


@pytest.mark.parametrize(
    ("loss", "width"),
    [
        (fm.GaussianNLLLoss(), 3),
        (fm.GaussianCRPSLoss(), 1),
        (fm.MixtureNLLLoss(3), 8),
        (fm.MixtureNLLLoss(3), 6),
        (fm.ContrastiveLoss(), 3),
        (fm.TripletMarginLoss(), 4),
        (fm.PPOLoss(value_coef=0.5), 1),
        (fm.GaussianPPOLoss(value_coef=0.5), 4),
        (fm.GaussianPolicyGradientLoss(), 3),
    ],
    ids=repr,
)
def test_scores_of_a_width_that_does_not_fit_are_an_error(loss, width):
    bad(lambda: loss.forward(np.zeros((2, width)), np.zeros((2, 1))), rf"^scores: got {width} col")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_actions_that_are_written_during_the_call_are_an_error(dtype):
    """The core checks them again, because it uses them as indices."""
    from fastmlp import _core

    kind, params, reduction, _ = fm.DQNLoss().core_spec()
    for action in (2.0, -1.0, np.nan, np.inf, 1e30, -0.5):
        target = np.array([[1.0, 0.0], [action, 0.0]], dtype)
        scores = np.zeros((2, 2), dtype)
        given = (kind, params, reduction, scores, target, None)
        bad(lambda given=given: _core.loss_forward(*given), "written during")


# ---- values known in closed form ----


def test_masked_actions_have_no_gradient():
    y = {"action": [1], "log_prob": [-0.7], "advantage": [1.0]}
    for loss in (fm.PPOLoss(entropy_coef=0.1), fm.PolicyGradientLoss(entropy_coef=0.1)):
        fields = y if isinstance(loss, fm.PPOLoss) else {k: y[k] for k in ("action", "advantage")}
        value = loss.forward([[0.0, 1.0, -np.inf]], fields)
        gradient = loss.backward()
        assert loss.forward([[0.0, 1.0]], fields) == pytest.approx(value, rel=1e-6)
        np.testing.assert_allclose(gradient[0, :2], loss.backward()[0], rtol=1e-5)
        assert gradient[0, 2] == 0.0


def test_confident_gaussians():
    nll = fm.GaussianNLLLoss()
    assert nll.forward([[0.0, -100.0]], [0.0]) == pytest.approx(0.5 * np.log(1e-6))
    crps = fm.GaussianCRPSLoss()
    assert crps.forward(np.array([[3.0, -50.0]]), [1.0]) == pytest.approx(2.0)  # |m - t|
    assert crps.backward()[0, 0] == pytest.approx(1.0)


def test_the_least_variance_is_no_wall():
    """As in PyTorch, the gradient passes by the limit."""
    loss, scores = fm.GaussianNLLLoss(eps=0.5, reduction="sum"), np.array([[1.0, -2.0]])
    assert loss.forward(scores, [0.0]) == pytest.approx(0.5 * (np.log(0.5) + 2.0))
    expected = [[2.0, 0.5 * np.exp(-2.0) / 0.5 * (1 - 2.0)]]
    np.testing.assert_allclose(loss.backward(), expected, rtol=1e-14)
    np.testing.assert_allclose(loss_reference(loss).rows(scores, [0.0])[1], expected, rtol=1e-14)


def test_a_mixture_of_equal_components_is_one_gaussian():
    one, three = fm.MixtureNLLLoss(1), fm.MixtureNLLLoss(3)
    mean, log_std = [0.5, -1.0], [0.1, 0.2]
    expected = one.forward(np.array([[0.0, *mean, *log_std]]), [[1.0, 0.0]])
    found = three.forward(np.array([[5.0, 1.0, 3.0, *mean * 3, *log_std * 3]]), [[1.0, 0.0]])
    assert found == pytest.approx(expected, rel=1e-12)
    gaussian = fm.GaussianNLLLoss(full=True, log_std=True, reduction="sum")
    assert gaussian.forward(np.array([[*mean, *log_std]]), [[1.0, 0.0]]) == pytest.approx(expected)


def test_divergence_and_cross_entropy_of_probabilities_have_one_gradient():
    rng = generator("divergence")
    logits, p = rng.normal(size=(5, 4)), rng.dirichlet(np.ones(4), size=5)
    log_q = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    divergence, entropy = fm.KLDivLoss(reduction="batchmean"), fm.CrossEntropyLoss()
    difference = entropy.forward(logits, p) - divergence.forward(log_q, p)
    assert difference == pytest.approx(-(p * np.log(p)).sum() / 5)
    slope = divergence.backward()
    through = slope - np.exp(log_q) * slope.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(through, entropy.backward(), atol=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_float32_follows_the_reference(name):
    loss = problems.cases([name])[-1]
    scores, y = problem(loss)
    scores = scores.astype(np.float32)
    y = y if y.dtype.kind == "i" else y.astype(np.float32)
    value, expected = loss.forward(scores, y), loss_reference(loss).forward(scores, y)
    check(np.float64(value), expected, column(LOSSES[name][1], np.float32), 1 + abs(expected))
    assert loss.backward().dtype == np.float32


# ---- steps without a call of Python ----


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", OF_FIELDS, ids=repr)
def test_steps_take_fields_in_any_common_form(loss, dtype, monkeypatch):
    """Arrays of any real type and layout are packed by the core, with the same bits."""
    scores, y = problem(loss)
    x = generator("x").normal(size=(ROWS, 3)).astype(dtype)
    named = problems.by_name(loss, y.astype(dtype), scores.shape[1])
    forms = [
        y.astype(dtype),
        y.astype(dtype)[:, ::-1].copy()[:, ::-1],
        named,
        dict(reversed(named.items())),
        {name: np.repeat(one, 2, axis=0)[::2] for name, one in named.items()},
    ]
    if "action" in named and named["action"].ndim == 1:
        forms.append({**named, "action": named["action"].astype(np.int64)})
    if len(named) == 1 and next(iter(named.values())).ndim == 1:
        forms.append(y.astype(dtype)[:, 0])
    monkeypatch.setattr(fm.Trainer, "_step_checked", None)  # not called
    found = set()
    for form in forms:
        net = fm.Sequential(fm.Linear(3, scores.shape[1]), dtype=dtype, seed=0)
        value = fm.Trainer(net, loss, fm.SGD(lr=1e-3)).step(x, form)
        found.add((value, net.params.tobytes()))
    assert len(found) == 1


@pytest.mark.parametrize("action", [3.0, -1.0, 0.5, np.nan])
def test_a_step_with_a_wrong_action_changes_nothing(action):
    net = fm.Sequential(fm.Linear(2, 3), seed=0)
    trainer, x = fm.Trainer(net, fm.DQNLoss(), fm.Adam()), np.ones((2, 2), np.float32)
    before = net.params.copy()
    for y in (
        {"action": np.array([1.0, action]), "target": np.zeros(2)},
        np.array([[1, 0], [action, 0]]),
    ):
        bad(lambda y=y: trainer.step(x, y), "^y: got .* for action at row 1; want whole numbers")
    assert np.array_equal(net.params, before)
    assert trainer.step(x, {"action": np.array([1, 2]), "target": np.zeros(2)}) > 0
