"""Interpolation as a sum of simple bumps, beside a multi-layer perceptron on the same points.

    f(x) = sum_i w_i exp(-(x - c_i)**2 / (2 s**2)),   one bump at each point, c_i = x_i

To go through every point the weights must solve Phi w = y, where Phi[j, i] is bump i at point j.
As a network: a layer of bumps, which is a custom node with forward() and backward(), and one
Linear. The perceptron has no bumps: its units are steps (tanh), spread over the whole axis.
"""

import numpy as np
from lecture_support import BLACK, BLUE, ORANGE, draw, panel, run, table

import fastmlp as fm


class Bumps:
    """One Gaussian bump of width s around each centre: (N, 1) -> (N, number of centres)."""

    def __init__(self, centres, s):
        self.centres, self.s, self.out_features = centres, s, len(centres)

    def forward(self, x):
        self.distance = x - self.centres
        self.y = np.exp(-(self.distance**2) / (2 * self.s**2))
        return self.y

    def backward(self, upstream):
        slope = -self.distance / self.s**2 * self.y
        return (upstream * slope).sum(axis=1, keepdims=True)


def points(seed=1):
    rng = np.random.default_rng(seed)
    x = np.linspace(-4, 4, 11).reshape(-1, 1)
    return x, np.sin(1.5 * x) + 0.3 * x + 0.15 * rng.standard_normal(x.shape)


def sum_of_bumps(x, y, s=0.8):
    bumps = Bumps(x[:, 0], s)
    net = fm.Sequential(bumps, fm.Linear(len(x), 1, bias=False), dtype="float64", in_features=1)
    net[1].W = np.linalg.solve(bumps.forward(x), y)
    return net


def perceptron(x, y, seed=0):
    net = fm.Sequential(fm.Linear(1, 32), fm.Tanh(), fm.Linear(32, 32), fm.Tanh(),
                        fm.Linear(32, 1), dtype="float64", seed=seed)  # fmt: skip
    fm.fit(net, x, y, loss=fm.MSELoss(), optimizer=fm.Adam(lr=0.01), epochs=3000,
           schedule=fm.CosineLR(), progress=False)  # fmt: skip
    return net


def largest_miss(net, x, y):
    return float(abs(net.predict(x) - y).max())


def main(folder="."):
    x, y = points()
    bumps, mlp = sum_of_bumps(x, y), perceptron(x, y)
    check = fm.gradcheck(bumps, fm.MSELoss(), x + 0.1, y)
    print(f"gradient of the bump network against central differences: {check:.1e}\n")
    rows = [("largest miss at the points", *(f"{largest_miss(n, x, y):.1e}" for n in (bumps, mlp)))]
    for place in (0.2, 5.0, 8.0, 50.0):
        values = [f"{float(net.predict([place])[0]):.3f}" for net in (bumps, mlp)]
        rows.append((f"prediction at x = {place}", *values))
    table(["", "bumps", "perceptron"], rows)
    print("\nBoth go through the points. Away from them every bump is 0, and so is their sum; the")
    print("perceptron's units end at -1 or 1, so it levels out too, but anywhere.")

    grid = np.linspace(-8, 8, 401).reshape(-1, 1)
    bumps.forward(grid, keep=True)
    parts = bumps[0].output * bumps[1].W[:, 0]
    thin, dots = {"color": BLUE, "linewidth": 0.8, "alpha": 0.5}, {"style": "o", "color": BLACK}
    draw(folder, "18_radial_basis",
         panel("Sum of radial bumps",
               {"bumps, weighted": (grid, parts[:, 0], thin), "_rest": (grid, parts[:, 1:], thin),
                "their sum": (grid, bumps.predict(grid), {"color": ORANGE}),
                "points": (x, y, dots)}, xlabel="x", ylabel="y", ylim=(-4.5, 4.5)),
         panel("Multi-layer perceptron",
               {"1-32-32-1, tanh": (grid, mlp.predict(grid), {"color": ORANGE}),
                "points": (x, y, dots)}, xlabel="x", ylim=(-4.5, 4.5)))  # fmt: skip


if __name__ == "__main__":
    run(main)
