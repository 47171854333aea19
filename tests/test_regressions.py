"""Bugs that were found once, each with the smallest program that showed it."""

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference

RNG = np.random.default_rng(7)
X = RNG.standard_normal((12, 4))
LABELS = np.arange(12) % 3


def small_net():
    return fm.Sequential(fm.Linear(4, 5), fm.Tanh(), fm.Linear(5, 3), dtype="float64", seed=1)


@pytest.mark.parametrize("loss", [fm.CrossEntropyLoss(), fm.MultiMarginLoss()])
@pytest.mark.parametrize("dtype", [np.longlong, np.int64, np.intc, np.uint64])
def test_every_integer_type_holds_labels(loss, dtype):
    """int64 has two type numbers; the second was taken for an array of real targets."""
    scores = RNG.standard_normal((12, 3))
    expected = loss.forward(scores, LABELS.tolist())
    assert loss.forward(scores, LABELS.astype(dtype)) == expected
    losses = [fm.fit(small_net(), X, LABELS.astype(kind), loss=loss, epochs=2,
                     progress=False).loss for kind in (dtype, np.int64)]  # fmt: skip
    assert losses[0] == losses[1]
    steps = [fm.Trainer(small_net(), loss).step(X, LABELS.astype(kind))
             for kind in (dtype, np.int64)]  # fmt: skip
    assert steps[0] == steps[1]


def test_a_forward_while_backward_converts_its_argument():
    """The rows were counted before the conversion, which may run any code."""
    net = small_net()

    class Sly:
        def __array__(self, *args, **kwargs):
            net.forward(np.zeros((100_000, 4)))
            return np.ones((1, 3))

    net.forward(X[:1])
    with pytest.raises(fm.StateError, match="since the forward pass"):
        net.backward(Sly())


def test_calls_before_the_constructor_has_run():
    with pytest.raises(fm.StateError, match="__init__"):
        fm.Trainer.__new__(fm.Trainer).step(np.ones((1, 2), np.float32), np.zeros(1, np.int64))
    with pytest.raises(fm.StateError, match="__init__"):
        fm.Sequential.__new__(fm.Sequential).predict(np.ones((1, 2), np.float32))


def test_subclasses_do_what_their_base_does():
    class MyL2(fm.L2):
        pass

    class MyLoss(fm.MSELoss):
        pass

    class MySGD(fm.SGD):
        pass

    net = small_net()
    assert MyL2(0.5).forward(net) == fm.L2(0.5).forward(net)
    target = np.zeros((12, 3))
    values = [fm.Trainer(small_net(), loss, optimizer).step(X, target)
              for loss, optimizer in ((MyLoss(), MySGD()), (fm.MSELoss(), fm.SGD()))]  # fmt: skip
    assert values[0] == values[1]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
def test_training_and_validation_losses_are_of_one_kind(reduction, weighted):
    """With a learning rate of 0 the two are the same number, whatever the batches."""
    weight = np.where(np.arange(12) < 7, 0.25, 2.0) if weighted else None
    data = (X, LABELS) if weight is None else (X, LABELS, weight)
    history = fm.fit(small_net(), X, LABELS, loss=fm.CrossEntropyLoss(reduction=reduction),
                     optimizer=fm.SGD(lr=0.0), epochs=1, batch_size=5, sample_weight=weight,
                     validation=data, progress=False)  # fmt: skip
    np.testing.assert_allclose(history.loss, history.val_loss, rtol=1e-12)


def test_many_weights_add_up_in_double_precision():
    rows = 1_000_000
    scores = np.zeros((rows, 2), np.float32)
    weight = np.full(rows, 0.1, np.float32)
    value = fm.CrossEntropyLoss().forward(scores, np.zeros(rows, np.int64), weight)
    assert value == pytest.approx(np.log(2.0), rel=1e-6)


def test_nan_is_never_the_best_loss():
    schedule = fm.ReduceLROnPlateau(factor=0.5, patience=0)
    for loss in (float("nan"), 5.0, 4.0, 3.0):
        schedule.observe(loss)
    assert schedule.rates(lr=1.0, epoch=4, epochs=9, steps=1).tolist() == [0.5]


def test_an_interrupt_during_validation_leaves_complete_epochs(monkeypatch):
    def interrupted(trainer, data):
        raise KeyboardInterrupt

    monkeypatch.setattr(fm.Trainer, "evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        fm.fit(small_net(), X, LABELS, loss=fm.CrossEntropyLoss(), epochs=3,
               validation=(X, LABELS), progress=False)  # fmt: skip
    history = caught.value.history
    assert {len(column) for column in (history.loss, history.lr, history.seconds)} == {0}


def test_every_callback_hears_the_end():
    heard = []

    class Raises:
        def on_epoch_end(self, state):
            pass

        def on_fit_end(self, state):
            raise RuntimeError("mine")

    class Hears(Raises):
        def on_fit_end(self, state):
            heard.append(state.epoch)

    with pytest.raises(RuntimeError, match="mine"):
        fm.fit(small_net(), X, LABELS, loss=fm.CrossEntropyLoss(), epochs=2,
               callbacks=[Raises(), Hears()], progress=False)  # fmt: skip
    assert heard == [1]


# A number near the zero of the derivative, or where the output is saturated, and the derivative's
# name in the reference.
SLOPES = [
    (fm.GELU(), "GELU", -0.7517915), (fm.GELU(approximate="tanh"), "GELUTanh", -0.7524614),
    (fm.SiLU(), "SiLU", -1.2784645), (fm.Mish(), "Mish", -1.1924312), (fm.Tanh(), "Tanh", 12.0),
    (fm.Sigmoid(), "Sigmoid", 40.0), (fm.SELU(), "SELU", -25.0),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "name", "place"), SLOPES, ids=[row[1] for row in SLOPES])
def test_local_gradients_keep_their_precision_where_they_are_small(layer, name, place):
    """They were a difference of rounded numbers of about 1, or made from the rounded output."""
    x = np.nextafter(np.float32(place), np.float32([[-100.0], [100.0]]))
    net = fm.Sequential(layer, in_features=1)
    net.forward(x)
    slope = net.backward(np.ones_like(x))
    expected = reference.ACTIVATIONS[name].df(x)
    assert np.allclose(slope, expected, rtol=1e-5, atol=0.0)
