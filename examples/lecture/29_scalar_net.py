"""The smallest deep network: one unit in each layer, and the place of the loss function.

    f_l = w_l a_{l-1},   a_l = g(f_l),   a_0 = x,   yhat = a_3,   E = (yhat - y)^2 / 2

The notes' deltas do not contain the loss: delta_l = dyhat/df_l. The loss is one factor, the same
for all weights, so it can be multiplied at the end:

    delta_3 = g'(f_3),   delta_l = g'(f_l) w_{l+1} delta_{l+1},   dyhat/dw_l = a_{l-1} delta_l
    dE/dw_l = (yhat - y) dyhat/dw_l

backward() is linear in its upstream gradient: 1 gives dyhat/dw, and yhat - y gives dE/dw.

With vectors the order of the factors matters. As a gradient (a column of x's shape), dL/dx =
W1 D1 W2 D2 W3 D3 dL/dyhat, from the input to the output; as a derivative (a row), it is the
transpose: dL/dyhat^T D3 W3^T D2 W2^T D1 W1^T. Here D_l is the diagonal matrix of g'(f_l), and W_l
has a row for each input.
"""

import numpy as np
from lecture_support import bars, check, draw, panel, run, same

import fastmlp as fm

X, WEIGHTS, TARGET = 1.0, (0.5, -1.0, 2.0), 1.0
STATED = {"yhat": 0.66784, "dyhat/dw": [-0.02370, 0.06276, 0.07747]}


def network(weights):
    """Linear layers without biases, each followed by a sigmoid; weights are numbers or arrays."""
    layers = []
    for W in map(np.atleast_2d, weights):
        layers += [fm.Linear(*W.shape, bias=False), fm.Sigmoid()]
    net = fm.Sequential(layers, dtype="float64")
    for layer, W in zip(net.layers[::2], weights, strict=True):
        layer.W = np.atleast_2d(W)
    return net


def by_backward(net, upstream=None):
    """yhat, and dyhat/dw for each layer; dE/dw if the upstream gradient is yhat - y."""
    yhat = net.forward([X])
    net.backward([1.0] if upstream is None else upstream)
    return yhat.item(), np.array([layer.dW.item() for layer in net.layers[::2]])


def by_deltas(weights):
    """The same from the recursion above."""
    a = [X]
    for w in weights:
        a.append(1 / (1 + np.exp(-w * a[-1])))
    slope = [one * (1 - one) for one in a[1:]]
    delta = [slope[2]]
    for k in (1, 0):
        delta.insert(0, slope[k] * weights[k + 1] * delta[0])
    return a[3], np.array([a[k] * delta[k] for k in range(3)])


def order_of_factors():
    """dL/dx of a 4-3-3-2 network: from backward, as a gradient and as a derivative."""
    rng = np.random.default_rng(0)
    W1, W2, W3 = weights = [rng.standard_normal(size) for size in ((4, 3), (3, 3), (3, 2))]
    x, upstream = rng.standard_normal(4), rng.standard_normal(2)
    net = network(weights)
    net.forward(x, keep=True)
    dx = net.backward(upstream)
    D1, D2, D3 = (np.diag(a.output[0] * (1 - a.output[0])) for a in net.layers[1::2])
    gradient = W1 @ D1 @ W2 @ D2 @ W3 @ D3 @ upstream
    derivative = upstream @ D3 @ W3.T @ D2 @ W2.T @ D1 @ W1.T
    return dx, gradient, derivative


def main(folder="."):
    net = network(WEIGHTS)
    yhat, slopes = by_backward(net)
    check("yhat", yhat, STATED["yhat"], 5e-6)
    check("dyhat/dw", slopes, STATED["dyhat/dw"], 5e-6)
    same("by the deltas", slopes, by_deltas(WEIGHTS)[1], 1e-15)
    dE = by_backward(net, [yhat - TARGET])[1]
    check("dE/dw, y = 1", dE, (yhat - TARGET) * slopes, 1e-15)
    print("The loss function is the factor yhat - y, which the notes multiply in at the end.")
    dx, gradient, derivative = order_of_factors()
    same("dL/dx as a gradient, W1 D1 W2 D2 W3 D3 g", dx, gradient, 1e-15)
    same("dL/dx as a derivative, in the other order", dx, derivative, 1e-15)

    grid = np.linspace(-3, 3, 121)
    curves = {}
    for k in range(3):
        moved = [[*WEIGHTS[:k], w, *WEIGHTS[k + 1 :]] for w in grid]
        curves[f"$w_{k + 1}$"] = (grid, [by_deltas(one)[0] for one in moved])
    draw(folder, "29_scalar_net",
         panel("$\\hat{y}$ as one weight moves", curves, xlabel="the weight", ylabel="$\\hat{y}$",
               legend="lower right"),
         bars({f"$w_{k + 1}$": float(s) for k, s in enumerate(slopes)}, "$d\\hat{y}/dw$",
              [f"{s:.5f}" for s in slopes]))  # fmt: skip


if __name__ == "__main__":
    run(main)
