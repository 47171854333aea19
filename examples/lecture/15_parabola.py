"""Fitting y = x**2 + noise with 1-8-8-1 ReLU units: a parabola out of straight pieces.

100 points, noise of variance 1, Adam with learning rate 0.1, 10,000 epochs of all points at once,
in one call. The true curve itself has a mean squared error of about 1, the noise's variance: a
network below that has begun to fit the noise, which 97 parameters can do.
"""

import numpy as np
from lecture_support import GREY, draw, panel, run, table

import fastmlp as fm


def data(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-5, 5, (100, 1))
    return x, x**2 + rng.standard_normal((100, 1))


def train(x, y, seed=0):
    net = fm.Sequential(
        fm.Linear(1, 8), fm.ReLU(), fm.Linear(8, 8), fm.ReLU(), fm.Linear(8, 1), seed=seed
    )
    history = fm.fit(net, x, y, loss=fm.MSELoss(), optimizer=fm.Adam(lr=0.1), epochs=10_000,
                     batch_size=len(x), progress=False)  # fmt: skip
    return net, history


def error_of_the_curve(x, y):
    """Mean squared error of x**2 itself, which is the variance of the drawn noise."""
    return fm.MSELoss().forward(x**2, y)


def distance_from_the_curve(net):
    """Root mean square of prediction minus x**2 on a grid over the points' range."""
    grid = np.linspace(-5, 5, 201).reshape(-1, 1)
    return float(np.sqrt(np.mean((net.predict(grid) - grid**2) ** 2)))


def units_that_fire(net, x):
    """How many of the 8 units of each hidden layer are positive for at least one point."""
    net.forward(x, keep=True)
    return [int((net[place].output > 0).any(axis=0).sum()) for place in (1, 3)]


def main(folder="."):
    x, y = data()
    net, history = train(x, y)
    print(f"loss after {len(history):,} epochs       {history.loss[-1]:.3f}")
    print(f"loss of the true curve          {error_of_the_curve(x, y):.3f}")
    print(f"network minus x**2, rms         {distance_from_the_curve(net):.3f}\n")
    table(
        ["x", "x**2", "network"],
        [(str(v), v**2, float(net.predict([v])[0])) for v in (-4.0, -2.0, 0.0, 1.0, 3.0)],
    )

    runs = [train(x, y, seed) for seed in range(10)]
    reached = sum(history.loss[-1] < 1.0 for _, history in runs)
    print(f"\nDoes it always work? Of {len(runs)} first weights {reached} end below 1.0:")
    table(
        ["loss", "units that fire, of 8 and 8"],
        sorted((history.loss[-1], str(units_that_fire(other, x))) for other, history in runs),
    )
    print("At this learning rate ReLUs die in the first steps: a unit that is 0 for every point")
    print("has gradient 0 and cannot come back. With too few left, the network cannot bend.")

    grid, epochs = np.linspace(-6, 6, 401).reshape(-1, 1), np.arange(1, len(history) + 1)
    draw(folder, "15_parabola",
         panel("Straight pieces along a parabola",
               {"100 points": (x, y, {"style": "o", "color": GREY, "alpha": 0.6}),
                "$x^2$": (grid, grid**2, "--"), "network": (grid, net.predict(grid))},
               xlabel="x", ylabel="y"),
         panel("Loss", {"network": (epochs, history.loss),
                        "variance of the noise": (epochs[[0, -1]], [1, 1], {"color": GREY})},
               xscale="log", yscale="log", xlabel="epoch",
               ylabel="mean squared error"))  # fmt: skip


if __name__ == "__main__":
    run(main)
