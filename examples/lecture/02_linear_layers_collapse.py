"""Without a non-linearity, two layers are one.

The lecture asks what happens to f = W2 max(0, W1 x) if the max is left out. With rows as inputs:
(x W1) W2 = x (W1 W2), a linear classifier again, whose one matrix is W1 W2.

Computed with two Linear layers and with one whose weights are the product of theirs.
"""

import sys
from pathlib import Path

import numpy as np

import fastmlp as fm


def two_layers(activation, inputs=4, hidden=50, outputs=3, bias=False):
    """A net of two layers with random weights, and random biases in the first if asked for."""
    return fm.Sequential(
        fm.Linear(inputs, hidden, bias=bias, init="lecun_normal", bias_init="lecun_normal"),
        activation,
        fm.Linear(hidden, outputs, bias=False, init="lecun_normal"),
        dtype="float64",
        seed=0,
    )


def collapsed(net):
    """One layer, of the product of the weights."""
    one = fm.Sequential(fm.Linear(net.in_features, net.out_features, bias=False), dtype="float64")
    one[0].W = net[0].W @ net[2].W
    return one


def largest_difference(activation):
    """Between a net of two layers and its collapsed form, relative to the largest score."""
    net = two_layers(activation)
    x = np.random.default_rng(1).standard_normal((100, 4))
    scores = net.predict(x)
    return np.abs(scores - collapsed(net).predict(x)).max() / np.abs(scores).max()


def bend(activation):
    """How far a net of one input is from a straight line through its ends; and the curve."""
    x = np.linspace(-3, 3, 301).reshape(-1, 1)
    y = two_layers(activation, inputs=1, outputs=1, bias=True).predict(x)
    line = y[0] + (y[-1] - y[0]) * (x - x[0]) / (x[-1] - x[0])
    return np.abs(y - line).max(), x, y


def main(folder="."):
    names = {fm.Identity(): "no non-linearity", fm.ReLU(): "a ReLU between the layers"}
    ax = fm.plot.figure().subplots()
    for (activation, name), style in zip(names.items(), ("--", "-"), strict=True):
        print(f"{name}: (x W1) W2 and x (W1 W2) differ by {largest_difference(activation):.1e}")
        distance, x, y = bend(type(activation)())
        print(f"    with one input, the output is {distance:.1e} from a straight line")
        ax.plot(x, y, style, label=name)
    print("Two linear layers collapse into one: it is the non-linearity that makes depth count.")
    ax.set(xlabel="x", ylabel="f(x)", title="Two layers, the same random weights")
    ax.legend(frameon=False)
    ax.figure.savefig(Path(folder) / "02_linear_layers_collapse.png")


if __name__ == "__main__":
    main(*sys.argv[1:2])
