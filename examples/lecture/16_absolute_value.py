"""y = |x - 1| as two ReLU units, first set by hand, then found by training.

    |x - 1| = max(0, x - 1) + max(0, 1 - x)

is a network of two hidden units: W1 = [1, -1], b1 = [-1, 1], W2 = [1, 1]^T, b2 = 0. Exactly, not
nearly: of the two units one is 0, and the other is the answer.
"""

import numpy as np
from lecture_support import BLUE, GREY, ORANGE, check, draw, panel, run, table

import fastmlp as fm

X = np.linspace(-2, 4, 61).reshape(-1, 1)
Y = np.abs(X - 1)


def exact():
    net = fm.Sequential(fm.Linear(1, 2), fm.ReLU(), fm.Linear(2, 1), dtype="float64")
    net[0].W = [[1.0, -1.0]]
    net[0].b = [-1.0, 1.0]
    net[2].W = [[1.0], [1.0]]
    net[2].b = [0.0]
    return net


def trained(hidden, seed):
    net = fm.Sequential(
        fm.Linear(1, hidden), fm.ReLU(), fm.Linear(hidden, 1), dtype="float64", seed=seed
    )
    fm.fit(net, X, Y, loss=fm.MSELoss(), optimizer=fm.Adam(lr=0.05), epochs=2000,
           schedule=fm.CosineLR(), progress=False)  # fmt: skip
    return net


def largest_error(net):
    return float(abs(net.predict(X) - Y).max())


def view(net, title):
    """A panel of the target, the network and its weighted hidden units."""
    net.forward(X, keep=True)
    units = net[1].output * net[2].W[:, 0]
    return panel(title, {"$|x-1|$": (X, Y, {"color": GREY, "linewidth": 7, "alpha": 0.3}),
                         "network": (X, net.predict(X), {"color": ORANGE, "linewidth": 3}),
                         "hidden units": (X, units[:, 0], {"style": ":", "color": BLUE}),
                         "_rest": (X, units[:, 1:], {"style": ":", "color": BLUE})},
                 xlabel="x", ylim=(-1.2, 4.0))  # fmt: skip


def main(folder="."):
    check("set by hand: largest error", largest_error(exact()), 0.0)
    seeds, rows, panels = range(20), [], [view(exact(), "set by hand")]
    for hidden in (2, 4, 8):
        runs = sorted([trained(hidden, seed) for seed in seeds], key=largest_error)
        errors = [largest_error(net) for net in runs]
        rows.append((hidden, sum(error < 0.05 for error in errors), errors[0], errors[-1]))
        if hidden == 2:
            panels.append(view(runs[0], "2 units, best of 20"))
        if hidden != 4:
            panels.append(view(runs[-1], f"{hidden} units, worst of 20"))
    table(["hidden units", "of 20 within 0.05", "best error", "worst error"], rows)
    print("Two units can represent it, but training from two does not always find it: both may")
    print("start facing the same way, or away from the points. Of eight, some face each way.")
    draw(folder, "16_absolute_value", *panels, rows=2, size=(4.2, 3.3))


if __name__ == "__main__":
    run(main)
