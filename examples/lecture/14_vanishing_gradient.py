"""Why deep sigmoid networks learned badly: the gradient vanishes on its way down.

Every layer multiplies delta by W and by g'. The sigmoid's slope is s(1 - s) <= 0.25, so with
weights that keep lengths (Xavier) each layer leaves about a quarter: the gradient shrinks
geometrically with depth. The slope of ReLU is 1 wherever it is not 0, and with weights that make
up for the half that is 0 (He) the gradient keeps its size.
"""

import sys
from pathlib import Path

import numpy as np

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
    net = fm.Sequential(*layers, dtype="float64", seed=seed)  # He before ReLU, else Xavier
    rng = np.random.default_rng(seed)
    net.forward(rng.standard_normal((ROWS, WIDTH)), keep=True)
    net.backward(rng.standard_normal((ROWS, WIDTH)))
    linears = [layer for layer in net if isinstance(layer, fm.Linear)]
    deltas = np.array([np.sqrt(np.mean(layer.grad**2)) for layer in linears])
    weights = np.array([np.sqrt(np.mean(layer.dW**2)) for layer in linears])
    return deltas, weights


def factor_per_layer(sizes):
    """By how much one layer multiplies on the way down: the geometric mean."""
    return float((sizes[0] / sizes[-1]) ** (1 / (len(sizes) - 1)))


def draw(sizes, path):
    ax = fm.plot.figure(6.4, 4.2).subplots()
    layers = np.arange(1, DEPTH + 1)
    ax.semilogy(layers, sizes["ReLU"], "o-", color=fm.plot.BLUE, label="ReLU, He weights")
    ax.semilogy(layers, sizes["Sigmoid"], "s-", color=fm.plot.ORANGE, label="sigmoid, Xavier")
    quarter = sizes["Sigmoid"][-1] * 0.25 ** (DEPTH - layers)
    ax.semilogy(layers, quarter, "--", color=fm.plot.GREY, label="a quarter per layer")
    ax.set(xlabel="layer (1 reads the input)", ylabel="root mean square of $\\delta_l$")
    ax.set(title="The gradient on its way down", xticks=layers)
    ax.grid(alpha=0.25)
    ax.legend()
    ax.figure.savefig(path, dpi=110)


def main(folder="."):
    slope, place = largest_slope()
    print(f"largest slope of the sigmoid: {slope:.4f}, at z = {place:.2f}\n")
    found = {kind.__name__: gradients(kind) for kind in (fm.Sigmoid, fm.ReLU)}
    print("         sigmoid                ReLU")
    print("layer    delta      dW          delta      dW")
    for k in range(DEPTH):
        cells = [f"{size[k]:.1e}" for kind in ("Sigmoid", "ReLU") for size in found[kind]]
        print(f"{k + 1:5d}    {cells[0]}    {cells[1]}     {cells[2]}    {cells[3]}")
    for kind, (deltas, _) in found.items():
        print(f"{kind}: one layer multiplies delta by {factor_per_layer(deltas):.3f}")
    sizes = {kind: deltas for kind, (deltas, _) in found.items()}
    draw(sizes, Path(folder) / "14_vanishing_gradient.png")


if __name__ == "__main__":
    main(*sys.argv[1:2])
