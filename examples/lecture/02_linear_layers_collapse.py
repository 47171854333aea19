"""Without a non-linearity, two layers are one.

The lecture asks what happens to f = W2 max(0, W1 x) if the max is left out. With rows as inputs:
(x W1) W2 = x (W1 W2), a linear classifier again, whose one matrix is W1 W2. A straight line as
activation, g(f) = A f with a number A, changes nothing: g(W2 g(W1 x)) = A^2 W2 W1 x.
"""

import numpy as np
from lecture_support import draw, panel, run, same

import fastmlp as fm


def two_layers(activation, inputs=4, hidden=50, outputs=3, bias=False):
    """A net of two layers with random weights, and random biases in the first if asked for."""
    return fm.Sequential(
        fm.Linear(inputs, hidden, bias=bias, init="lecun_normal", bias_init="lecun_normal"),
        activation,
        fm.Linear(hidden, outputs, bias=False, init="lecun_normal"),
        dtype="float64", seed=0,
    )  # fmt: skip


def collapsed(net):
    """One layer with the product of the weights."""
    one = fm.Sequential(fm.Linear(net.in_features, net.out_features, bias=False), dtype="float64")
    one[0].W = net[0].W @ net[2].W
    return one


def largest_difference(activation):
    """Between a net of two layers and its collapsed form, relative to the largest score."""
    net = two_layers(activation)
    x = np.random.default_rng(1).standard_normal((100, 4))
    scores = net.predict(x)
    return np.abs(scores - collapsed(net).predict(x)).max() / np.abs(scores).max()


class Line:
    """g(f) = A f: a custom activation that is a straight line."""

    def __init__(self, A):
        self.A = A

    def forward(self, f):
        return self.A * f

    def backward(self, upstream):
        return self.A * upstream


def straight_line(A=3.0):
    """Scores of g(W2 g(W1 x)), and A^2 W2 W1 x."""
    net = two_layers(Line(A))
    x = np.random.default_rng(1).standard_normal((100, 4))
    return Line(A).forward(net.predict(x)), A**2 * (x @ net[0].W @ net[2].W)


def bend(activation):
    """The distance of a net with one input from the line through its ends; and its curve."""
    x = np.linspace(-3, 3, 301).reshape(-1, 1)
    y = two_layers(activation, inputs=1, outputs=1, bias=True).predict(x)
    line = y[0] + (y[-1] - y[0]) * (x - x[0]) / (x[-1] - x[0])
    return np.abs(y - line).max(), x, y


def main(folder="."):
    curves = {}
    for name, activation, style in (("no non-linearity", fm.Identity, "--"),
                                    ("a ReLU between the layers", fm.ReLU, "-")):  # fmt: skip
        difference, (distance, *curve) = largest_difference(activation()), bend(activation())
        print(f"{name}: (x W1) W2 and x (W1 W2) differ by {difference:.1e}")
        print(f"    with one input, the output is {distance:.1e} from a straight line")
        curves[name] = *curve, style
    same("g(f) = 3 f: g(W2 g(W1 x)) and 3^2 W2 W1 x", *straight_line())
    print("Two linear layers collapse into one: it is the non-linearity that makes depth count.")
    draw(
        folder,
        "02_linear_layers_collapse",
        panel("Two layers, the same random weights", curves, xlabel="x", ylabel="f(x)"),
    )


if __name__ == "__main__":
    run(main)
