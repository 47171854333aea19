"""Activation functions and their derivatives.

The lecture: ReLU max(0, x); leaky ReLU max(0.1x, x); ELU x or alpha (exp(x) - 1); GELU x Phi(x);
SiLU x sigma(x); sigmoid; tanh; step; identity; and maxout max(w1.x + b1, w2.x + b2), with weights.

Each derivative is what backward() returns for an upstream gradient of 1, beside the central
difference (f(x + h) - f(x - h)) / 2h. At a kink the two sides have different slopes, and the
lecture leaves open which one backward() takes: the last lines answer that. ELU is without a kink
only for alpha = 1; else its slope at 0 is alpha on the left and 1 on the right.
"""

import numpy as np
from lecture_support import draw, panel, run, table

import fastmlp as fm

ACTIVATIONS = [fm.ReLU, fm.LeakyReLU, fm.ELU, fm.GELU, fm.SiLU, fm.Sigmoid, fm.Tanh, fm.Step,
               fm.Identity]  # fmt: skip


def derivative(layer, x):
    """The derivative from backward: the upstream gradient 1 times the local gradient."""
    y = layer.forward(x)
    return layer.backward(np.ones_like(y))


def central_difference(layer, x, h=1e-5):
    return (layer.forward(x + h) - layer.forward(x - h)) / (2 * h)


def derivative_error(activation):
    """The largest difference of both between -4 and 4; the points leave out the kink at 0."""
    x = np.linspace(-4, 4, 100)
    return np.abs(derivative(activation(), x) - central_difference(activation(), x)).max()


def maxout(w1, b1, w2, b2):
    """max(w1.x + b1, w2.x + b2): a Linear of two columns, then Maxout(2)."""
    net = fm.Sequential(fm.Linear(len(w1), 2), fm.Maxout(2), dtype="float64")
    net[0].W, net[0].b = np.stack([w1, w2], axis=1), [b1, b2]
    return net


def slopes_of_elu_at_0(alpha, h=1e-9):
    """The derivatives just left and just right of 0; they differ if there is a kink."""
    return derivative(fm.ELU(alpha=alpha), np.array([-h, h]))


def gradients_at_ties():
    """What backward returns at x = 0, and where two inputs of a maximum are equal."""
    found = {activation.__name__: derivative(activation(), np.zeros(1))[0]
             for activation in (fm.ReLU, fm.LeakyReLU, fm.Step)}  # fmt: skip
    found["Maxout"] = derivative(fm.Maxout(2), np.array([5.0, 5.0])).tolist()
    largest = fm.Maximum()
    largest.forward([5.0], [5.0])
    found["Maximum"] = [dx.item() for dx in largest.backward([1.0])]
    return found


def main(folder="."):
    x = np.array([-2.0, -0.5, 0.5, 2.0])
    rows = []
    for activation in ACTIVATIONS:
        layer = activation()
        rows.append((activation.__name__, "f(x)", *layer.forward(x), ""))
        rows.append(("", "f'(x)", *derivative(layer, x), f"{derivative_error(activation):.0e}"))
    table(["x", "", *map(str, x), "off central differences"], rows)
    y, net = np.array([2.0, 1.0]), maxout(w1=[1.0, -2.0], b1=0.5, w2=[-1.0, 1.0], b2=0.0)
    print(f"maxout max(x1 - 2 x2 + 0.5, -x1 + x2) at (2, 1): {net.forward(y).item()}, "
          f"gradient {net.backward([1.0]).tolist()}")  # fmt: skip
    for alpha in (1.0, 0.5, 2.0):
        left, right = slopes_of_elu_at_0(alpha)
        print(f"ELU with alpha = {alpha}: slopes at 0 {left:.4f} on the left, {right:.4f} right")
    for name, gradient in gradients_at_ties().items():
        print(f"At the tie, {name} passes on {gradient}")
    print("The rule: at 0 the slope from the left; of equal inputs the first gets all.")

    x = np.linspace(-4, 4, 401)
    panels = [panel(f"{one.__name__}: f (line), f' (dashed)",
                    {"_f": (x, one().forward(x)), "_f'": (x, derivative(one(), x), "--")},
                    ylim=(-1.4, 3.2)) for one in ACTIVATIONS]  # fmt: skip
    draw(folder, "03_activations", *panels, rows=3, size=(3, 2.5))


if __name__ == "__main__":
    run(main)
