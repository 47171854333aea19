"""The reference's optimizers by hand, and whole fits against the explicit loop."""

from __future__ import annotations

import numpy as np
import pytest
from tests.reference.problems import chain

from fastmlp import reference as ref


def after_two_steps(optimizer):
    params = np.array([1.0])
    for gradient in (2.0, -1.0):
        optimizer.step(params, np.array([gradient]))
    return params[0]


def test_sgd_by_hand():
    assert after_two_steps(ref.SGD(lr=0.1)) == pytest.approx(1.0 - 0.2 + 0.1)
    assert after_two_steps(ref.SGD(lr=0.1, momentum=0.5)) == pytest.approx(1.0 - 0.2 - 0.0)
    nesterov = 1.0 - 0.1 * (2.0 + 0.5 * 2.0) - 0.1 * (-1.0 + 0.5 * 0.0)
    assert after_two_steps(ref.SGD(lr=0.1, momentum=0.5, nesterov=True)) == pytest.approx(nesterov)


def test_adam_by_hand():
    optimizer = ref.Adam(lr=0.1, beta1=0.5, beta2=0.5, eps=0.0)
    # m is 1, then 0, so the second step changes nothing.
    assert after_two_steps(optimizer) == pytest.approx(1.0 - 0.1)
    m_hat, v_hat = (0.9 * 0.2 - 0.1) / 0.19, (0.999 * 0.004 + 0.001) / (1.0 - 0.999**2)
    expected = 1.0 - 0.1 * (2.0 / (2.0 + 1e-8)) - 0.1 * m_hat / (np.sqrt(v_hat) + 1e-8)
    assert after_two_steps(ref.Adam(lr=0.1)) == pytest.approx(expected, rel=1e-14)
    hat = ref.Adam(lr=0.1, beta1=0.5, beta2=0.75, eps=3.0, eps_hat=True)
    params = np.array([1.0])
    hat.step(params, np.array([2.0]))
    # sqrt(v) = 1, sqrt(1 - beta2) = 0.5
    assert params == pytest.approx(1.0 - 0.1 * 2.0 / ((1.0 + 3.0) / 0.5))


def test_adamw_decays_the_parameters_not_the_gradient():
    params, optimizer = np.array([2.0]), ref.AdamW(lr=0.1, weight_decay=0.5, eps=0.0)
    optimizer.step(params, np.array([3.0]))
    assert params[0] == pytest.approx(2.0 * 0.95 - 0.1)


def test_rmsprop_by_hand():
    v1 = 0.01 * 4.0
    v2 = 0.99 * v1 + 0.01
    step1, step2 = 2.0 / (np.sqrt(v1) + 1e-8), -1.0 / (np.sqrt(v2) + 1e-8)
    assert after_two_steps(ref.RMSprop(lr=0.1)) == pytest.approx(1.0 - 0.1 * (step1 + step2))
    with_momentum = 1.0 - 0.1 * (step1 + 0.5 * step1 + step2)
    assert after_two_steps(ref.RMSprop(lr=0.1, momentum=0.5)) == pytest.approx(with_momentum)


def test_adagrad_by_hand():
    expected = 1.0 - 0.1 * 2.0 / np.sqrt(4.0) + 0.1 / np.sqrt(5.0)
    assert after_two_steps(ref.Adagrad(lr=0.1)) == pytest.approx(expected)


def test_clip_by_norm(rng):
    grads = rng.normal(size=50)
    norm = np.linalg.norm(grads)
    np.testing.assert_array_equal(ref.clip_by_norm(grads, 2.0 * norm), grads)
    np.testing.assert_allclose(
        ref.clip_by_norm(grads, 0.5), grads * (0.5 / (norm + 1e-6)), rtol=1e-15
    )


def test_fit_is_the_loop_written_out(rng):
    x, y = rng.normal(size=(10, 3)), rng.normal(size=(10, 2))
    weight = rng.uniform(0.5, 2.0, size=10)
    start = chain(rng, 3, 4, 2)
    net = ref.Sequential(
        ref.Linear(*start.layers[0].params),
        ref.Activation("Sigmoid"),
        ref.Linear(*start.layers[2].params),
    )
    history = ref.fit(
        net,
        x,
        y,
        loss=ref.MSELoss(),
        optimizer=ref.SGD(lr=0.1),
        epochs=2,
        batch_size=4,
        penalties=[ref.L2(0.01), ref.L1(0.02)],
        clip_norm=0.5,
        sample_weight=weight,
        seed=11,
    )
    W1, b1, W2, b2 = start.params
    losses = []
    for epoch in range(2):
        order = ref.permutation(10, 11, epoch)
        for batch in (order[:4], order[4:8], order[8:]):
            a, w = x[batch], weight[batch] / weight[batch].sum()
            h = 1.0 / (1.0 + np.exp(-(a @ W1 + b1)))
            d = h @ W2 + b2 - y[batch]
            data = np.sum(w * np.mean(d * d, axis=1))
            penalty = sum(0.01 * np.sum(W**2) + 0.02 * np.sum(abs(W)) for W in (W1, W2))
            losses.append(data * weight[batch].sum() / weight.sum() + penalty * len(batch) / 10)
            ds = d * w[:, np.newaxis]  # 2 / (2 columns)
            dz = ds @ W2.T * h * (1.0 - h)
            grads = [a.T @ dz, dz.sum(axis=0), h.T @ ds, ds.sum(axis=0)]
            grads[0] += 0.02 * W1 + 0.02 * np.sign(W1)
            grads[2] += 0.02 * W2 + 0.02 * np.sign(W2)
            norm = np.sqrt(sum(np.sum(g * g) for g in grads))
            for param, g in zip((W1, b1, W2, b2), grads, strict=True):
                param -= 0.1 * g * min(1.0, 0.5 / (norm + 1e-6))
    np.testing.assert_allclose(history, [sum(losses[:3]), sum(losses[3:])], rtol=1e-12)
    np.testing.assert_allclose(ref.flatten(net.params), ref.flatten(start.params), rtol=1e-12)


def test_epoch_yields_rows_and_follows_the_learning_rates():
    net = ref.Sequential(ref.Linear([[0.0]]))
    trainer = ref.Trainer(net, ref.MSELoss(), ref.SGD(lr=9.0))
    x = np.ones((5, 1))
    steps = trainer.epoch(x, x, np.arange(5), 2, lrs=[0.5, 0.0, 0.0])
    assert list(steps) == [(2, 1.0), (2, 0.0), (1, 0.0)]
