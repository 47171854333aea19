"""Gradients of a whole two-layer network: L = sum(y^2), y = h1 W2, h1 = ReLU(z1), z1 = X W1.

The lecture asks for dL/dW1 and dL/dW2. Backwards, node by node:

    dL/dy  = 2 y
    dL/dW2 = h1^T dL/dy        dL/dh1 = dL/dy W2^T
    dL/dz1 = dL/dh1 where z1 > 0, else 0
    dL/dW1 = X^T dL/dz1

backward() is compared with these formulas and with central differences of L. Without comparisons
the same is eight lines: 09_minimal.py.
"""

import numpy as np
from lecture_support import BLACK, draw, panel, run, same

import fastmlp as fm


def network():
    return fm.Sequential(
        fm.Linear(4, 5, bias=False), fm.ReLU(), fm.Linear(5, 3, bias=False),
        dtype="float64", seed=0,
    )  # fmt: skip


def inputs():
    return np.random.default_rng(0).standard_normal((6, 4))


def by_backward(net, x):
    """dL/dW1 and dL/dW2."""
    y = net.forward(x)
    net.backward(2 * y)
    return net[0].dW.copy(), net[2].dW.copy()


def by_formula(net, x):
    """The same, in NumPy."""
    W1, W2 = net[0].W, net[2].W
    z1 = x @ W1
    h1 = np.maximum(z1, 0)
    dy = 2 * (h1 @ W2)
    dz1 = (dy @ W2.T) * (z1 > 0)
    return x.T @ dz1, h1.T @ dy


def value(net, x):
    """L."""
    return np.sum(net.forward(x) ** 2)


def by_central_differences(net, x, h=1e-5):
    """The same from values of L only: two for each weight."""
    found = []
    for W in (net[0].W, net[2].W):
        gradient = np.zeros_like(W)
        for place in np.ndindex(W.shape):
            kept = W[place]
            W[place] = kept + h
            above = value(net, x)
            W[place] = kept - h
            gradient[place] = (above - value(net, x)) / (2 * h)
            W[place] = kept
        found.append(gradient)
    return tuple(found)


def main(folder="."):
    net, x = network(), inputs()
    ours, numeric = by_backward(net, x), by_central_differences(net, x)
    for name, a, b, c in zip(("dL/dW1", "dL/dW2"), ours, by_formula(net, x), numeric, strict=True):
        print(f"{name}, by backward:\n{np.array2string(a, precision=4, suppress_small=True)}")
        same("  off the formula", a, b)
        same("  off central differences", a, c, 1e-7)
    errors = fm.gradcheck(net, fm.MSELoss(reduction="sum"), x, np.zeros((6, 3)))
    print(f"fm.gradcheck does the same for any network; relative errors:\n{errors.table()}")

    ends = [min(map(np.min, ours)), max(map(np.max, ours))]
    marks = {name: (c, a, mark) for name, a, c, mark in
             zip(("dL/dW1", "dL/dW2"), ours, numeric, "os", strict=True)}  # fmt: skip
    draw(folder, "09_two_layer_gradients",
         panel("Every weight's gradient", marks | {"_": (ends, ends, {"color": BLACK})},
               xlabel="by central differences", ylabel="by backward"))  # fmt: skip


if __name__ == "__main__":
    run(main)
