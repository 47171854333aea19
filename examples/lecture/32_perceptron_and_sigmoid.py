"""One rule for two machines: W(t+1) = W(t) + alpha (yhat - y) x, with y = sigma(W^T x).

The notes write yhat for the label, 0 or 1, and y for the output. With the sigmoid as
sigma, the rule is stochastic gradient descent on the logistic loss: its derivative with respect to
the score is y - yhat. With a step as sigma it is the perceptron: a right row changes
nothing, and a wrong row is added or subtracted.

Both are compared bit for bit. For that, alpha must be a power of two, so that
alpha * (yhat - y) * x is rounded once in any order of multiplication.
"""

import numpy as np
from lecture_support import BLACK, BLUE, ORANGE, check, draw, panel, run

import fastmlp as fm

ALPHA = 0.5


def two_groups(seed=0):
    """50 rows of label 0 and 50 of label 1; a column of ones replaces the bias."""
    rng = np.random.default_rng(seed)
    label = np.repeat([[0.0], [1.0]], 50, axis=0)
    x = rng.standard_normal((100, 2)) + 1.8 * (2 * label - 1) + [1.0, 0.0]
    order = rng.permutation(100)
    return np.column_stack([x, np.ones(100)])[order], label[order]


def by_rule(sigma, x, labels, epochs=10):
    """The rule, row by row. A layer computes the score, as in the network."""
    layer, W = fm.Linear(3, 1, bias=False, dtype="float64"), np.zeros((3, 1))
    for row, yhat in [*zip(x, labels, strict=True)] * epochs:
        layer.W = W
        y = sigma.forward(layer.forward(row))
        W = W + ALPHA * (yhat - y) * row[:, None]
    return W[:, 0]


def by_gradient_descent(x, labels, epochs=10):
    """SGD on the logistic loss, one row at a time."""
    net = fm.Sequential(fm.Linear(3, 1, bias=False, init="zeros"), dtype="float64")
    fm.fit(net, x, labels, loss=fm.BCEWithLogitsLoss(), optimizer=fm.SGD(lr=ALPHA), epochs=epochs,
           batch_size=1, shuffle=False, progress=False)  # fmt: skip
    return net[0].W[:, 0].copy()


def by_perceptron(x, labels, epochs=10):
    """Add a wrong row of label 1, subtract a wrong row of label 0."""
    w = np.zeros(3)
    for row, label in [*zip(x, labels[:, 0], strict=True)] * epochs:
        if (row @ w > 0) != label:
            w = w + ALPHA * row if label else w - ALPHA * row
    return w


def wrong(w, x, labels):
    return int(np.count_nonzero((x @ w > 0) != labels[:, 0]))


def main(folder="."):
    x, labels = two_groups()
    sigmoid, descent = by_rule(fm.Sigmoid(), x, labels), by_gradient_descent(x, labels)
    check("sigmoid: weights by the rule and by SGD on the logistic loss", sigmoid, descent)
    step, perceptron = by_rule(fm.Step(), x, labels), by_perceptron(x, labels)
    check("step: weights by the rule and by the perceptron", step, perceptron)
    check("step: rows wrong of 100", wrong(step, x, labels), 0)
    check("sigmoid: rows wrong of 100", wrong(sigmoid, x, labels), 0)

    one = labels[:, 0] == 1
    ends = np.array([-4.0, 6.0])
    curves = {"label 0": (*x[~one, :2].T, {"style": "o", "color": BLUE}),
              "label 1": (*x[one, :2].T, {"style": "s", "color": ORANGE})}  # fmt: skip
    for name, w, style in (("step", step, "-"), ("sigmoid", sigmoid, "--")):
        curves[name] = ends, -(w[0] * ends + w[2]) / w[1], {"style": style, "color": BLACK}
    draw(folder, "32_perceptron_and_sigmoid",
         panel("The same rule with two functions", curves, ylim=(-5, 5),
               xlabel="$x_1$", ylabel="$x_2$"))  # fmt: skip


if __name__ == "__main__":
    run(main)
