"""Staged computation: f(x, y) = (x + sigmoid(y)) / (sigmoid(x) + (x + y)^2) at x = 3, y = -4.

This is too long to derive on paper. Forward goes in stages, each with a simple derivative. Backward
goes through the stages in reverse, and adds (+=) the gradients of a value that was used twice:

    sigy = sigmoid(y);  num = x + sigy;  sigx = sigmoid(x);  xpy = x + y;  den = sigx + xpy^2
    f = num / den
"""

import numpy as np
from lecture_support import check, run, same

import fastmlp as fm

STATED = {"f": 1.5456, "df/dx": 2.0596, "df/dy": 1.5922}


def by_hand(x, y):
    """The stages; every line of backward is the derivative of one of forward."""
    sigy, sigx = 1 / (1 + np.exp(-y)), 1 / (1 + np.exp(-x))
    num, xpy = x + sigy, x + y
    den = sigx + xpy**2
    f = num / den

    dnum, dden = 1 / den, -num / den**2
    dx = dy = dden * 2 * xpy  # through xpy, which is a part of den
    dx += dden * (1 - sigx) * sigx
    dx += dnum
    dy += dnum * (1 - sigy) * sigy
    return f, dx, dy


class Reciprocal:
    """1 / v, as a custom gate."""

    def forward(self, v):
        self.y = 1 / v
        return self.y

    def backward(self, upstream):
        return -upstream * self.y**2


def circuit():
    """The same as a graph, whose edges tell which gradients are added."""
    x, y = fm.Input(1, "x"), fm.Input(1, "y")
    num = (x + fm.Sigmoid()(y)).named("num")
    den = (fm.Sigmoid()(x) + fm.Square()((x + y).named("xpy"))).named("den")
    f = num * fm.Custom(Reciprocal(), name="1/den")(den)
    return fm.Graph([x, y], f.named("f"), dtype="float64")


def by_graph(net, x, y):
    f = net.forward({"x": [x], "y": [y]}, keep=True)
    downstream = net.backward([1.0])
    return f.item(), downstream["x"].item(), downstream["y"].item()


def main(folder="."):
    net = circuit()
    ours = by_graph(net, 3.0, -4.0)
    for (name, stated), value in zip(STATED.items(), ours, strict=True):
        check(name, value, stated, 5e-5)
    same("by hand and by the graph", ours, by_hand(3.0, -4.0), 1e-15)
    net.draw(f"{folder}/34_staged_circuit.svg")


if __name__ == "__main__":
    run(main)
