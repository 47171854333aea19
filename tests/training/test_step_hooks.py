"""``on_step_end``: called after every so many steps, and the fit keeps its bits."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp as fm

X = np.random.default_rng(0).standard_normal((50, 4))
LABELS = np.arange(50) % 3


class Steps:
    def __init__(self, every=1, last=None):
        self.step_every, self.last, self.seen = every, last, []

    def on_step_end(self, state):
        self.seen.append((state.step, state.lr, state.step_losses.copy()))
        if state.step == self.last:
            state.stop()


def network():
    return fm.Sequential(fm.Linear(4, 16), fm.BatchNorm(16), fm.ReLU(), fm.Dropout(0.2),
                         fm.Linear(16, 3), seed=0)  # fmt: skip


OPTIONS = {
    "plain": {},
    "in order": {"shuffle": False},
    "dropped rows": {"drop_last": True, "validation": 0.1},
    "weights, penalty": {"sample_weight": np.arange(50.0), "penalty": fm.L2(0.01)},
    "sum": {"loss": fm.CrossEntropyLoss(reduction="sum"), "optimizer": fm.SGD(1e-3)},
    "schedules": {"schedule": fm.OneCycleLR(0.1), "schedules": {"dropout": fm.CosineLR()}},
}


def fit(*callbacks, net=None, **options):
    net = net or network()
    options = {"loss": fm.CrossEntropyLoss(), "epochs": 3, "batch_size": 8, **options}
    return net, fm.fit(net, X, LABELS, callbacks=callbacks, **options)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_calls_between_steps_change_no_bit(options):
    (net, history), (whole, expected) = fit(Steps(1), Steps(3), **options), fit(**options)
    assert np.array_equal(net.params, whole.params)
    assert np.array_equal(net.state, whole.state)
    assert history.loss == expected.loss
    assert history.val_loss == expected.val_loss
    assert history.lr == expected.lr


def test_members_keep_their_losses_and_rows():
    def run(*callbacks):
        net = fm.Sequential(fm.Linear(8, 12, groups=2), fm.Tanh(), fm.Linear(12, 6, groups=2),
                            seed=0)  # fmt: skip
        loss = fm.CrossEntropyLoss(fold=2)
        history = fm.fit(net, X, LABELS, loss=loss, epochs=2, batch_size=8, members=2,
                         validation=0.2, callbacks=callbacks)  # fmt: skip
        return net.params.tobytes(), history.member_loss, history.loss

    assert run(Steps(2)) == run()


def test_steps_count_over_epochs_and_have_their_losses():
    each, third = Steps(1), Steps(3)
    _, history = fit(each, third)
    assert [step for step, *_ in each.seen] == list(range(1, 22))
    assert [step for step, *_ in third.seen] == list(range(3, 22, 3))
    losses = np.concatenate([one for *_, one in each.seen])
    # Seven steps an epoch: six of 8 rows, and one of 2.
    first = np.average(losses[:7], weights=[8] * 6 + [2])
    assert first == pytest.approx(history.loss[0])
    assert np.array_equal(third.seen[0][2], losses[:3])
    # The 9th step is the second of its epoch, so only two losses are there.
    assert np.array_equal(third.seen[2][2], losses[7:9])


def test_a_fit_can_end_in_the_middle_of_an_epoch():
    hook = Steps(1, last=10)
    _, history = fit(hook)
    assert [step for step, *_ in hook.seen][-1] == 10
    assert len(history.loss) == 2
    assert history.loss[1] == pytest.approx(np.mean([one for *_, one in hook.seen[7:]]))


def test_none_is_no_call_and_other_values_are_refused():
    hook = Steps(None)
    fit(hook, Steps(1))
    assert not hook.seen
    for every in (0, 1.5):
        with pytest.raises((fm.ArgumentError, fm.ArgumentTypeError), match=r"Steps\.step_every"):
            fit(Steps(every))
    pytest.importorskip("scipy")
    with pytest.raises(fm.ArgumentError, match="LBFGS has no steps"):
        fit(Steps(), optimizer=fm.LBFGS(), batch_size=None)
