"""Backpropagation as a recursion of deltas, on three layers of two units each.

With f_l = W_l^T a_{l-1} + b_l before and a_l = g(f_l) after the activation, as columns, and
delta_l = dL/df_l:

    delta_3 = g'(f_3) o dL/da_3
    delta_l = g'(f_l) o (W_{l+1} delta_{l+1})
    dL/dW_l = a_{l-1} delta_l^T,    dL/db_l = delta_l

(W_l has a row for each input and a column for each unit, as in fastmlp.) Here g is the sigmoid,
and L = sum((a_3 - t)**2). The recursion is computed in NumPy; beside it stand the deltas that
backward() left in the network, read after forward(..., keep=True).
"""

import numpy as np
from lecture_support import run, same

import fastmlp as fm

X = np.array([0.5, -1.0])
TARGET = np.array([1.0, 0.0])


def network():
    layers = []
    for _ in range(3):
        layers += [fm.Linear(2, 2, bias_init="xavier_uniform"), fm.Sigmoid()]
    return fm.Sequential(layers, dtype="float64", seed=3)


def by_backward(net, x, target):
    """For each layer delta_l and dL/dW_l, as backward() computed them."""
    loss = fm.MSELoss(reduction="sum")
    loss.forward(net.forward([x], keep=True), [target])
    net.backward(loss.backward())
    return [(layer.grad[0], layer.dW.copy()) for layer in net.layers[::2]]


def by_recursion(net, x, target):
    """The same from the formulas above."""
    layers, activations, slopes = net.layers[::2], [x], []
    for layer in layers:
        f = layer.W.T @ activations[-1] + layer.b
        a = 1 / (1 + np.exp(-f))
        activations.append(a)
        slopes.append(a * (1 - a))  # g'(f) of the sigmoid

    delta = slopes[2] * 2 * (activations[3] - target)
    found = [(delta, np.outer(activations[2], delta))]
    for k in (1, 0):
        delta = slopes[k] * (layers[k + 1].W @ delta)
        found.append((delta, np.outer(activations[k], delta)))
    return found[::-1]


def main(folder="."):
    net = network()
    ours, formula = by_backward(net, X, TARGET), by_recursion(net, X, TARGET)
    for k, ((delta, dW), (delta_ref, dW_ref)) in enumerate(zip(ours, formula, strict=True), 1):
        print(f"layer {k}\n  delta {delta.round(6)}\n  dW    {dW.round(6).tolist()}")
        same("  delta by backward and by recursion", delta, delta_ref)
        same("  dW by backward and by recursion", dW, dW_ref)
    print("\nThe delta of a Linear is its .grad. It gets smaller from layer 3 to layer 1: every")
    print("sigmoid on the way down multiplies it by at most 0.25.")


if __name__ == "__main__":
    run(main)
