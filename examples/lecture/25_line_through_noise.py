"""A line through noisy points: as least squares, and as A v = 0 by singular values.

A line a x + b y + c = 0 is A v = 0 with the rows (x, y, 1) and a vector v = (a, b, c) of norm 1. No
v solves it for noisy points; the last right singular vector makes ||A v|| smallest. Least squares,
y = slope x + c by the pseudo-inverse V S^+ U^T, assumes that all noise is in y. Its slope is too
small if x is noisy too: about 3 * var(x) / (var(x) + noise) = 2.4 here.

The notes' numbers, 2.38 and 2.61, come from one set of points; the table shows how much such
numbers differ between sets.
"""

import numpy as np
from lecture_support import GREY, draw, panel, run, same, table

import fastmlp as fm

STATED = {"least squares": 2.38, "A v = 0": 2.61}


def noisy_line(seed=15, n=20):
    """Points of y = 3 x with noise of standard deviation 0.3 on both axes; 15 is a typical seed."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, n)
    return x + 0.3 * rng.standard_normal(n), 3 * x + 0.3 * rng.standard_normal(n)


def slopes(x, y):
    """By least squares, and by the last right singular vector v of A v = 0."""
    A = np.column_stack([x, y, np.ones_like(x)])
    a, b, _ = np.linalg.svd(A)[2][-1]
    return {"least squares": float((np.linalg.pinv(A[:, [0, 2]]) @ y)[0]), "A v = 0": -a / b}


def layer_slope(x, y):
    """Least squares again, by training a linear layer."""
    net = fm.Sequential(fm.Linear(1, 1, init="zeros"), dtype="float64")
    fm.fit(net, x[:, None], y[:, None], loss=fm.MSELoss(), optimizer=fm.SGD(lr=0.5), epochs=500,
           batch_size=len(x), progress=False)  # fmt: skip
    return net[0].W.item()


def main(folder="."):
    x, y = noisy_line()
    same("least squares by pseudo-inverse and by training", slopes(x, y)["least squares"],
         layer_slope(x, y), 1e-9)  # fmt: skip
    many = [slopes(*noisy_line(seed)) for seed in range(1000)]
    print("slope 3, noise on both axes; 1000 sets of 20 points")
    table(["method", "one set", "stated", "mean of all", "5 %", "95 %"],
          [(name, slopes(x, y)[name], stated, float(np.mean([one[name] for one in many])),
            *np.percentile([one[name] for one in many], [5, 95]))
           for name, stated in STATED.items()])  # fmt: skip

    found, ends = slopes(x, y), np.array([-1.6, 1.6])
    curves = {"points": (x, y, {"style": "o", "color": GREY}), "y = 3 x": (ends, 3 * ends, "--")}
    curves |= {name: (ends, y.mean() + slope * (ends - x.mean())) for name, slope in found.items()}
    draw(folder, "25_line_through_noise",
         panel("Noise on both axes", curves, xlabel="x", ylabel="y"))  # fmt: skip


if __name__ == "__main__":
    run(main)
