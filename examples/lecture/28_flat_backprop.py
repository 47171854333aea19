"""Flat backpropagation: a two-layer softmax network with biases, by hand, line for line.

    h1      = max(0, x W1 + b1)                 dscores = (p - onehot) / N
    scores  = h1 W2 + b2                        dW2, db2 = h1^T dscores, sum of dscores
    p       = softmax(scores)                   dh1 = dscores W2^T;  dh1[h1 <= 0] = 0
    L       = mean of -log p_y                  dW1, db1 = x^T dh1, sum of dh1

and the gradient of the linear SVM, derived on paper: with margins W_j x - W_y x + 1, every wrong
class j whose margin is above 0 adds x to the gradient of W_j and takes it from that of W_y. So

    dL/dW = x^T m / N + 2 lam W
    m[n, j] = 1 where the margin is above 0, else 0;   m[n, y] = -(the number of ones in the row)

The notes' derivation has a wrong sign in one line: the loss contains W_j x - W_y x + 1, so the
right class gets the minus. The script shows that central differences disagree with a plus.
"""

import numpy as np
from lecture_support import check, draw, image, run, same

import fastmlp as fm

N, D, H, C, LAM = 8, 5, 7, 3, 0.1


def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((N, D)), rng.integers(C, size=N)


def by_hand(x, y, W1, b1, W2, b2):
    """Loss and gradients: every line of forward has its line of backward, in reverse."""
    h1 = np.maximum(0, x @ W1 + b1)
    scores = h1 @ W2 + b2
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean()

    dscores = p.copy()
    dscores[np.arange(N), y] -= 1
    dscores /= N
    dW2, db2 = h1.T @ dscores, dscores.sum(axis=0)
    dh1 = dscores @ W2.T
    dh1[h1 <= 0] = 0
    dW1, db1 = x.T @ dh1, dh1.sum(axis=0)
    return loss, {"dscores": dscores, "dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


def by_layers(x, y):
    """The same with layers; also their first weights."""
    net = fm.Sequential(
        fm.Linear(D, H, bias_init="lecun_normal"), fm.ReLU(),
        fm.Linear(H, C, bias_init="lecun_normal"), dtype="float64", seed=1,
    )  # fmt: skip
    loss = fm.CrossEntropyLoss()
    value = loss.forward(net.forward(x), y)
    net.backward(loss.backward())
    first, last = net[0], net[2]
    gradients = {"dW1": first.dW, "db1": first.db, "dW2": last.dW, "db2": last.db}
    return value, gradients, (first.W, first.b, last.W, last.b)


def svm_on_paper(x, y, W, sign=-1):
    """The gradient from the formula above; ``sign=1`` is the mistake in the notes."""
    margins = x @ W - (x @ W)[np.arange(N), y][:, None] + 1
    m = (margins > 0).astype(float)
    m[np.arange(N), y] = 0
    m[np.arange(N), y] = sign * m.sum(axis=1)
    return x.T @ m / N + 2 * LAM * W


def svm_by_layers(x, y):
    """The same from a Linear layer with the library's loss and penalty; also its weights."""
    net = fm.Sequential(fm.Linear(D, C, bias=False), dtype="float64", seed=1)
    loss = fm.MultiMarginLoss()
    loss.forward(net.forward(x), y)
    net.backward(loss.backward())
    fm.L2(LAM).backward(net)
    return net[0].dW, net[0].W


def svm_by_differences(x, y, W, h=1e-6):
    """The same from values of the loss only."""

    def value(W):
        margins = np.maximum(0, x @ W - (x @ W)[np.arange(N), y][:, None] + 1)
        return (margins.sum() - N) / N + LAM * np.sum(W**2)  # the right class has margin 1

    found = np.zeros_like(W)
    for place in np.ndindex(W.shape):
        step = np.zeros_like(W)
        step[place] = h
        found[place] = (value(W + step) - value(W - step)) / (2 * h)
    return found


def main(folder="."):
    x, y = data()
    value, ours, weights = by_layers(x, y)
    loss, hand = by_hand(x, y, *weights)
    check("loss", value, loss, 1e-14)
    for name, gradient in ours.items():
        same(f"{name} by hand and by backward", gradient, hand[name], 1e-15)
    check("db2 sums to", ours["db2"].sum(), 0.0, 1e-15)

    dW, W = svm_by_layers(x, y)
    same("SVM: on paper and by backward", svm_on_paper(x, y, W), dW, 1e-15)
    same("SVM: on paper and central differences", dW, svm_by_differences(x, y, W), 1e-8)
    slip = np.abs(svm_on_paper(x, y, W, sign=1) - svm_by_differences(x, y, W)).max()
    print(f"SVM with the notes' sign: off central differences by {slip:.2f}; it is a slip")
    limits = {"digits": 3, "cmap": "RdBu_r", "vmin": -0.3, "vmax": 0.3, "aspect": "auto"}
    draw(folder, "28_flat_backprop",
         image(hand["dscores"], "dscores = (p - onehot) / N: a row\nfor each input adds up to 0",
               **limits),
         image(hand["dW2"], "dW2 = h1^T dscores", **limits))  # fmt: skip


if __name__ == "__main__":
    run(main)
