"""Classifying points of the plane: the boundary as it trains, more units, stronger lambda.

The network has one score; the boundary is where it is 0. A callback looks at the network between
epochs and draws what it sees, as a live display would. Then, at the end of training: more hidden
units can bend the boundary more (capacity), and lambda * sum(W**2) keeps the same units from
bending it for single points. So regularise with lambda, not by taking units away.
"""

import sys
from pathlib import Path

import numpy as np

import fastmlp as fm

GRID = np.linspace(-6, 6, 121)
PLANE = np.stack(np.meshgrid(GRID, GRID), axis=-1).reshape(-1, 2)
EPOCHS = 2000


def circle(rng, angle):
    radius = np.concatenate([rng.uniform(0, 2, 100), rng.uniform(3, 5, 100)])
    turn = 2 * np.pi * angle
    return radius[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])


def moons(rng, angle):
    side = np.repeat([[1.0], [-1.0]], 100, axis=0)
    arc = np.column_stack([np.cos(np.pi * angle), np.sin(np.pi * angle)])
    return 2.5 * side * (arc - [0.5, 0.25]) + rng.normal(0, 0.6, (200, 2))


def spiral(rng, angle):
    radius = np.tile(np.linspace(0.3, 5, 100), 2)
    turn = 0.7 * np.pi * radius + np.repeat([0.0, np.pi], 100)
    return radius[:, None] * np.column_stack([np.sin(turn), np.cos(turn)])


def data(shape, seed=0):
    """200 points, the second hundred of class 1."""
    rng = np.random.default_rng(seed)
    x = shape(rng, rng.uniform(0, 1, 200)) + rng.normal(0, 0.1, (200, 2))
    return x, np.repeat([[0.0], [1.0]], 100, axis=0)


class Watch:
    """A callback that calls ``look(net, epoch)`` after each of some epochs."""

    def __init__(self, epochs, look):
        self.epochs, self.look = epochs, look

    def on_epoch_end(self, state):
        if state.epoch + 1 in self.epochs:
            self.look(state.net, state.epoch + 1)


def train(x, y, hidden=20, lam=0.0, callbacks=(), epochs=EPOCHS):
    net = fm.Sequential(fm.Linear(2, hidden), fm.Tanh(), fm.Linear(hidden, 1), seed=0)
    history = fm.fit(net, x, y, loss=fm.BCEWithLogitsLoss(), optimizer=fm.Adam(lr=0.02),
                     penalty=fm.L2(lam), epochs=epochs, batch_size=50, callbacks=callbacks,
                     progress=False)  # fmt: skip
    return net, history


def measure(net, shape):
    """Share right on the training points and on new ones, sum(W**2), length of the boundary."""
    right = [np.mean((net.predict(x) > 0) == y) for x, y in (data(shape), data(shape, seed=1))]
    inside = (net.predict(PLANE) > 0).reshape(len(GRID), -1)
    crossings = sum(np.count_nonzero(np.diff(inside, axis=axis)) for axis in (0, 1))
    length = crossings * (GRID[1] - GRID[0])
    return float(right[0]), float(right[1]), fm.L2(1.0).forward(net), float(length)


def draw(ax, net, x, y, title):
    scores = net.predict(PLANE).reshape(len(GRID), -1)
    ax.contourf(GRID, GRID, scores > 0, levels=1, colors=["#cfe3f1", "#f6d9c6"])
    ax.contour(GRID, GRID, scores, levels=[0.0], colors="black", linewidths=1)
    colours = np.where(y[:, 0] == 1, fm.plot.ORANGE, fm.plot.BLUE)
    ax.scatter(*x.T, s=6, color=colours, linewidths=0)
    ax.set(title=title, xticks=[], yticks=[], aspect="equal", xlim=(-6, 6), ylim=(-6, 6))


def strip_over_training(path):
    """A row of pictures for each data set, drawn while it trains; the final accuracies."""
    moments = (5, 50, 250, EPOCHS)
    axes = fm.plot.figure(9.6, 7.4).subplots(3, len(moments))
    found = {}
    for row, shape in zip(axes, (circle, moons, spiral), strict=True):
        x, y = data(shape)
        panels = dict(zip(moments, row, strict=True))

        def look(net, epoch, panels=panels, x=x, y=y):
            draw(panels[epoch], net, x, y, f"epoch {epoch}")

        net, _ = train(x, y, callbacks=[Watch(moments, look)])
        row[0].set_ylabel(shape.__name__, fontsize=12)
        found[shape.__name__] = measure(net, shape)
    axes[0, 0].figure.savefig(path, dpi=70)
    return found


def strip_of(shapes, settings, path):
    """A row of pictures for each data set, one for each setting; the numbers of each."""
    axes = fm.plot.figure(3.1 * len(settings), 3.3 * len(shapes)).subplots(
        len(shapes), len(settings), squeeze=False
    )
    found = {}
    for row, shape in zip(axes, shapes, strict=True):
        x, y = data(shape)
        for ax, setting in zip(row, settings, strict=True):
            net, _ = train(x, y, **setting)
            found[shape.__name__, *setting.values()] = measure(net, shape)
            draw(ax, net, x, y, ", ".join(f"{name} = {v}" for name, v in setting.items()))
        row[0].set_ylabel(shape.__name__, fontsize=12)
    axes[0, 0].figure.savefig(path, dpi=80)
    return found


def show(title, found):
    print(f"{title:<24}right   new points   sum(W**2)   length of boundary")
    for name, (right, new, weights, length) in found.items():
        label = name if isinstance(name, str) else "  ".join(map(str, name))
        print(f"  {label:<20}{right:7.1%}   {new:10.1%}   {weights:9.1f}   {length:18.1f}")


def main(folder="."):
    folder = Path(folder)
    show("20 hidden units", strip_over_training(folder / "19_classify2d.png"))
    sizes = [{"hidden": hidden} for hidden in (3, 6, 20)]
    show("hidden units", strip_of((moons, spiral), sizes, folder / "19_classify2d_sizes.png"))
    lambdas = [{"hidden": 20, "lam": lam} for lam in (0.001, 0.01, 0.1)]
    show("20 units, lambda", strip_of((moons,), lambdas, folder / "19_classify2d_lambda.png"))


if __name__ == "__main__":
    main(*sys.argv[1:2])
