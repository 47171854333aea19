"""Learning rates on row 22's bowl, f(w) = (w1^2 + 50 w2^2) / 2: a sweep, and the best of momentum.

With curvatures 1 and 50, a step of plain SGD multiplies w1 by 1 - lr and w2 by 1 - 50 lr. The best
rate makes the two equally large, and momentum has a best pair of its own (heavy ball):

    SGD        lr    = 2 / (1 + 50)                              each step leaves 49/51 = 0.961
    momentum   alpha = (2 / (sqrt(50) + 1))^2 = 0.0614
               beta  = ((sqrt(50) - 1) / (sqrt(50) + 1))^2 = 0.566,    sqrt(beta) = 0.752

Above 2/50 SGD diverges. The rates are measured over the steps, not computed from the formulas.
"""

import numpy as np
from lecture_support import check, draw, panel, run, table

import fastmlp as fm

CURVATURE = np.array([1.0, 50.0])
START = np.array([-10.0, 1.5])
ROOT = np.sqrt(CURVATURE[1] / CURVATURE[0])
BEST_LR = 2 / CURVATURE.sum()
BEST_ALPHA = (2 / (np.sqrt(CURVATURE[1]) + np.sqrt(CURVATURE[0]))) ** 2
BEST_BETA = ((ROOT - 1) / (ROOT + 1)) ** 2


def descend(lr, momentum=0.0, steps=150):
    """The distance from the minimum at the start and after each step."""
    curvature, w = fm.Input(2, "half_curvature"), fm.Parameter(2, name="w")
    net = fm.Graph(curvature, fm.Sum()(curvature * fm.Square()(w)), dtype="float64")
    net["w"].W = START
    optimizer, distance = fm.SGD(net, lr=lr, momentum=momentum), [np.linalg.norm(START)]
    for _ in range(steps):
        net.forward(CURVATURE / 2)
        net.backward([1.0])
        optimizer.step()
        distance.append(np.linalg.norm(net["w"].W))
    return np.array(distance)


def rate(distance, early=30):
    """The mean factor of one step on the distance; momentum has a term like k * rate^k."""
    k = np.arange(early, len(distance))
    return float(np.exp(np.polyfit(k, np.log(distance[early:]), 1)[0]))


def momentum_rate(distance, early=30):
    """The same if two roots are equal: divided by the factor k + 1."""
    return rate(distance / (np.arange(len(distance)) + 1), early)


def main(folder="."):
    plain, heavy = descend(BEST_LR), descend(BEST_ALPHA, BEST_BETA)
    check("best lr of SGD", BEST_LR, 2 / 51)
    check("what a step leaves", rate(plain), 0.961, 5e-4)
    check("best alpha and beta", [BEST_ALPHA, BEST_BETA], [0.0614, 0.566], 5e-4)
    check("what a step leaves", momentum_rate(heavy), 0.752, 5e-3)
    print("\nsweep of SGD, 150 steps")
    sweep = np.array([0.001, 0.01, 0.02, 0.03, BEST_LR, 0.0399, 0.041, 0.05])
    table(["lr", "distance at the end", "a step leaves"],
          [(lr, descend(lr)[-1], rate(descend(lr))) for lr in sweep])  # fmt: skip

    steps = np.arange(len(plain))
    curves = {f"SGD, lr = {lr:.3g}": (steps, descend(lr)) for lr in (0.001, 0.01, BEST_LR, 0.041)}
    fine = np.geomspace(0.001, 0.045, 60)
    draw(folder, "34_learning_rates",
         panel("Distance from the bottom", curves | {"momentum, best pair": (steps, heavy)},
               yscale="log", ylim=(1e-19, 1e4), xlabel="step", legend="lower left"),
         panel("What one step of SGD leaves",
               {"measured": (fine, [rate(descend(lr, steps=80)) for lr in fine]),
                "2 / 51": ([BEST_LR, BEST_LR], [0.95, 1.1], "--")},
               xlabel="lr", ylabel="rate"))  # fmt: skip


if __name__ == "__main__":
    run(main)
