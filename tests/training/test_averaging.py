"""``EMA``: averages of the parameters over the steps of a training."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp as fm

X = np.random.default_rng(0).standard_normal((30, 3))
Y = X @ [[1.0], [-2.0], [0.5]]


def network():
    return fm.Sequential(fm.Linear(3, 8), fm.BatchNorm(8), fm.Tanh(), fm.Linear(8, 1), seed=0)


def fit(net, *callbacks, epochs=3):
    return fm.fit(net, X, Y, loss=fm.MSELoss(), epochs=epochs, batch_size=8, callbacks=callbacks)


def test_the_average_follows_every_step_of_a_fit():
    net, by_hand = network(), network()
    ema = fm.EMA(decay=0.9)
    history = fit(net, ema)
    plain = network()
    assert fit(plain).loss == history.loss
    assert np.array_equal(plain.params, net.params)
    # The same by hand, from the parameters after each step.
    average = by_hand.params.copy()

    class Follow:
        def on_step_end(self, state):
            average[...] = 0.9 * average + np.float32(1.0 - 0.9) * state.net.params

    fit(by_hand, Follow())
    np.testing.assert_allclose(ema.net.params, average, rtol=1e-5, atol=1e-6)
    assert np.array_equal(ema.net.state, net.state)
    assert ema.updates == 12


def test_the_averages_can_be_swapped_in():
    net = network()
    ema = fm.EMA(net, decay=0.5)
    trainer = fm.Trainer(net, fm.MSELoss(), fm.SGD(lr=0.1))
    for _ in range(3):
        trainer.step(X, Y)
        ema.update()
    own, averaged = net.predict(X), ema.net.predict(X)
    with ema.swapped():
        assert np.array_equal(net.predict(X), averaged)
        assert np.array_equal(ema.net.predict(X), own)
    assert np.array_equal(net.predict(X), own)
    fit(net, swap := fm.EMA(swap_in=True))
    assert np.array_equal(net.params, swap.net.params)


def test_warmup_forgets_the_first_parameters():
    net = network()
    ema = fm.EMA(net, decay=0.999, warmup=True)
    before = net.params.copy()
    net.params[...] += 1.0
    ema.update()
    np.testing.assert_allclose(ema.net.params, before + 0.9, rtol=1e-5)


def test_a_resumed_fit_continues_the_averages(tmp_path):
    whole, broken = fm.EMA(decay=0.9), [fm.EMA(decay=0.9), fm.EMA(decay=0.9)]
    fit(network(), whole, epochs=5)
    path = tmp_path / "fit"
    for ema, epochs in zip(broken, (2, 5), strict=True):
        fit(network(), ema, fm.Checkpoint(path, resume=True), epochs=epochs)
    assert np.array_equal(broken[1].net.params, whole.net.params)
    assert broken[1].updates == whole.updates


def test_faults_are_named():
    with pytest.raises(fm.StateError, match="EMA: there is no network yet"):
        fm.EMA().update()
    with pytest.raises(fm.ArgumentTypeError, match=r"net: got 0\.9"):
        fm.EMA(0.9)
    ema = fm.EMA(network())
    with pytest.raises(fm.ArgumentError, match="another network"):
        ema.load_state_dict({**ema.state_dict(), "params": np.zeros(3)})
