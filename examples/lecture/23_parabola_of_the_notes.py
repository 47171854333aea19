"""The parabola as the notes have it: x = 5 randn(100), a loss line every 1000 epochs, predictions.

The network is that of script 15: 1-8-8-1 with ReLU, Adam with learning rate 0.1, 10,000 epochs of
all 100 points at once. Only the points differ: normal with standard deviation 5, so that few lie
far out, and y = x**2 plus noise of variance 1.

The notes' first line, "Epoch 0: 0.7416", cannot be of a fresh network: that predicts about 0,
so its loss is about the mean of y**2, which is 3 * 5**4 = 1875 in the mean of all draws, and
1027 of this one. The line is that of a network which had been trained before.
"""

import numpy as np
from lecture_support import GREY, draw, panel, run, table

import fastmlp as fm

PLACES = np.array([[5.3678], [0.8833], [-0.6180], [4.8642], [5.3160]])
NOTES = (29.595, 0.834, 0.555, 23.755, 28.972)  # predictions of the notes' network


def data(seed=0):
    rng = np.random.default_rng(seed)
    x = 5 * rng.standard_normal((100, 1))
    return x, x**2 + rng.standard_normal((100, 1))


def train(x, y, seed=0):
    """The important lines: the network, and one call that trains it."""
    net = fm.Sequential(
        fm.Linear(1, 8), fm.ReLU(), fm.Linear(8, 8), fm.ReLU(), fm.Linear(8, 1), seed=seed
    )
    history = fm.fit(net, x, y, loss=fm.MSELoss(), optimizer=fm.Adam(lr=0.1), epochs=10_000,
                     batch_size=len(x), progress=False)  # fmt: skip
    return net, history.loss


def main(folder="."):
    x, y = data()
    net, loss = train(x, y)
    for epoch in range(0, len(loss), 1000):
        print(f"Epoch {epoch}: {loss[epoch]:.4f}")
    print(f"Epoch {len(loss) - 1}: {loss[-1]:.4f}")
    print(f'A fresh network has {loss[0]:.0f}; "Epoch 0: 0.7416" is not the start of a training.\n')

    ours = net.predict(PLACES)
    rows = zip(PLACES[:, 0], PLACES[:, 0] ** 2, ours[:, 0], NOTES, strict=True)
    table(["x", "x^2", "network", "notes' network"], list(rows))
    grid = np.linspace(-13, 13, 521)
    points = panel("100 points, most of them near 0",
                   {"points": (x, y, {"style": "o", "color": GREY, "alpha": 0.5}),
                    "$x^2$": (grid, grid**2, "--"),
                    "network": (grid, net.predict(grid.reshape(-1, 1)))},
                   xlabel="x", ylabel="y")  # fmt: skip
    epochs = np.arange(1, len(loss) + 1)
    falling = panel("Loss", {"network": (epochs, loss), "variance of the noise": (
        [1, len(loss)], [1, 1], {"style": "--", "color": GREY})},
        xscale="log", yscale="log", xlabel="epoch", ylabel="mean squared error")  # fmt: skip
    draw(folder, "23_parabola_of_the_notes", points, falling)


if __name__ == "__main__":
    run(main)
