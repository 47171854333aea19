"""Why deep sigmoid networks learned badly: the gradient vanishes on its way down.

Every layer multiplies delta by W and by g'. The sigmoid's slope is s(1 - s) <= 0.25, so with
weights that keep lengths (Xavier) each layer leaves about a quarter: the gradient shrinks
geometrically with depth. The slope of ReLU is 1 wherever it is not 0, and with weights that make
up for the half that is 0 (He) the gradient keeps its size.
"""

import numpy as np
from lecture_support import GREY, check, draw, panel, run, table

import fastmlp as fm

DEPTH, WIDTH, ROWS = 12, 64, 128


def largest_slope():
    """The largest derivative of the sigmoid, and where it is, on a fine grid."""
    z = np.linspace(-6, 6, 1201).reshape(-1, 1)
    gate = fm.Sigmoid()
    gate.forward(z)
    slopes = gate.backward(np.ones_like(z))
    return float(slopes.max()), float(z[slopes.argmax(), 0])


def gradients(activation, seed=0):
    """Root mean square of delta_l, and of dL/dW_l, for each layer from first to last."""
    layers = []
    for _ in range(DEPTH):
        layers += [fm.Linear(WIDTH, WIDTH), activation()]
    net = fm.Sequential(*layers, dtype="float64", seed=seed)  # He before ReLU, otherwise Xavier
    rng = np.random.default_rng(seed)
    net.forward(rng.standard_normal((ROWS, WIDTH)), keep=True)
    net.backward(rng.standard_normal((ROWS, WIDTH)))
    deltas = np.array([np.sqrt(np.mean(layer.grad**2)) for layer in net.layers[::2]])
    weights = np.array([np.sqrt(np.mean(layer.dW**2)) for layer in net.layers[::2]])
    return deltas, weights


def factor_per_layer(sizes):
    """The factor by which one layer multiplies the gradient: the geometric mean."""
    return float((sizes[0] / sizes[-1]) ** (1 / (len(sizes) - 1)))


def main(folder="."):
    check("largest slope of the sigmoid, and where", largest_slope(), (0.25, 0.0), 1e-12)
    (sigmoid, sigmoid_W), (relu, relu_W) = gradients(fm.Sigmoid), gradients(fm.ReLU)
    layers = np.arange(1, DEPTH + 1)
    table(["layer", "sigmoid: delta", "dW", "ReLU: delta", "dW"],
          [(int(layer), *sizes) for layer, *sizes in
           zip(layers, sigmoid, sigmoid_W, relu, relu_W, strict=True)])  # fmt: skip
    for name, sizes in (("Sigmoid", sigmoid), ("ReLU", relu)):
        print(f"{name}: one layer multiplies delta by {factor_per_layer(sizes):.3f}")
    quarter = sigmoid[-1] * 0.25 ** (DEPTH - layers)
    dots = {"style": "o", "linestyle": "-"}
    draw(folder, "14_vanishing_gradient",
         panel("The gradient on its way down",
               {"ReLU, He weights": (layers, relu, dots),
                "sigmoid, Xavier": (layers, sigmoid, dots),
                "a quarter per layer": (layers, quarter, {"style": "--", "color": GREY})},
               yscale="log", xticks=layers, xlabel="layer (1 reads the input)",
               ylabel="root mean square of $\\delta_l$"), size=(6, 4))  # fmt: skip


if __name__ == "__main__":
    run(main)
