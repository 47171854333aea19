"""Any function from simple ones: ReLU units set by hand, and the error against their number.

Each unit max(0, x - t_k) bends the line at its knot t_k. Straight pieces through f at n + 1 knots
t_0, ..., t_n with slopes m_k are

    f(x) ~ f(t_0) + m_0 max(0, x - t_0) + sum_k (m_k - m_{k-1}) max(0, x - t_k)

which is a network of n units: W1 = 1, b1 = -t, W2 = the changes of slope, b2 = f(t_0). Nothing is
trained. The error of straight pieces is at most h^2 max|f''| / 8 for pieces of length h, so twice
as many units leave a quarter of it.
"""

import numpy as np
from lecture_support import GREY, check, draw, panel, run, table

import fastmlp as fm

LOW, HIGH = -4.0, 4.0
STATED = {8: 0.23, 32: 0.0175, 128: 0.0011}


def f(x):
    return np.sin(1.5 * x) + 0.3 * x


def by_hand(units):
    """The network: every number follows from the formula above."""
    knots = np.linspace(LOW, HIGH, units + 1)
    slopes = np.diff(f(knots)) / np.diff(knots)
    net = fm.Sequential(fm.Linear(1, units), fm.ReLU(), fm.Linear(units, 1), dtype="float64")
    net[0].W, net[0].b = np.ones((1, units)), -knots[:-1]
    net[2].W, net[2].b = np.diff(slopes, prepend=0.0)[:, None], [f(LOW)]
    return net


def largest_error(net, places=20_001):
    x = np.linspace(LOW, HIGH, places).reshape(-1, 1)
    return float(np.abs(net.predict(x) - f(x)).max())


def main(folder="."):
    counts = [2**k for k in range(1, 11)]
    errors = [largest_error(by_hand(n)) for n in counts]
    bound = [2.25 * ((HIGH - LOW) / n) ** 2 / 8 for n in counts]
    table(["units", "error", "of the one before", "bound"],
          [(n, e, e / before, b) for n, e, before, b in
           zip(counts, errors, [np.nan, *errors], bound, strict=False)])  # fmt: skip
    for n, stated in STATED.items():
        check(f"{n} units", largest_error(by_hand(n)), stated, 0.05 * stated)
    x = np.linspace(LOW, HIGH, 401)
    curves = {"f": (x, f(x), {"color": GREY, "linewidth": 5, "alpha": 0.4})}
    for n in (4, 8, 32):
        curves[f"{n} units"] = x, by_hand(n).predict(x.reshape(-1, 1))
    draw(folder, "36_any_function",
         panel("sin(1.5 x) + 0.3 x by ReLU units", curves, xlabel="x", ylabel="y"),
         panel("A quarter of the error for twice the units",
               {"largest error": (counts, errors, {"style": "o", "linestyle": "-"}),
                "$h^2 \\max|f''| / 8$": (counts, bound, "--")},
               xscale="log", yscale="log", xlabel="units"))  # fmt: skip


if __name__ == "__main__":
    run(main)
