"""First weights: zeros keep all units of a layer identical; He and Xavier keep the variance.

Units of a layer that start equal get equal gradients, so they stay equal for ever: a layer of 8 is
a layer of 1. Random weights break the tie. How large? A unit sums fan_in inputs, so its variance is
fan_in * Var(W) times theirs:

    Xavier   Var(W) = 2 / (fan_in + fan_out)   keeps it, forward and backward, where g(f) is about f
    He       Var(W) = 2 / fan_in               makes up for the half that ReLU sets to 0
"""

import sys
from pathlib import Path

import numpy as np

import fastmlp as fm

DEPTH, WIDTH, ROWS = 10, 256, 256
CASES = {
    "normal(0, 0.01), tanh": (None, fm.Tanh),
    "Xavier, tanh": ("xavier_normal", fm.Tanh),
    "Xavier, ReLU": ("xavier_normal", fm.ReLU),
    "He, ReLU": ("he_normal", fm.ReLU),
}


def different_units(init):
    """Train 2-8-8-1 on XOR; how many of each hidden layer's 8 units differ, and the loss."""
    x, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    sizes = ((2, 8), (8, 8), (8, 1))
    first, second, last = (fm.Linear(*size, init=init) for size in sizes)
    net = fm.Sequential(first, fm.Tanh(), second, fm.Tanh(), last, dtype="float64", seed=0)
    history = fm.fit(net, x, y, loss=fm.BCEWithLogitsLoss(), optimizer=fm.SGD(lr=0.5), epochs=500,
                     progress=False)  # fmt: skip
    return [len(np.unique(layer.W, axis=1).T) for layer in (first, second)], history.loss[-1]


def spread(init, activation, seed=0):
    """Standard deviation of f_l going up and of delta_l coming down, for each layer."""
    layers = []
    for _ in range(DEPTH):
        layers += [fm.Linear(WIDTH, WIDTH, init=init), activation()]
    net = fm.Sequential(*layers, dtype="float64", seed=seed)
    rng = np.random.default_rng(seed)
    linears = [layer for layer in net if isinstance(layer, fm.Linear)]
    if init is None:
        for layer in linears:
            layer.W = 0.01 * rng.standard_normal((WIDTH, WIDTH))
    net.forward(rng.standard_normal((ROWS, WIDTH)), keep=True)
    net.backward(rng.standard_normal((ROWS, WIDTH)))
    return [layer.output.std() for layer in linears], [layer.grad.std() for layer in linears]


def draw(found, path):
    axes = fm.plot.figure(9.6, 4.0).subplots(1, 2)
    titles = ("Forward: standard deviation of $f_l$", "Backward: of $\\delta_l$")
    colours = (fm.plot.GREY, "#009E73", fm.plot.ORANGE, fm.plot.BLUE)
    layers = np.arange(1, DEPTH + 1)
    for ax, title, way in zip(axes, titles, (0, 1), strict=True):
        for (name, sizes), colour in zip(found.items(), colours, strict=True):
            ax.semilogy(layers, sizes[way], "o-", color=colour, label=name)
        ax.set(title=title, xlabel="layer", xticks=layers)
        ax.grid(alpha=0.25)
    axes[0].legend()
    axes[0].figure.savefig(path, dpi=100)


def main(folder="."):
    print("2-8-8-1 trained on XOR   different units in layers 1, 2   loss")
    for name, init in (
        ("zeros", "zeros"),
        ("all weights 0.5", fm.initializers.Constant(0.5)),
        ("Xavier", "xavier_normal"),
    ):
        units, loss = different_units(init)
        print(f"  {name:<22}{units[0]:>20}, {units[1]}           {loss:.4f}")

    found = {name: spread(*case) for name, case in CASES.items()}
    for title, way in (("std of f_l, layer by layer", 0), ("std of delta_l", 1)):
        print(f"\n{title:<26}" + "".join(f"{k:8d}" for k in range(1, DEPTH + 1)))
        for name, sizes in found.items():
            print(f"  {name:<24}" + "".join(f"{size:8.1e}" for size in sizes[way]))
    draw(found, Path(folder) / "21_initialisation.png")


if __name__ == "__main__":
    main(*sys.argv[1:2])
