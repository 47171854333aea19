"""Activation functions and their derivatives.

The lecture: ReLU max(0, x); leaky ReLU max(0.1x, x); ELU x or exp(x) - 1; GELU x Phi(x); SiLU
x sigma(x); sigmoid; tanh; step; identity; and maxout max(w1.x + b1, w2.x + b2), which has weights.

Each derivative is what backward() returns for an upstream gradient of 1, beside the central
difference (f(x + h) - f(x - h)) / 2h. At a kink the two sides have different slopes, and the
lecture leaves open which one backward() takes: the last lines answer that.
"""

import sys
from pathlib import Path

import numpy as np

import fastmlp as fm

ACTIVATIONS = [fm.ReLU, fm.LeakyReLU, fm.ELU, fm.GELU, fm.SiLU, fm.Sigmoid, fm.Tanh, fm.Step,
               fm.Identity]  # fmt: skip


def derivative(layer, x):
    """By backward: the upstream gradient 1 times the local gradient."""
    y = layer.forward(x)
    return layer.backward(np.ones_like(y))


def central_difference(layer, x, h=1e-5):
    return (layer.forward(x + h) - layer.forward(x - h)) / (2 * h)


def derivative_error(activation):
    """The largest difference of the two, between -4 and 4; the points leave out the kink at 0."""
    x = np.linspace(-4, 4, 100)
    return np.abs(derivative(activation(), x) - central_difference(activation(), x)).max()


def maxout(w1, b1, w2, b2):
    """max(w1.x + b1, w2.x + b2): a Linear of two columns, then Maxout(2)."""
    net = fm.Sequential(fm.Linear(len(w1), 2), fm.Maxout(2), dtype="float64")
    net[0].W, net[0].b = np.stack([w1, w2], axis=1), [b1, b2]
    return net


def gradients_at_ties():
    """What backward returns at x = 0, and where two inputs of a maximum are equal."""
    found = {activation.__name__: derivative(activation(), np.zeros(1))[0]
             for activation in (fm.ReLU, fm.LeakyReLU, fm.Step)}  # fmt: skip
    found["Maxout"] = derivative(fm.Maxout(2), np.array([5.0, 5.0])).tolist()
    largest = fm.Maximum()
    largest.forward([5.0], [5.0])
    found["Maximum"] = [dx.item() for dx in largest.backward([1.0])]
    return found


def draw(path):
    x = np.linspace(-4, 4, 401)
    picture = fm.plot.figure(9, 7.5)
    for ax, activation in zip(picture.subplots(3, 3).flat, ACTIVATIONS, strict=True):
        ax.plot(x, activation().forward(x), label="f(x)")
        ax.plot(x, derivative(activation(), x), "--", label="f'(x)")
        ax.set(title=activation.__name__, ylim=(-1.4, 3.2), xlabel="x")
        ax.grid(alpha=0.3)
    picture.axes[0].legend(frameon=False, loc="upper left")
    picture.savefig(path)


def main(folder="."):
    x = np.array([-2.0, -0.5, 0.5, 2.0])
    print(f"{'x':22}" + "".join(f"{value:8.1f}" for value in x))
    for activation in ACTIVATIONS:
        name, layer = activation.__name__, activation()
        print(f"{name:10} f(x)       " + "".join(f"{value:8.4f}" for value in layer.forward(x)))
        print(f"{'':10} f'(x)      " + "".join(f"{v:8.4f}" for v in derivative(layer, x))
              + f"   off central differences by {derivative_error(activation):.0e}")  # fmt: skip
    net = maxout(w1=[1.0, -2.0], b1=0.5, w2=[-1.0, 1.0], b2=0.0)
    y = net.forward([2.0, 1.0])
    dx = net.backward([1.0])
    print(f"maxout max(x1 - 2 x2 + 0.5, -x1 + x2) at (2, 1): {y.item()}, gradient {dx.tolist()}")
    for name, gradient in gradients_at_ties().items():
        print(f"At the tie, {name} passes on {gradient}")
    print("The rule: at 0 the slope from the left; of equal inputs the first gets all.")
    draw(Path(folder) / "03_activations.png")


if __name__ == "__main__":
    main(*sys.argv[1:2])
