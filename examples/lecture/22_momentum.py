"""SGD with and without momentum on an ill-conditioned bowl, f(w) = (w1**2 + 50 w2**2) / 2.

    SGD        w <- w - lr * g
    momentum   v <- mu * v + g,   w <- w - lr * v

The steep direction (curvature 50) allows no learning rate above 2 / 50. At such a rate the flat one
(curvature 1) changes slowly, by a factor of 1 - lr in each step. With momentum, steps along the
valley have the same direction and add up, to 1 / (1 - mu) times as far; steps across it alternate
and largely cancel.
"""

import numpy as np
from lecture_support import BLACK, GREY, draw, panel, run, same, table

import fastmlp as fm

CURVATURE = np.array([1.0, 50.0])
START = np.array([-10.0, 1.5])
LR = 0.035


def bowl():
    """The graph of f: its input holds half the curvatures, its parameter is the point w."""
    curvature, w = fm.Input(2, "half_curvature"), fm.Parameter(2, name="w")
    net = fm.Graph(curvature, fm.Sum()(curvature * fm.Square()(w)), dtype="float64")
    net["w"].W = START
    return net


def descend(momentum, steps, lr=LR):
    """The points of all steps, (steps + 1, 2), and f at each."""
    net = bowl()
    optimizer = fm.SGD(net, lr=lr, momentum=momentum)
    points, values = [], []
    for _ in range(steps + 1):
        points.append(net["w"].W.copy())
        values.append(float(net.forward(CURVATURE / 2)[0]))
        net.backward([1.0])
        optimizer.step()
    return np.array(points), np.array(values)


def by_formula(momentum, steps, lr=LR):
    """The same points from the two formulas above."""
    w, v, points = START.copy(), np.zeros(2), [START]
    for _ in range(steps):
        v = momentum * v + CURVATURE * w
        w = w - lr * v
        points.append(w)
    return np.array(points)


def steps_until(values, goal=1e-6):
    """The number of steps until f is below the goal."""
    return int(np.argmax(values < goal))


def contours(ax):
    a, b = np.meshgrid(np.linspace(-11, 4, 200), np.linspace(-2, 2, 200))
    ax.contour(a, b, (a**2 + 50 * b**2) / 2, levels=12, colors=GREY, linewidths=0.5)
    ax.plot(0, 0, "*", markersize=12, color=BLACK)


def main(folder="."):
    ways = {momentum: descend(momentum, 400) for momentum in (0.0, 0.8)}
    print(f"learning rate {LR}, from w = {START.tolist()}, f = {ways[0.0][1][0]:.2f}")
    table(["momentum", "f after 20 steps", "after 100", "steps until f < 1e-6"],
          [(str(momentum), values[20], values[100], steps_until(values))
           for momentum, (_, values) in ways.items()])  # fmt: skip
    for momentum, (points, _) in ways.items():
        same(f"momentum {momentum} and the formula", points, by_formula(momentum, 400), 1e-13)

    path, height = {}, {}
    for momentum, (points, values) in ways.items():
        label = f"momentum {momentum}" if momentum else "SGD"
        path[label] = *points[:40].T, {"style": "o", "linestyle": "-", "linewidth": 1}
        height[label] = np.arange(401), values
    draw(folder, "22_momentum",
         panel("First 40 steps", path, contours, xlabel="$w_1$ (curvature 1)",
               ylabel="$w_2$ (curvature 50)"),
         panel("Height above the bottom", height, yscale="log", ylim=(1e-12, None),
               xlabel="step", ylabel="f(w)"))  # fmt: skip


if __name__ == "__main__":
    run(main)
