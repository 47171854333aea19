"""Linear scores, and networks of two, three and n layers.

The lecture: a linear classifier gives every class a score,

    f = x W + b

and networks add more layers, with a max(0, .) between every two:

    f = max(0, x W1 + b1) W2 + b2
    f = max(0, max(0, x W1 + b1) W2 + b2) W3 + b3

The bias trick: append a 1 to x and the row b to W, and f = x W needs no b of its own. The forward
code of a 3-4-4-1 net with sigmoids has four lines of NumPy; all are compared with fastmlp.
"""

from itertools import pairwise

import numpy as np
from lecture_support import draw, image, run, same

import fastmlp as fm


def network(widths, seed=0, activation=fm.ReLU):
    """Linear layers with these widths and an activation between them; random weights and biases."""
    layers = []
    for fan_in, fan_out in pairwise(widths):
        layers += [fm.Linear(fan_in, fan_out, bias_init="lecun_uniform"), activation()]
    return fm.Sequential(layers[:-1], dtype="float64", seed=seed)


def by_formula(net, x):
    """The same scores in NumPy."""
    *hidden, last = net.layers[::2]
    for layer in hidden:
        x = np.maximum(0, x @ layer.W + layer.b)
    return x @ last.W + last.b


def forward_code(net, x):
    """The notes' forward pass of the 3-4-4-1 net, with rows as inputs."""
    (W1, b1), (W2, b2), (W3, b3) = ((layer.W, layer.b) for layer in net.layers[::2])
    f = lambda x: 1.0 / (1.0 + np.exp(-x))  # noqa: E731 (as the notes have it)
    h1 = f(np.dot(x, W1) + b1)
    h2 = f(np.dot(h1, W2) + b2)
    return np.dot(h2, W3) + b3


def sigmoid_net():
    """Scores of the 3-4-4-1 net: by fastmlp and by the forward code."""
    net = network([3, 4, 4, 1], activation=fm.Sigmoid)
    x = np.random.default_rng(3).standard_normal((1, 3))
    return net.predict(x), forward_code(net, x)


def difference_from_formula(widths):
    """The largest difference, over 5 images."""
    net = network(widths)
    x = np.random.default_rng(1).uniform(-1, 1, (5, widths[0]))
    return np.abs(net.predict(x) - by_formula(net, x)).max()


def bias_trick(inputs=3072, classes=10):
    """Scores of a layer with a bias, and of a layer without one that reads an additional 1."""
    x = np.random.default_rng(2).uniform(-1, 1, (5, inputs))
    explicit = network([inputs, classes])
    W, b = explicit[0].W, explicit[0].b
    trick = fm.Sequential(fm.Linear(inputs + 1, classes, bias=False), dtype="float64")
    trick[0].W = np.vstack([W, b])
    return explicit.predict(x), trick.predict(np.hstack([x, np.ones((5, 1))]))


def winners(hidden):
    """The class (of three) with the highest score, on a grid of inputs of two numbers."""
    grid = np.linspace(-2, 2, 300)
    points = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    scores = network([2, *hidden, 3], seed=261).predict(points)
    return scores.argmax(axis=1).reshape(300, 300)


def main(folder="."):
    for widths in ([3072, 10], [3072, 100, 10], [3072, 100, 50, 10], [3072, *[64] * 8, 10]):
        name = "-".join(map(str, widths))
        print(f"{name}: differs from NumPy by at most {difference_from_formula(widths):.1e}")
    same("3-4-4-1 with sigmoids and the notes' forward code", *sigmoid_net())
    explicit, trick = bias_trick()
    same("the bias trick and an explicit bias", explicit, trick)
    print("So b is a weight like the others, of an input that is always 1.")
    nets = {"a linear classifier": [], "2 layers": [30], "3 layers": [30, 30]}
    panels = [image(winners(hidden), title, cmap="Pastel1", vmin=0, vmax=8, origin="lower")
              for title, hidden in nets.items()]  # fmt: skip
    draw(folder, "01_linear_scores", *panels, size=(3.4, 3.6),
         title="Which of three classes has the highest score, with random weights")  # fmt: skip


if __name__ == "__main__":
    run(main)
