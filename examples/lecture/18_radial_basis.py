"""Interpolation as a sum of simple bumps, beside a multi-layer perceptron on the same points.

    f(x) = sum_i w_i exp(-(x - c_i)**2 / (2 s**2)),   one bump at each point, c_i = x_i

To go through every point the weights must solve Phi w = y, where Phi[j, i] is bump i at point j.
As a network: a layer of bumps, which is a node of our own with forward() and backward(), and one
Linear. The perceptron has no bumps: its units are steps (tanh), spread over the whole axis.
"""

import sys
from pathlib import Path

import numpy as np

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


def draw(x, y, bumps, mlp, path):
    left, right = fm.plot.figure(9.6, 4.2).subplots(1, 2, sharey=True)
    grid = np.linspace(-8, 8, 401).reshape(-1, 1)
    bumps.forward(grid, keep=True)
    parts = bumps[0].output * bumps[1].W[:, 0]
    left.plot(grid, parts, color=fm.plot.BLUE, linewidth=0.8, alpha=0.5)
    left.plot([], [], color=fm.plot.BLUE, linewidth=0.8, label="bumps, weighted")
    left.plot(grid, bumps.predict(grid), color=fm.plot.ORANGE, label="their sum")
    right.plot(grid, mlp.predict(grid), color=fm.plot.ORANGE, label="1-32-32-1, tanh")
    for ax, title in ((left, "Sum of radial bumps"), (right, "Multi-layer perceptron")):
        ax.scatter(x, y, s=26, color="black", zorder=3, label="points")
        ax.set(xlabel="x", title=title)
        ax.grid(alpha=0.25)
        ax.legend(loc="upper left")
    left.set_ylabel("y")
    left.figure.savefig(path, dpi=100)


def main(folder="."):
    x, y = points()
    bumps, mlp = sum_of_bumps(x, y), perceptron(x, y)
    check = fm.gradcheck(bumps, fm.MSELoss(), x + 0.1, y)
    print(f"gradient of the bump network against central differences: {check:.1e}\n")
    print("                              bumps   perceptron")
    misses = [largest_miss(net, x, y) for net in (bumps, mlp)]
    print(f"largest miss at the points  {misses[0]:7.1e}      {misses[1]:7.1e}")
    for place in (0.2, 5.0, 8.0, 50.0):
        values = [float(net.predict([place])[0]) for net in (bumps, mlp)]
        print(f"prediction at x = {place:4.1f}      {values[0]:7.3f}      {values[1]:7.3f}")
    print("\nBoth go through the points. Away from them every bump is 0, and so is their sum; the")
    print("perceptron's units end at -1 or 1, so it levels out too, but anywhere.")
    draw(x, y, bumps, mlp, Path(folder) / "18_radial_basis.png")


if __name__ == "__main__":
    main(*sys.argv[1:2])
