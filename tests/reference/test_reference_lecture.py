"""The reference gives the numbers of the lecture."""

from __future__ import annotations

import numpy as np
import pytest
from tests.reference.problems import chain

from fastmlp import reference as ref


def test_bias_trick_and_collapse_of_linear_layers(rng):
    x, W1, b1 = rng.normal(size=(6, 3)), rng.normal(size=(3, 4)), rng.normal(size=4)
    W2 = rng.normal(size=(4, 2))
    trick = ref.Linear(np.vstack([W1, b1])).forward(np.hstack([x, np.ones((6, 1))]))
    np.testing.assert_allclose(trick, ref.Linear(W1, b1).forward(x), rtol=1e-13)
    two = ref.Sequential(ref.Linear(W1), ref.Linear(W2)).forward(x)
    np.testing.assert_allclose(two, ref.Linear(W1 @ W2).forward(x), rtol=1e-12)


def test_sigmoid_circuit():
    net = ref.Sequential(ref.Linear([[2.0], [-3.0]], [-3.0]), ref.Activation("Sigmoid"))
    assert net.forward([[-1.0, -2.0]]).round(2) == 0.73
    dx = net.backward([[1.0]])
    dW, db = net.grads
    np.testing.assert_array_equal(dx.round(2), [[0.39, -0.59]])
    np.testing.assert_array_equal(dW.round(2), [[-0.20], [-0.39]])
    np.testing.assert_array_equal(db.round(2), [0.20])


def test_sum_of_squares_of_a_product():
    layer = ref.Linear(np.transpose([[0.1, 0.5], [-0.3, 0.8]]))  # W.x is x W^T
    loss = ref.MSELoss(reduction="sum")
    q = layer.forward([[0.2, 0.4]])
    np.testing.assert_allclose(q, [[0.22, 0.26]])
    assert loss.forward(q, np.zeros((1, 2))) == pytest.approx(0.116)
    np.testing.assert_allclose(loss.backward(), [[0.44, 0.52]])
    np.testing.assert_allclose(layer.backward(loss.backward()), [[-0.112, 0.636]])
    np.testing.assert_allclose(layer.dW.T, [[0.088, 0.176], [0.104, 0.208]])


def test_matrix_multiply_never_needs_the_jacobian(rng):
    layer = ref.Linear(rng.normal(size=(3, 4)))
    x, dy = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))
    layer.forward(x)
    np.testing.assert_array_equal(layer.backward(dy), dy @ layer.W.T)
    np.testing.assert_array_equal(layer.dW, x.T @ dy)


def test_two_layers_of_relu_and_a_sum_of_squares(rng):
    x, W1, W2 = rng.normal(size=(6, 3)), rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
    net = ref.Sequential(ref.Linear(W1), ref.Activation("ReLU"), ref.Linear(W2))
    y = net.forward(x)
    net.backward(2.0 * y)
    h1 = np.maximum(x @ W1, 0.0)
    dW1, dW2 = net.grads
    np.testing.assert_allclose(dW2, h1.T @ (2.0 * h1 @ W2), rtol=1e-12)
    np.testing.assert_allclose(dW1, x.T @ ((2.0 * h1 @ W2) @ W2.T * (x @ W1 > 0.0)), rtol=1e-12)


@pytest.mark.parametrize("loss", [ref.MultiMarginLoss(), ref.CrossEntropyLoss()])
def test_swapping_the_loss_changes_one_line(loss, rng):
    x, labels, penalty = rng.normal(size=(6, 3)), rng.integers(3, size=6), ref.L2(0.1)
    layer = ref.Linear(rng.normal(size=(3, 3)))

    def value():
        return loss.forward(layer.forward(x), labels) + penalty.value(layer.W)

    value()
    layer.backward(loss.backward())
    np.testing.assert_allclose(
        layer.dW + penalty.gradient(layer.W), ref.central_difference(value, layer.W), rtol=1e-6
    )


def test_svm_loss_of_three_images():
    scores = [[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]]  # cat, car, frog
    loss = ref.MultiMarginLoss()
    each = [loss.forward([row], [label]) for label, row in enumerate(scores)]
    np.testing.assert_allclose(each, [2.9, 0.0, 12.9], atol=1e-14)
    assert loss.forward(scores, [0, 1, 2]) == pytest.approx(15.8 / 3.0)


def test_two_layer_net_by_hand_falls_step_for_step(rng):
    x, y = rng.normal(size=(16, 30)), rng.normal(size=(16, 5))
    W1, W2 = rng.normal(size=(30, 12)), rng.normal(size=(12, 5))
    net = ref.Sequential(ref.Linear(W1), ref.Activation("Sigmoid"), ref.Linear(W2))
    trainer = ref.Trainer(net, ref.MSELoss(reduction="sum"), ref.SGD(lr=1e-4))
    by_net, by_hand = [], []
    for _ in range(200):
        by_net.append(trainer.step(x, y))
        h = 1.0 / (1.0 + np.exp(-(x @ W1)))
        d = h @ W2 - y
        by_hand.append(np.sum(d * d))
        dW1, dW2 = x.T @ ((2.0 * d) @ W2.T * h * (1.0 - h)), h.T @ (2.0 * d)
        W1 -= 1e-4 * dW1
        W2 -= 1e-4 * dW2
    np.testing.assert_allclose(by_net, by_hand, rtol=1e-11)
    assert (np.diff(by_net) < 0.0).all()


def test_zero_weights_stop_the_first_gradient():
    net = ref.Sequential(ref.Linear([[0.0]]), ref.Activation("Sigmoid"), ref.Linear([[0.0]]))

    def output():
        return float(net.forward([[0.0]])[0, 0])

    output()
    net.backward([[1.0]])
    for grad, param, expected in zip(net.grads, net.params, (0.0, 0.5), strict=True):
        assert grad == expected
        np.testing.assert_allclose(ref.central_difference(output, param), grad, atol=1e-10)


def test_gradients_vanish_through_sigmoids_not_through_relus(rng):
    assert ref.ACTIVATIONS["Sigmoid"].df(np.linspace(-5.0, 5.0, 101)).max() == 0.25
    shrinkage = {}
    for name in ("Sigmoid", "ReLU"):
        layers = []
        for _ in range(10):
            W = rng.normal(size=(32, 32)) * np.sqrt(2.0 / 32)
            layers += [ref.Linear(W, np.zeros(32)), ref.Activation(name)]
        net = ref.Sequential(*layers)
        net.forward(rng.normal(size=(8, 32)))
        net.backward(rng.normal(size=(8, 32)))
        norms = [np.linalg.norm(layer.dW) for layer in net.linears]
        shrinkage[name] = norms[0] / norms[-1]
    assert shrinkage["Sigmoid"] < 1e-3
    assert shrinkage["ReLU"] > 0.1


def test_delta_recursion_on_three_layers(rng):
    net = chain(rng, 2, 2, 2, 2)
    x, dy = rng.normal(size=(1, 2)), rng.normal(size=(1, 2))
    net.forward(x)
    net.backward(dy)
    first, second, third = net.linears
    sigmoid = ref.ACTIVATIONS["Sigmoid"]
    f1 = x @ first.W + first.b
    f2 = sigmoid.f(f1) @ second.W + second.b
    delta3 = dy.T
    delta2 = sigmoid.df(f2).T * (third.W @ delta3)
    delta1 = sigmoid.df(f1).T * (second.W @ delta2)
    np.testing.assert_allclose(third.dW, sigmoid.f(f2).T @ delta3.T, rtol=1e-14)
    np.testing.assert_allclose(second.dW, sigmoid.f(f1).T @ delta2.T, rtol=1e-14)
    np.testing.assert_allclose(first.dW, x.T @ delta1.T, rtol=1e-14)
    for layer, delta in zip(net.linears, (delta1, delta2, delta3), strict=True):
        np.testing.assert_allclose(layer.db, delta.ravel(), rtol=1e-14)
