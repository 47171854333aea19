"""Stale gradients, losses that are not finite, and settings changed after construction."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from tests.training.step_cases import (
    LABELS,
    NETS,
    SETTINGS,
    X,
    chain,
    losses_of,
    same_state,
    scores_loss,
    state_of,
    trainer_of,
)

import fastmlp as fm

# ---- stale gradients ----


def spoilers(net):
    """Ways to change the parameters between a forward pass and its backward pass."""
    trainer = fm.Trainer(net, fm.CrossEntropyLoss())
    net.grads[...] = 1.0
    optimizer, other = fm.SGD(net, lr=0.1), chain(net.dtype)

    def write_one():
        net[2].W[3, 1] += 1e-3

    def copy():
        other.params *= 1.5
        net.copy_from(other)

    def swap():
        net.params[[0, 5]] = net.params[[5, 0]]

    return {
        "step": lambda: trainer.step(X, LABELS),
        "fit": lambda: trainer.fit(X, LABELS, epochs=1, progress=False),
        "optimizer": optimizer.step,
        "params": lambda: setattr(net, "params", net.params * 1.5),
        "view": write_one,
        "swap": swap,
        "sign": lambda: np.negative(net.params, out=net.params),
        "copy": copy,
    }


@pytest.mark.parametrize("way", list(spoilers(chain("float32"))))
def test_a_gradient_of_other_parameters_raises(way, dtype):
    net = chain(dtype)
    spoil = spoilers(net)[way]
    trainer = fm.Trainer(net, fm.CrossEntropyLoss())
    for keep in (False, True):
        scores = net.forward(X, keep=keep)
        spoil()
        grads = net.grads.copy()
        with pytest.raises(fm.StateError, match="parameters have been changed since the forward"):
            net.backward(scores)
        assert (net.grads == grads).all()
        with pytest.raises(fm.StateError, match="call forward"):
            net.backward(scores)
    scores = trainer.forward(X)
    spoil()
    before = state_of(trainer)
    with pytest.raises(fm.StateError, match="apply: "):
        trainer.apply(scores)
    assert same_state(before, state_of(trainer))
    trainer.step_gradient(X, lambda scores: scores)
    net.backward(net.forward(X))


def test_a_layer_of_a_network_alone_notices_too():
    net = chain("float32")
    y = net[0].forward(X)
    net[0].b[...] += 1.0
    with pytest.raises(fm.StateError, match="parameters have been changed"):
        net[0].backward(y)


def test_predictions_and_reads_are_no_changes():
    net = chain("float32", fm.BatchNorm(24))
    trainer = fm.Trainer(net, fm.CrossEntropyLoss())
    scores = net.forward(X, training=True)
    net.predict(X), net.params.sum(), net.state.copy(), net.jacobian(X[:2]), trainer.grad_norm
    net.backward(scores)


def test_large_networks_are_sampled_in_turn():
    net = fm.Sequential(fm.Linear(300, 300), fm.Linear(300, 300), dtype="float32", seed=0)
    seen = 0
    for _ in range(30):  # blocks of 2,048 of 180,600 parameters; at one row, 16 of 89 are looked at
        scores = net.forward(np.ones((1, 300), np.float32))
        net.params[1234] += 0.5
        try:
            net.backward(scores)
        except fm.StateError:
            seen += 1
    assert 3 <= seen < 30


# ---- losses that are not finite ----

BAD = X.copy()
BAD[5, 2] = np.nan
MODES = ["warn", "raise", "skip", "ignore"]


def quietly(call):
    """Return the result or the error, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = call()
        except fm.NotFiniteError as error:
            found = error
    return found, [one for one in caught if issubclass(one.category, RuntimeWarning)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", list(NETS))
@pytest.mark.parametrize("settings", list(SETTINGS))
def test_steps_of_losses_that_are_not_finite(mode, name, settings):
    net = NETS[name]("float32")
    loss, y = losses_of(net)
    trainer = trainer_of(net, loss, SETTINGS[settings], nan=mode)
    function = scores_loss(net)
    trainer.step(X, y)
    ways = [lambda: trainer.step(BAD, y), lambda: trainer.step_gradient(BAD, function)]
    if name != "own node":
        ways.append(lambda: trainer.accumulate(BAD, y))
    warned = 0
    for count, way in enumerate(ways, 1):
        before = state_of(trainer)
        found, caught = quietly(way)
        warned += len(caught)
        assert isinstance(found, fm.NotFiniteError) if mode == "raise" else np.isnan(found)
        if mode in ("raise", "skip"):
            after = state_of(trainer)
            assert same_state(before[:-1], after[:-1])
            assert trainer.skipped == (count if mode == "skip" else 0)
        trainer.discard()
    assert warned == (mode == "warn")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.usefixtures("threads")
def test_fits_with_a_row_that_is_not_finite(mode):
    options = {"epochs": 3, "batch_size": 8, "shuffle": False, "progress": False}
    optimizer, loss, net = fm.Adam(lr=0.01, clip_norm=1.0), fm.CrossEntropyLoss(), chain("float64")
    trainer = fm.Trainer(net, loss, optimizer, nan=mode)
    found, caught = quietly(lambda: trainer.fit(BAD, LABELS, check_finite=False, **options))
    assert len(caught) == (mode == "warn")
    if mode == "skip":
        other = chain("float64")
        rows = np.arange(8, len(X))
        expected = fm.fit(other, X[rows], LABELS[rows], loss=loss, optimizer=optimizer, **options)
        assert (net.params == other.params).all()
        assert found.loss == expected.loss
        assert trainer.skipped == 3
    elif mode == "raise":
        fresh = fm.Trainer(chain("float64"), loss, optimizer)
        assert same_state(state_of(trainer), state_of(fresh))
        assert found.history.loss == []
    else:
        assert np.isnan(net.params).any()


def test_an_epoch_of_skipped_steps_has_no_loss():
    net = chain("float32")
    history = fm.fit(net, BAD, LABELS, loss=fm.CrossEntropyLoss(), epochs=1, batch_size=99,
                     nan="skip", check_finite=False, progress=False)  # fmt: skip
    assert np.isnan(history.loss[0])
    assert (net.params == chain("float32").params).all()


@pytest.mark.parametrize("mode", MODES)
def test_a_gradient_of_your_own_counts_like_the_loss(mode):
    def loss(scores, y):
        return 1.0, np.full_like(scores, np.inf)

    trainer = fm.Trainer(chain("float32"), loss, nan=mode)
    for way in (lambda: trainer.step(X, LABELS), lambda: trainer.step_gradient(X, lambda s: s / 0),
                lambda: trainer.fit(X, LABELS, epochs=1, progress=False)):  # fmt: skip
        trainer.net.params = chain("float32").params
        with np.errstate(all="ignore"):
            found, _ = quietly(way)
        assert isinstance(found, fm.NotFiniteError) == (mode == "raise")
        unchanged = (trainer.net.params == chain("float32").params).all()
        assert unchanged == (mode in ("raise", "skip"))


def test_the_mode_is_checked_and_can_be_set():
    with pytest.raises(fm.ArgumentError, match="nan: got 'stop'; want one of 'warn'"):
        fm.Trainer(chain("float32"), fm.CrossEntropyLoss(), nan="stop")
    trainer = fm.Trainer(chain("float32"), fm.CrossEntropyLoss())
    trainer.nan = "raise"
    with pytest.raises(fm.NotFiniteError, match=r"the loss is nan; nothing was changed"):
        trainer.step(BAD, LABELS)
    with pytest.raises(fm.ArgumentError, match="nan: got None"):
        trainer.nan = None


# ---- settings changed after construction ----


def changed_optimizer(name, value):
    return lambda trainer: setattr(trainer.optimizer, name, value)


CHANGES = {
    "weight_decay": changed_optimizer("weight_decay", 0.1),
    "lr": changed_optimizer("lr", 0.3),
    "betas": changed_optimizer("betas", (0.5, 0.9)),
    "clip_norm": changed_optimizer("clip_norm", 1e-3),
    "penalty": lambda trainer: setattr(trainer.penalties[0], "lam", 0.5),
    "penalties": lambda trainer: setattr(trainer, "penalties", [fm.L1(0.1)]),
    "label_smoothing": lambda trainer: setattr(trainer.loss, "label_smoothing", 0.2),
    "loss": lambda trainer: setattr(trainer, "loss", fm.MultiMarginLoss()),
    "own loss": lambda trainer: setattr(trainer, "loss", lambda s, y: (s.sum(), np.ones_like(s))),
    "optimizer": lambda trainer: setattr(trainer, "optimizer", fm.SGD(lr=0.2)),
    "trainer.lr": lambda trainer: setattr(trainer, "lr", 0.2),
}


@pytest.mark.parametrize("change", list(CHANGES))
@pytest.mark.parametrize("checked", [False, True])
def test_a_change_takes_effect_at_the_next_step(change, checked):
    def made():
        return fm.Trainer(chain("float64"), fm.CrossEntropyLoss(), fm.Adam(lr=0.1), fm.L2(0.01))

    x = X.tolist() if checked else X
    first, late = made(), made()
    CHANGES[change](first)
    first.step(x, LABELS)
    late.net.params[...] += 0.0
    late.step(x, LABELS)
    assert not (first.net.params == late.net.params).all()
    late = made()
    late.step(x, LABELS)
    late.net.params = chain("float64").params
    late.load_state_dict(made().state_dict()) if change not in ("lr", "trainer.lr") else None
    CHANGES[change](late)
    late.step(x, LABELS)
    if change not in ("lr", "trainer.lr"):
        np.testing.assert_allclose(late.net.params, first.net.params, rtol=1e-12)


@pytest.mark.parametrize(("change", "error", "words"), [
    (lambda t: setattr(t.optimizer, "weight_decay", -1.0), fm.ArgumentError, "weight_decay: got"),
    (lambda t: setattr(t.loss, "label_smoothing", 2.0), fm.ArgumentError, "label_smoothing: got"),
    (lambda t: setattr(t, "loss", "mse"), fm.ArgumentTypeError, "loss: got 'mse'"),
    (lambda t: setattr(t, "optimizer", 3), fm.ArgumentTypeError, "optimizer: got 3"),
    (lambda t: setattr(t, "net", chain("float32")), AttributeError, "net"),
    (lambda t: setattr(t, "clip_norm", 1.0), AttributeError, "clip_norm: a Trainer has no such"),
    (lambda t: setattr(t.optimizer, "groups", {}), AttributeError, "groups"),
    (lambda t: t.penalties.append(fm.L2(1.0)), AttributeError, "append"),
])  # fmt: skip
def test_a_wrong_change_raises_and_changes_nothing(change, error, words):
    trainer = fm.Trainer(chain("float32"), fm.CrossEntropyLoss(), fm.Adam(lr=0.1))
    other = fm.Trainer(chain("float32"), fm.CrossEntropyLoss(), fm.Adam(lr=0.1))
    with pytest.raises(error, match=words):
        change(trainer)
    trainer.step(X, LABELS), other.step(X, LABELS)
    assert (trainer.net.params == other.net.params).all()


def test_a_change_of_the_state_arrays_needs_a_new_optimizer():
    trainer = fm.Trainer(chain("float32"), fm.CrossEntropyLoss(), fm.SGD(lr=0.1))
    trainer.optimizer.momentum = 0.9
    for _ in range(2):
        with pytest.raises(
            fm.ArgumentError, match=r"optimizer: got SGD.*set as trainer\.optimizer"
        ):
            trainer.step(X, LABELS)
    by_hand = fm.SGD(trainer.net, lr=0.1)
    by_hand.step()
    with pytest.raises(fm.ArgumentError, match="SGD: got a setting that needs other state arrays"):
        by_hand.momentum = 0.9


def test_two_trainers_of_a_network_take_turns():
    net, other = chain("float64"), chain("float64")
    a, b = fm.Trainer(net, fm.CrossEntropyLoss(), fm.Adam()), fm.Trainer(net, fm.MultiMarginLoss())
    adam, second = fm.Adam(other), fm.Adam(other)
    for trainer, loss, optimizer in ((a, fm.CrossEntropyLoss(), adam),
                                     (b, fm.MultiMarginLoss(), second)) * 2:  # fmt: skip
        trainer.step(X, LABELS)
        loss.forward(other.forward(X, training=True), LABELS)
        other.backward(loss.backward())
        optimizer.step()
        assert (net.params == other.params).all()


# ---- frozen layers ----


def test_frozen_layers_have_no_gradient_by_hand():
    net, free = chain("float64"), chain("float64")
    net.grads[...] = 7.0
    net[0].trainable = False
    assert (net[0].dW == 0).all()
    for accumulate in (False, True):
        for keep in (False, True):
            found = [one.backward(one.forward(X, keep=keep), accumulate) for one in (net, free)]
            assert (found[0] == found[1]).all()
            assert (net[0].dW == 0).all()
            assert (net[0].db == 0).all()
    net[0].trainable = True
    net.backward(net.forward(X)), free.backward(free.forward(X))
    assert (net.grads == free.grads).all()


def test_a_frozen_layer_stays_frozen_in_networks_and_copies():
    layer = fm.Linear(5, 4, seed=0)
    layer.trainable = False
    layer.backward(layer.forward(X))
    assert (layer.dW == 0).all()
    net = fm.Sequential(layer, fm.Tanh(), fm.Linear(4, 3), seed=0)
    for one in (net, net.copy()):
        one.backward(one.forward(X))
        assert (one[0].dW == 0).all()
        assert (one[2].dW != 0).any()
    net[1].trainable = False  # without parameters, this has no effect
    net.backward(net.forward(X))
