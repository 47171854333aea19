"""Gradients of a whole two-layer network: L = sum(y^2), y = h1 W2, h1 = ReLU(z1), z1 = X W1.

The lecture asks for dL/dW1 and dL/dW2. Backwards, node by node:

    dL/dy  = 2 y
    dL/dW2 = h1^T dL/dy        dL/dh1 = dL/dy W2^T
    dL/dz1 = dL/dh1 where z1 > 0, else 0
    dL/dW1 = X^T dL/dz1

backward() is compared with these formulas and with central differences of L.
"""

import sys
from pathlib import Path

import numpy as np

import fastmlp as fm


def network():
    return fm.Sequential(
        fm.Linear(4, 5, bias=False), fm.ReLU(), fm.Linear(5, 3, bias=False),
        dtype="float64", seed=0,
    )  # fmt: skip


def inputs():
    return np.random.default_rng(0).standard_normal((6, 4))


def value(net, x):
    """L; the sum of y^2 is a squared error whose target is 0."""
    y = net.forward(x)
    loss = fm.MSELoss(reduction="sum")
    return loss.forward(y, np.zeros_like(y)), loss.backward()


def by_backward(net, x):
    """dL/dW1 and dL/dW2."""
    net.backward(value(net, x)[1])
    return net[0].dW.copy(), net[2].dW.copy()


def by_formula(net, x):
    """The same, in NumPy."""
    W1, W2 = net[0].W, net[2].W
    z1 = x @ W1
    h1 = np.maximum(z1, 0)
    dy = 2 * (h1 @ W2)
    dz1 = (dy @ W2.T) * (z1 > 0)
    return x.T @ dz1, h1.T @ dy


def by_central_differences(net, x, h=1e-5):
    """The same from values of L alone: two for each weight."""
    found = []
    for W in (net[0].W, net[2].W):
        gradient = np.zeros_like(W)
        for place in np.ndindex(W.shape):
            kept = W[place]
            W[place] = kept + h
            above = value(net, x)[0]
            W[place] = kept - h
            gradient[place] = (above - value(net, x)[0]) / (2 * h)
            W[place] = kept
        found.append(gradient)
    return tuple(found)


def main(folder="."):
    net, x = network(), inputs()
    ours, formula = by_backward(net, x), by_formula(net, x)
    numeric = by_central_differences(net, x)
    for name, a, b, c in zip(("dL/dW1", "dL/dW2"), ours, formula, numeric, strict=True):
        print(f"{name}, by backward:\n{np.array2string(a, precision=4, suppress_small=True)}")
        print(f"  off the formula by {np.abs(a - b).max():.1e}")
        print(f"  off central differences by {np.abs(a - c).max():.1e}")
    errors = fm.gradcheck(net, fm.MSELoss(reduction="sum"), x, np.zeros((6, 3)))
    print(f"fm.gradcheck does the same for any network; relative errors:\n{errors.table()}")

    ax = fm.plot.figure().subplots()
    for name, a, c, marker in zip(("dL/dW1", "dL/dW2"), ours, numeric, "ox", strict=True):
        ax.plot(c.ravel(), a.ravel(), marker, fillstyle="none", label=name)
    ax.axline((0, 0), slope=1, color=fm.plot.GREY, linewidth=0.8)
    ax.set(xlabel="by central differences", ylabel="by backward", title="Every weight's gradient")
    ax.legend(frameon=False)
    ax.figure.savefig(Path(folder) / "09_two_layer_gradients.png")


if __name__ == "__main__":
    main(*sys.argv[1:2])
