"""Classifying points of the plane: the boundary as it trains, more units, stronger lambda.

The network has one score; the boundary is where it is 0. A callback looks at the network between
epochs and draws what it sees, as a live display would: into a strip of pictures and into an
animation. Then, at the end of training: more hidden units can bend the boundary more (capacity),
and lambda * sum(W**2) keeps the same units from bending it for single points. So regularise with
lambda, not by taking units away. Larger networks have more parameters and take longer.
"""

import time

import numpy as np
from lecture_support import animation, boundary, circle, data, draw, moons, run, spiral, table

import fastmlp as fm

EPOCHS = 2000
MOMENTS = (5, 50, 250, EPOCHS)  # of the strip of pictures
FRAMES = (
    1, 2, 3, 5, 8, 12, 18, 25, 35, 50, 70, 100, 140, 200, 280, 400, 560, 800, 1100, 1500, 2000,
)  # fmt: skip


class Watch:
    """A callback that calls ``look(net, epoch)`` after each of some epochs."""

    def __init__(self, epochs, look):
        self.epochs, self.look = epochs, look

    def on_epoch_end(self, state):
        if state.epoch + 1 in self.epochs:
            self.look(state.net, state.epoch + 1)


def train(x, y, hidden=20, lam=0.0, callbacks=(), epochs=EPOCHS):
    """The important lines: one hidden layer, one score, one call."""
    net = fm.Sequential(fm.Linear(2, hidden), fm.Tanh(), fm.Linear(hidden, 1), seed=0)
    history = fm.fit(net, x, y, loss=fm.BCEWithLogitsLoss(), optimizer=fm.Adam(lr=0.02),
                     penalty=fm.L2(lam), epochs=epochs, batch_size=50, callbacks=callbacks,
                     progress=False)  # fmt: skip
    return net, history


def measure(net, shape):
    """Accuracy on the training points and on new ones, sum(W**2), length of the boundary."""
    right = [np.mean((net.predict(x) > 0) == y) for x, y in (data(shape), data(shape, seed=1))]
    grid = np.linspace(-6, 6, 121)
    plane = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    inside = (net.predict(plane) > 0).reshape(len(grid), -1)
    crossings = sum(np.count_nonzero(np.diff(inside, axis=axis)) for axis in (0, 1))
    length = crossings * (grid[1] - grid[0])
    return float(right[0]), float(right[1]), fm.L2(1.0).forward(net), float(length)


def animated(folder, shape):
    """Train and draw at the same time; the finished network and its panels at ``MOMENTS``."""
    x, y = data(shape)
    panels = []
    with animation(folder, f"19_classify2d_{shape.__name__}") as frame:

        def look(net, epoch):
            frame(lambda ax: boundary(net, x, y, f"epoch {epoch}", ax))
            if epoch in MOMENTS:
                panels.append(boundary(net.copy(), x, y, f"{shape.__name__}, epoch {epoch}"))

        net, _ = train(x, y, callbacks=[Watch((*FRAMES, *MOMENTS), look)])
    return net, panels


def compared(shape, settings):
    """For each setting a line of numbers and a panel."""
    x, y = data(shape)
    lines, panels = [], []
    for setting in settings:
        start = time.perf_counter()
        net, _ = train(x, y, **setting)
        name = ", ".join(f"{key} = {value}" for key, value in setting.items())
        spent = time.perf_counter() - start
        lines.append(line(f"{shape.__name__}, {name}", net, shape, f"{spent:.2f}"))
        panels.append(boundary(net, x, y, f"{shape.__name__}, {name}"))
    return lines, panels


def line(name, net, shape, seconds="-"):
    right, new, weights, length = measure(net, shape)
    return (name, net.n_parameters, seconds, f"{right:.1%}", f"{new:.1%}", f"{weights:.1f}",
            f"{length:.1f}")  # fmt: skip


def main(folder="."):
    head = ["", "parameters", "seconds", "right", "new points", "sum(W**2)", "length of boundary"]
    lines, strip = [], []
    for shape in (circle, moons, spiral):
        net, panels = animated(folder, shape)
        lines.append(line(f"{shape.__name__}, hidden = 20", net, shape))
        strip += panels
    draw(folder, "19_classify2d", *strip, rows=3, size=(2.5, 2.7))

    sizes, panels = [{"hidden": hidden} for hidden in (3, 6, 20, 300)], []
    for shape in (moons, spiral):
        more, some = compared(shape, sizes)
        lines, panels = lines + more, panels + some
    draw(folder, "19_classify2d_sizes", *panels, rows=2, size=(2.5, 2.7))

    more, panels = compared(moons, [{"lam": lam} for lam in (0.0, 0.001, 0.01, 0.1)])
    table(head, lines + more)
    draw(folder, "19_classify2d_lambda", *panels, size=(2.5, 2.7))


if __name__ == "__main__":
    run(main)
