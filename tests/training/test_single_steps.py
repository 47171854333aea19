"""Steps in two halves, steps over several batches, and losses of the user's own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tests.harness import generator
from tests.training.step_cases import (
    LABELS,
    NETS,
    REAL,
    ROWS,
    SETTINGS,
    WEIGHTS,
    X,
    chain,
    is_several,
    losses_of,
    same_state,
    scores_loss,
    state_of,
    trainer_of,
    two_heads,
)

import fastmlp as fm

CASES = [(net, s) for net, s in itertools.product(NETS, SETTINGS) if s == "Adam" or net != "chain"]


def pair(name, settings, dtype, **options):
    """Two equal trainers with built-in losses, and their targets."""
    nets = NETS[name](dtype), NETS[name](dtype)
    loss, y = losses_of(nets[0])
    return *(trainer_of(net, loss, SETTINGS[settings], **options) for net in nets), y


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_two_halves_have_the_bits_of_a_step(name, settings, dtype, threads):
    whole, halves, y = pair(name, settings, dtype)
    function = scores_loss(halves.net)
    for way in range(3):
        value = whole.step(X, y)
        if way == 0:
            scores = halves.forward(X)
            found, gradient = function(scores)
            assert halves.apply(gradient) is None
        else:
            found = halves.step_gradient(X.astype(dtype) if way == 1 else X.tolist(), function)
        if not whole.penalties:
            np.testing.assert_allclose(found, value, rtol=1e-6)
        assert same_state(state_of(whole), state_of(halves)), way
    assert whole.grad_norm == halves.grad_norm


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_a_loss_of_your_own_has_the_bits_of_the_same_loss(name, settings, dtype, threads):
    whole, own, y = pair(name, settings, dtype)
    loss, seen = losses_of(own.net)[0], []

    def function(scores, target, sample_weight):
        seen.append(sample_weight)
        if not is_several(own.net):
            value = loss.forward(scores, target, sample_weight)
            return value, loss.backward()
        value = sum(loss[k].forward(scores[k], target[k], sample_weight) for k in loss)
        return value, {k: loss[k].backward() for k in loss}

    own.loss = function
    exact = not is_several(own.net)  # the sum of two losses may round otherwise
    for weights in (None, WEIGHTS, WEIGHTS.astype(dtype)):
        values = [one.step(X, y, weights) for one in (whole, own)]
        assert values[0] == values[1] if exact else abs(values[0] - values[1]) < 1e-6
        assert same_state(state_of(whole), state_of(own))
    assert seen[0] is None
    assert seen[1].dtype == dtype
    options = {"epochs": 2, "batch_size": 16, "sample_weight": WEIGHTS, "progress": False}
    batch = [trainer.fit(X, y, seed=3, **options) for trainer in (whole, own)]
    np.testing.assert_allclose(batch[0].loss, batch[1].loss, rtol=1e-6)
    assert same_state(state_of(whole), state_of(own))


class Squares:
    """A loss that is an object; it keeps what it got."""

    def forward(self, scores, y):
        self.d = np.asarray(scores - y)
        return (self.d**2).mean()

    def backward(self):
        return 2 * self.d / self.d.size


def squares(scores, y):
    return ((scores - y) ** 2).mean(), 2 * (scores - y) / scores.size


@pytest.mark.parametrize("loss", [Squares(), squares, lambda s, y: (squares(s, y)[0], (2 * (s - y)
                                  / s.size).tolist())])  # fmt: skip
def test_losses_in_numpy_are_near_the_built_in_ones(loss, dtype):
    y = generator("numpy").normal(size=(ROWS, 3)).astype(dtype)
    nets = chain(dtype), chain(dtype)
    for net, one in zip(nets, (fm.MSELoss(), loss), strict=True):
        history = fm.fit(net, X, y, loss=one, epochs=5, batch_size=16, progress=False,
                         validation=0.25)  # fmt: skip
        net.history = history
    rtol = 1e-4 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(nets[0].params, nets[1].params, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(nets[0].history.loss, nets[1].history.loss, rtol=rtol)
    np.testing.assert_allclose(nets[0].history.val_loss, nets[1].history.val_loss, rtol=rtol)
    np.testing.assert_allclose(nets[1].history.val_score, -np.array(nets[1].history.val_loss))
    assert fm.gradcheck(chain("float64"), loss, X[:4], y[:4]) < 1e-6


# ---- targets of several arrays ----


def weighted_squares(scores, y):
    d = (scores - y["target"]) * y["mask"][:, None]
    return (d * d).sum() / ROWS, 2 * d * y["mask"][:, None] / ROWS


def structured():
    y = np.zeros(ROWS, [("target", "f8", 3), ("mask", "f8")])
    y["target"], y["mask"] = generator("fields").normal(size=(ROWS, 3)), LABELS > 0
    return y


def test_targets_of_several_arrays_are_rows_everywhere():
    y = structured()
    packed = np.column_stack([y["target"], y["mask"]])

    def of_packed(scores, y):
        return weighted_squares(scores, {"target": y[:, :3], "mask": y[:, 3]})

    by_name = {name: y[name].copy() for name in y.dtype.names}
    found = []
    for loss, target in ((of_packed, packed), (weighted_squares, y), (weighted_squares, by_name)):
        net = chain("float64")
        trainer = fm.Trainer(net, loss)
        steps = [trainer.step(X, target), trainer.step(X.tolist(), target)]
        history = trainer.fit(X, target, epochs=3, batch_size=8, validation=0.3, progress=False)
        value = trainer.evaluate(trainer.checked_data(X, target, None))
        found.append((steps, history.loss, history.val_loss, value, net.params.copy()))
    for other in found[1:]:
        assert other[:4] == found[0][:4]
        assert (other[4] == found[0][4]).all()


def test_targets_may_have_leading_dimensions():
    y = structured()[:36]
    by_name = {name: y[name].reshape(4, 9, *y[name].shape[1:]) for name in y.dtype.names}
    nets = chain("float64"), chain("float64"), chain("float64")
    for net, target in zip(nets, (y.reshape(4, 9), by_name), strict=False):
        fm.Trainer(net, weighted_squares).step(X[:36].reshape(4, 9, 5), target)
    fm.Trainer(nets[2], weighted_squares).step(X[:36], y)
    assert (nets[0].params == nets[2].params).all()
    assert (nets[1].params == nets[2].params).all()


def test_fits_of_other_targets_have_other_fingerprints(tmp_path):
    y = {name: structured()[name].copy() for name in ("target", "mask")}

    def fit():
        save = fm.Checkpoint(tmp_path / "fit", resume=True)
        fm.fit(chain("float64"), X, y, loss=weighted_squares, epochs=1, callbacks=[save],
               progress=False)  # fmt: skip

    fit()
    fit()
    y["mask"][3] += 1.0
    with pytest.raises(fm.ArgumentError, match="y: the file has"):
        fit()


# ---- errors ----


def joint(scores, y):
    return 0.0, {"policy": 0 * scores["policy"], "value": 0 * scores["value"]}


@pytest.mark.parametrize(("loss", "y", "words"), [
    (squares, REAL[:5], r"y: got shape \(5, 2\); want 37 rows"),
    (squares, {"a": LABELS, "b": LABELS[:3]}, r"y\['b'\]: got shape \(3,\); want 37 rows"),
    (squares, {}, "y: got an empty dict"),
    (lambda s, y: 1.0, LABELS, r"<lambda>: got 1.0; want a pair \(value, gradient\)"),
    (lambda s, y: (s, s), LABELS, r"(?s)<lambda>: got array.*; want a number"),
    (lambda s, y: (1.0, s[:2]), LABELS, r"<lambda>, gradient: got shape \(2, 3\); want \(37, 3\)"),
    (lambda s, y: (1.0, {"a": s}), LABELS, "<lambda>, gradient: got dtype object"),
])  # fmt: skip
def test_wrong_losses_and_targets_raise_and_change_nothing(loss, y, words):
    trainer = fm.Trainer(chain("float32"), loss)
    before = state_of(trainer)
    for x in (X, X.astype("f4")):
        with pytest.raises(fm.FastMLPError, match=words):
            trainer.step(x, y)
    assert same_state(before, state_of(trainer))


@pytest.mark.parametrize(("loss", "words"), [
    (lambda s, y: (0.0, {"policy": s["policy"]}), "gradient: got 'policy'; want policy, value"),
    (lambda s, y: (0.0, s["policy"]), "gradient: got ndarray; want a dict or a list of policy"),
    (lambda s, y: (0.0, {**s, "value": s["value"][:, :1]}),
     r"gradient\['value'\]: got shape \(37, 1\); want \(37, 2\)"),
])  # fmt: skip
def test_wrong_gradients_of_several_outputs_raise(loss, words):
    with pytest.raises(fm.ArgumentError, match=words):
        fm.Trainer(two_heads("float32"), loss).step(X, LABELS)


@pytest.mark.parametrize("loss", [None, 3, "mse", fm.MSELoss, Squares, fm.ReLU(), fm.L2(1.0)])
def test_the_error_for_a_wrong_loss_names_what_is_possible(loss):
    words = (
        r"loss: got .*; want a loss such as .*, a function loss\(scores, y\) -> .*, or an object"
    )
    with pytest.raises(fm.ArgumentTypeError, match=words):
        fm.Trainer(chain("float32"), loss)


def test_weights_and_members_need_a_loss_that_knows_them():
    trainer = fm.Trainer(chain("float32"), squares)
    words = "sample_weight: got weights for squares, which has no parameter sample_weight; want"
    for x, w in ((X, WEIGHTS), (X.astype("f4"), WEIGHTS.astype("f4"))):
        with pytest.raises(fm.ArgumentError, match=words):
            trainer.step(x, np.zeros((ROWS, 3)), w)
    with pytest.raises(fm.ArgumentError, match="members: got 3 for a loss of your own"):
        trainer.fit(X, LABELS, members=3, progress=False)
    with pytest.raises(fm.ArgumentError, match=r"loss_weights: got .*; want"):
        fm.Trainer(two_heads("float32"), joint, loss_weights={"policy": 1.0, "value": 2.0})


def test_halves_in_the_wrong_order_raise():
    trainer = fm.Trainer(two_heads("float32"), joint)
    scores = trainer.forward(X)
    before = state_of(trainer)
    with pytest.raises(fm.StateError, match=r"forward: the scores of the last call still await"):
        trainer.forward(X)
    with pytest.raises(fm.ArgumentError, match=r"dscores\['value'\]: got 36 rows; want 37"):
        trainer.apply({"policy": scores["policy"], "value": scores["value"][:36]})
    with pytest.raises(fm.ArgumentError, match=r"dscores\['value'\]: got 3 columns; want 2"):
        trainer.apply([scores["policy"], scores["policy"]])
    assert same_state(before, state_of(trainer))
    trainer.apply([scores["policy"], scores["value"]])
    for gradient in (scores, None):
        with pytest.raises(fm.StateError, match="apply: "):
            trainer.apply(gradient)
    trainer.forward(X)
    trainer.discard()
    with pytest.raises(fm.StateError, match="apply: no forward pass awaits it"):
        trainer.apply(scores)
    with pytest.raises(fm.ArgumentError, match="x: got 0 rows"):
        trainer.forward(X[:0])
    with pytest.raises(ZeroDivisionError):
        trainer.step_gradient(X, lambda scores: 1 / 0)
    trainer.step_gradient(X, lambda scores: scores)


def test_lbfgs_has_no_halves():
    pytest.importorskip("scipy")
    trainer = fm.Trainer(chain("float32"), fm.CrossEntropyLoss(), fm.LBFGS())
    for call in (lambda: trainer.forward(X), lambda: trainer.accumulate(X, LABELS),
                 lambda: trainer.apply(X), lambda: trainer.step_gradient(X, squares)):  # fmt: skip
        with pytest.raises(fm.ArgumentError, match="LBFGS evaluates the loss several times"):
            call()


# ---- accumulation ----


@pytest.mark.parametrize(("name", "settings"), [
    (net, s) for net, s in CASES if net not in ("dropout", "batch norm")
])  # fmt: skip
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_batches_add_up_to_the_whole(name, settings, weights, dtype):
    whole, parts, y = pair(name, settings, dtype)
    for cuts in ([0, ROWS], [0, 20, 21, ROWS]):
        for begin, end in itertools.pairwise(cuts):
            part = slice(begin, end)
            some = {k: v[part] for k, v in y.items()} if isinstance(y, dict) else y[part]
            parts.accumulate(X[part], some, None if weights is None else weights[part])
        values = whole.step(X, y, weights), parts.apply()
        if len(cuts) == 2:
            assert same_state(state_of(whole), state_of(parts))
        tolerance = 2e-5 if dtype == np.float32 else 1e-13
        np.testing.assert_allclose(values[0], values[1], rtol=tolerance)
        np.testing.assert_allclose(whole.net.grads, parts.net.grads, rtol=0.01, atol=tolerance)
        parts.net.params[...] = whole.net.params
    assert whole.state_dict()["t"] == parts.state_dict()["t"] == 2


def test_sums_are_not_divided():
    nets = chain("float64"), chain("float64")
    y = generator("sums").normal(size=(ROWS, 3))
    whole, parts = (fm.Trainer(net, fm.MSELoss(reduction="sum")) for net in nets)
    parts.accumulate(X[:9], y[:9])
    parts.accumulate(X[9:], y[9:])
    np.testing.assert_allclose(parts.apply(), whole.step(X, y), rtol=1e-13)
    np.testing.assert_allclose(nets[0].params, nets[1].params, rtol=1e-12)


def test_accumulation_refuses_what_would_be_wrong():
    net = chain("float64")
    trainer = fm.Trainer(net, fm.CrossEntropyLoss())
    with pytest.raises(fm.StateError, match="apply: nothing has been accumulated"):
        trainer.apply()
    for spoil in (lambda: trainer.step(X, LABELS), lambda: fm.Adam(net).step(),
                  lambda: net.backward(net.forward(X))):  # fmt: skip
        for end in (lambda: trainer.accumulate(X, LABELS), trainer.apply):
            trainer.accumulate(X, LABELS)
            spoil()
            with pytest.raises(fm.StateError, match="the sum is dropped"):
                end()
    trainer.accumulate(X, LABELS)
    trainer.discard()
    with pytest.raises(fm.StateError, match="apply: nothing has been accumulated"):
        trainer.apply()
    mixed = {"policy": fm.CrossEntropyLoss(), "value": fm.MSELoss(reduction="sum")}
    with pytest.raises(fm.ArgumentError, match="accumulate: got losses that are means and"):
        fm.Trainer(two_heads("float64"), mixed).accumulate(X, {"policy": LABELS, "value": REAL})
