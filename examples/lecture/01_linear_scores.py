"""Linear scores, and networks of two, three and n layers.

The lecture: a linear classifier gives every class a score,

    f = x W + b

and networks put more layers behind, with a max(0, .) between every two:

    f = max(0, x W1 + b1) W2 + b2
    f = max(0, max(0, x W1 + b1) W2 + b2) W3 + b3

The bias trick: append a 1 to x and the row b to W, and f = x W needs no b of its own.

Every network is computed by fastmlp and, from the same weights, by NumPy's formula.
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

import fastmlp as fm


def network(widths, seed=0):
    """Linear layers of these widths, with a ReLU between every two; random weights and biases."""
    layers = []
    for fan_in, fan_out in pairwise(widths):
        layers += [fm.Linear(fan_in, fan_out, bias_init="lecun_uniform"), fm.ReLU()]
    return fm.Sequential(layers[:-1], dtype="float64", seed=seed)


def by_formula(net, x):
    """The same scores, by NumPy."""
    *hidden, last = [layer for layer in net.layers if isinstance(layer, fm.Linear)]
    for layer in hidden:
        x = np.maximum(0, x @ layer.W + layer.b)
    return x @ last.W + last.b


def difference_from_formula(widths):
    """The largest difference, over 5 images."""
    net = network(widths)
    x = np.random.default_rng(1).uniform(-1, 1, (5, widths[0]))
    return np.abs(net.predict(x) - by_formula(net, x)).max()


def bias_trick(inputs=3072, classes=10):
    """Scores of a layer with a bias, and of one without that reads a 1 more."""
    x = np.random.default_rng(2).uniform(-1, 1, (5, inputs))
    explicit = network([inputs, classes])
    W, b = explicit[0].W, explicit[0].b
    trick = fm.Sequential(fm.Linear(inputs + 1, classes, bias=False), dtype="float64")
    trick[0].W = np.vstack([W, b])
    return explicit.predict(x), trick.predict(np.hstack([x, np.ones((5, 1))]))


def draw(path):
    """Which class has the highest score, for inputs of two numbers."""
    grid = np.linspace(-2, 2, 300)
    points = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    picture = fm.plot.figure(10, 3.6)
    nets = {"a linear classifier": [], "2 layers": [30], "3 layers": [30, 30]}
    for ax, (title, hidden) in zip(picture.subplots(1, 3), nets.items(), strict=True):
        scores = network([2, *hidden, 3], seed=261).predict(points)
        winner = scores.argmax(axis=1).reshape(300, 300)
        ax.imshow(
            winner,
            interpolation="nearest",
            origin="lower",
            extent=(-2, 2, -2, 2),
            cmap="Pastel1",
            vmin=0,
            vmax=8,
        )
        ax.set(xlabel="$x_1$", ylabel="$x_2$", title=title)
    picture.suptitle("Which of three classes has the highest score, with random weights")
    picture.savefig(path)


def main(folder="."):
    for widths in ([3072, 10], [3072, 100, 10], [3072, 100, 50, 10], [3072, *[64] * 8, 10]):
        name = "-".join(map(str, widths))
        print(f"{name}: differs from NumPy by at most {difference_from_formula(widths):.1e}")
    explicit, trick = bias_trick()
    print(f"Bias trick, scores of the first image: {trick[0, :4].round(4)} ...")
    print(f"with an explicit bias:                 {explicit[0, :4].round(4)} ...")
    print(f"largest difference: {np.abs(explicit - trick).max():.1e}")
    print("So b is a weight like the others, of an input that is always 1.")
    draw(Path(folder) / "01_linear_scores.png")


if __name__ == "__main__":
    main(*sys.argv[1:2])
