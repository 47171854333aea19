"""Outliers and l_p norms: p says how much a large error counts.

    loss    sum_i |y_i - (w x_i + b)|^p / N        p = 2 is least squares, p = 1 absolute errors
    Huber   squares below delta, straight lines above: p = 2 for the small, p = 1 for the large
    penalty lambda * sum_j |w_j|^p    p = 1 makes weights 0, large p shrinks the largest most

20 points lie on y = 2 x + 1 with little noise, and one of them is -20. The larger p is,
the more the line turns to it. The notes do not say how to choose p. The noise decides: the last
table fits 300 sets of points for each kind of noise. The best p has a density exp(-|e|^p) like it.
"""

import numpy as np
from lecture_support import GREY, draw, panel, run, table

import fastmlp as fm

STATED = {"p = 1": 1.98, "p = 1.5": 1.46, "p = 2": -1.14, "p = 4": -5.85, "Huber(0.5)": 1.89}
NOISES = {"Laplace": lambda rng, size: rng.laplace(0, 1, size),
          "normal": lambda rng, size: rng.standard_normal(size),
          "uniform": lambda rng, size: rng.uniform(-1, 1, size)}  # fmt: skip


class Power:
    """The mean of |error|^p. A custom loss is any object with forward and backward."""

    def __init__(self, p):
        self.p = p

    def forward(self, scores, y):
        self.error = scores - y
        return float(np.mean(np.abs(self.error) ** self.p))

    def backward(self):
        slope = self.p * np.abs(self.error) ** (self.p - 1) * np.sign(self.error)
        return slope / self.error.size


LOSSES = {"p = 1": Power(1), "p = 1.5": Power(1.5), "p = 2": Power(2), "p = 4": Power(4),
          "Huber(0.5)": fm.HuberLoss(delta=0.5)}  # fmt: skip


def points(seed=0):
    x = np.linspace(-1, 1, 20).reshape(-1, 1)
    y = 2 * x + 1 + 0.1 * np.random.default_rng(seed).standard_normal(x.shape)
    y[-1] = -20
    return x, y


def line(x, y, loss, epochs=3000):
    """Slope and bias of a linear layer trained with this loss."""
    net = fm.Sequential(fm.Linear(1, y.shape[1], init="zeros"), dtype="float64")
    fm.fit(net, x, y, loss=loss, optimizer=fm.Adam(lr=0.1), epochs=epochs, batch_size=len(x),
           schedule=fm.CosineLR(), progress=False)  # fmt: skip
    return net[0].W[0].copy(), net[0].b.copy()


def penalised(p, lam=0.1):
    """Weights of a linear layer with 6 inputs, 2 of them useful, under lambda * sum(|w|^p)."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 6))
    y = x @ [[1.0], [0.5], [0], [0], [0], [0]] + 0.3 * rng.standard_normal((200, 1))
    net = fm.Sequential(fm.Linear(6, 1, bias=False), dtype="float64", seed=0)
    fm.fit(net, x, y, loss=fm.MSELoss(), penalty=fm.Lp(p, lam), optimizer=fm.Adam(lr=0.02),
           epochs=1500, batch_size=200, schedule=fm.CosineLR(), progress=False)  # fmt: skip
    return net[0].W[:, 0].copy()


def errors_of_the_slope(noise, powers=(1, 2, 4), sets=300):
    """For each p the root mean square error of the slope; one layer of 300 outputs fits all."""
    x = np.linspace(-1, 1, 20).reshape(-1, 1)
    y = 2 * x + 1 + NOISES[noise](np.random.default_rng(1), (20, sets))
    slopes = [line(x, y, Power(p), epochs=1500)[0] for p in powers]
    return [float(np.sqrt(np.mean((slope - 2) ** 2))) for slope in slopes]


def unit_balls(ax):
    """For each p the points with |x|^p + |y|^p = 1, which have the same penalty."""
    angle = np.linspace(0, 2 * np.pi, 801)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    for p, style in ((0.5, ":"), (1, "-"), (1.5, "--"), (2, "-"), (4, "--"), (50, ":")):
        ax.plot(*circle / np.sum(np.abs(circle) ** p, axis=0) ** (1 / p), style, label=f"p = {p}")
    ax.set(aspect="equal", xlim=(-1.15, 2.3), xticks=(-1, 0, 1), yticks=(-1, 0, 1))


def main(folder="."):
    x, y = points()
    found = {name: line(x, y, loss) for name, loss in LOSSES.items()}
    print("slope of the line (true slope 2; one of 20 points is -20)")
    table(
        ["loss", "slope", "stated", "bias"],
        [(name, float(w[0]), STATED[name], float(b[0])) for name, (w, b) in found.items()],
    )
    print("\nweights under 0.1 * sum(|w|^p); without a penalty 1, 0.5 and four near 0")
    for p in (1, 2, 4):
        print(f"  p = {p}: {np.array2string(penalised(p), precision=4, suppress_small=True)}")
    print("\nWho chooses p? Root mean square error of the slope, 300 sets of points")
    table(["noise", "p = 1", "p = 2", "p = 4"],
          [(noise, *errors_of_the_slope(noise)) for noise in NOISES])  # fmt: skip

    ends = np.array([[-1.0], [1.0]])
    lines = {"points": (x, y, {"style": "o", "color": GREY})}
    # The lines of p = 1 and Huber nearly coincide: a dashed one above a wide one.
    styles = {"p = 1": {"linewidth": 5, "alpha": 0.5}, "Huber(0.5)": {"style": "--"}}
    lines |= {name: (ends, ends * w + b, styles.get(name, {})) for name, (w, b) in found.items()}
    draw(folder, "26_norms_and_outliers",
         panel("One outlier, five losses", lines, xlabel="x", ylabel="y",
               xticks=(-1, 0, 1), yticks=(-20, -10, 0)),
         panel("Unit balls of the $l_p$ norms", paint=unit_balls,
               xlabel="$w_1$", ylabel="$w_2$"))  # fmt: skip


if __name__ == "__main__":
    run(main)
