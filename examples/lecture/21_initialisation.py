"""First weights: zeros keep all units of a layer identical; He and Xavier keep the variance.

Units of a layer that start equal get equal gradients, so they stay equal: a layer of 8 units acts
like one unit. Random weights make them differ. How large should they be? A unit sums
fan_in inputs, so its variance is fan_in * Var(W) times theirs:

    Xavier   Var(W) = 2 / (fan_in + fan_out)   keeps it, forward and backward, where g(f) is about f
    He       Var(W) = 2 / fan_in               makes up for the half that ReLU sets to 0
"""

import numpy as np
from lecture_support import draw, panel, run, table

import fastmlp as fm

DEPTH, WIDTH, ROWS = 10, 256, 256
CASES = {
    "normal(0, 0.01), tanh": (None, fm.Tanh),
    "Xavier, tanh": ("xavier_normal", fm.Tanh),
    "Xavier, ReLU": ("xavier_normal", fm.ReLU),
    "He, ReLU": ("he_normal", fm.ReLU),
}
STARTS = {"zeros": "zeros", "all weights 0.5": fm.initializers.Constant(0.5),
          "Xavier": "xavier_normal"}  # fmt: skip


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
    """Standard deviation of f_l (forward) and of delta_l (backward) for each layer."""
    layers = []
    for _ in range(DEPTH):
        layers += [fm.Linear(WIDTH, WIDTH, init=init), activation()]
    net = fm.Sequential(*layers, dtype="float64", seed=seed)
    rng = np.random.default_rng(seed)
    linears = net.layers[::2]
    if init is None:
        for layer in linears:
            layer.W = 0.01 * rng.standard_normal((WIDTH, WIDTH))
    net.forward(rng.standard_normal((ROWS, WIDTH)), keep=True)
    net.backward(rng.standard_normal((ROWS, WIDTH)))
    return [layer.output.std() for layer in linears], [layer.grad.std() for layer in linears]


def main(folder="."):
    rows = []
    for name, init in STARTS.items():
        units, loss = different_units(init)
        rows.append((name, *units, f"{loss:.4f}"))
    table(["2-8-8-1 on XOR", "different units in layer 1", "in layer 2", "loss"], rows)

    found, layers = {name: spread(*case) for name, case in CASES.items()}, np.arange(1, DEPTH + 1)
    for way, title in enumerate(("std of f_l in layer", "std of delta_l in layer")):
        print()
        table(
            [title, *map(str, layers)],
            [(name, *(f"{size:.1e}" for size in sizes[way])) for name, sizes in found.items()],
        )
    dots = {"style": "o", "linestyle": "-"}
    panels = [panel(title, {name: (layers, sizes[way], dots) for name, sizes in found.items()},
                    yscale="log", xlabel="layer", xticks=layers)
              for way, title in enumerate(("Forward: standard deviation of $f_l$",
                                           "Backward: of $\\delta_l$"))]  # fmt: skip
    draw(folder, "21_initialisation", *panels)


if __name__ == "__main__":
    run(main)
