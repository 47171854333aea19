"""Schedules of weight decay, dropout and label smoothing."""

from __future__ import annotations

import numpy as np
import pytest
from tests.harness import generator, same_bits

import fastmlp as fm

ROWS, EPOCHS = 40, 3
X = generator("settings").normal(size=(ROWS, 5))
Y = np.arange(ROWS) % 3


class Fixed(fm.Schedule):
    """The same values in every epoch, which may equal the starting values of a schedule."""

    def __init__(self, *values):
        self.values = values
        self.starts = []

    def rates(self, lr, epoch, epochs, steps):
        self.starts.append(lr)
        return np.resize(np.array(self.values or [lr], np.float64), steps)


def network(p=0.25):
    return fm.Sequential(fm.Linear(5, 8), fm.Tanh(), fm.Dropout(p), fm.Linear(8, 3), seed=0)


def fit(net=None, optimizer=None, smoothing=0.1, **schedules):
    net = network() if net is None else net
    optimizer = fm.AdamW(lr=0.01, weight_decay=0.1) if optimizer is None else optimizer
    fm.fit(net, X, Y, loss=fm.CrossEntropyLoss(label_smoothing=smoothing), optimizer=optimizer,
           epochs=EPOCHS, batch_size=16, schedules=schedules, progress=False)  # fmt: skip
    return net.params


def test_schedules_start_from_the_constant_values():
    schedules = {name: Fixed() for name in ("weight_decay", "dropout", "label_smoothing")}
    assert same_bits(fit(**schedules), fit())
    assert [schedules[name].starts for name in schedules] == [
        [0.1] * EPOCHS, [1.0] * EPOCHS, [0.1] * EPOCHS]  # fmt: skip


@pytest.mark.parametrize("kind", [fm.SGD, fm.Adam, fm.AdamW, fm.RMSprop, fm.Adagrad])
def test_weight_decay(kind):
    """A constant schedule equals an optimizer with that value."""
    expected = fit(optimizer=kind(weight_decay=0.3))
    assert same_bits(fit(optimizer=kind(), weight_decay=Fixed(0.3)), expected)
    assert not same_bits(fit(optimizer=kind()), expected)


def test_weight_decay_of_groups():
    groups = {"bias": {"weight_decay": 0.5}}
    expected = fit(optimizer=fm.AdamW(weight_decay=0.3, groups=groups))
    given = fm.AdamW(weight_decay=7.0, groups=groups)
    assert same_bits(fit(optimizer=given, weight_decay=Fixed(0.3)), expected)


def test_dropout_is_a_factor():
    assert same_bits(fit(network(0.25), dropout=Fixed(2.0)), fit(network(0.5)))
    assert same_bits(fit(network(0.25), dropout=Fixed(0.0)), fit(network(0.0)))


def test_label_smoothing():
    assert same_bits(fit(smoothing=0.0, label_smoothing=Fixed(0.2)), fit(smoothing=0.2))


def test_each_step_has_its_own_rate():
    """Three steps in an epoch, one of which drops everything."""
    net = network(0.5)
    fit(net, fm.SGD(lr=1.0), dropout=Fixed(2.0, 0.0, 2.0))
    steady = fit(network(0.5), fm.SGD(lr=1.0), dropout=Fixed(2.0))
    assert not same_bits(net.params, steady)
    # If everything is dropped, only the last bias is trained.
    assert same_bits(steady[:-3], network().params[:-3])


def test_settings_follow_schedules_step_by_step():
    schedule, seen = fm.OneCycleLR(0.5), []

    class Spy(fm.OneCycleLR):
        def rates(self, *args, **more):
            seen.extend(super().rates(*args, **more))
            return super().rates(*args, **more)

    fit(weight_decay=Spy(0.5))
    expected = [schedule.rates(0.1, epoch, EPOCHS, 3) for epoch in range(EPOCHS)]
    assert seen == np.concatenate(expected).tolist()


def test_schedules_receive_the_losses():
    schedule = fm.ReduceLROnPlateau(factor=0.5, patience=0)
    net = network()
    fm.fit(net, X, Y, loss=fm.CrossEntropyLoss(), optimizer=fm.SGD(0.0, weight_decay=0.1),
           epochs=4, schedules={"weight_decay": schedule}, progress=False)  # fmt: skip
    assert schedule.rates(1.0, 4, 5, 1) < 1.0


@pytest.mark.parametrize(("loss", "layers", "schedules", "words"), [
    (fm.MSELoss(), [fm.Linear(5, 3)], "dropout", "'dropout', which needs a Dropout layer"),
    (fm.MSELoss(), [fm.Linear(5, 3)], "label_smoothing", "which needs a CrossEntropyLoss"),
])  # fmt: skip
def test_schedules_without_a_setting_are_refused(loss, layers, schedules, words):
    net = fm.Sequential(*layers, seed=0)
    with pytest.raises(fm.ArgumentError, match=f"^schedules: got .*{words}; leave it out"):
        fm.fit(net, X, X[:, :3], loss=loss, schedules={schedules: fm.CosineLR()}, progress=False)


@pytest.mark.parametrize(("name", "value", "words"), [
    ("weight_decay", -1.0, "want 3 finite numbers >= 0"),
    ("weight_decay", np.nan, "want 3 finite numbers >= 0"),
    ("dropout", 4.1, "want 3 finite numbers from 0 to 4$"),
    ("label_smoothing", 1.1, "want 3 finite numbers from 0 to 1$"),
])  # fmt: skip
def test_values_out_of_range(name, value, words):
    net = network(0.25)
    before = net.params.copy()
    with pytest.raises(fm.ArgumentError, match=rf"^schedules\['{name}'\]: got .* from .*{words}"):
        fit(net, **{name: Fixed(value)})
    assert same_bits(net.params, before)


def test_epochs_of_a_trainer_check_their_values():
    net = network(0.25)
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.SGD(0.1))
    data, before = trainer.checked_data(X, Y, None), net.params.copy()
    for name, values, words in [
        ("dropouts", [1.0, 5.0], "want numbers from 0 to 4"),
        ("weight_decays", [np.inf, 1.0], "want numbers >= 0"),
        ("label_smoothings", [1.0], r"want \(2,\)"),
    ]:
        with pytest.raises(fm.ArgumentError, match=f"^{name}: got .*{words}"):
            trainer.epoch(data, None, 20, np.ones(2), **{name: values})
    assert same_bits(net.params, before)
