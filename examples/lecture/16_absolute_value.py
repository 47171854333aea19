"""y = |x - 1| as two ReLU units, first set by hand, then found by training.

    |x - 1| = max(0, x - 1) + max(0, 1 - x)

is a network of two hidden units: W1 = [1, -1], b1 = [-1, 1], W2 = [1, 1]^T, b2 = 0. Exactly, not
nearly: of the two units one is 0, and the other is the answer.
"""

import sys
from pathlib import Path

import numpy as np

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


def draw(nets, path):
    axes = fm.plot.figure(11, 3.8).subplots(1, len(nets), sharey=True)
    for ax, (title, net) in zip(axes, nets.items(), strict=True):
        ax.plot(X, Y, color=fm.plot.GREY, linewidth=7, alpha=0.3, label="$|x-1|$")
        ax.plot(X, net.predict(X), color=fm.plot.ORANGE, linewidth=3, label="network")
        net.forward(X, keep=True)
        lines = ax.plot(X, net[1].output * net[2].W[:, 0], ":", color=fm.plot.BLUE)
        lines[0].set_label("each hidden unit, weighted")
        ax.set(title=title, xlabel="x", ylim=(-1.2, 4.0))
        ax.grid(alpha=0.25)
    axes[0].set_ylabel("y")
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=3)
    axes[0].figure.savefig(path, dpi=90)


def main(folder="."):
    by_hand = exact()
    print(f"set by hand: largest error {largest_error(by_hand)}")

    seeds = range(20)
    nets = {"set by hand": by_hand}
    for hidden in (2, 4, 8):
        runs = [trained(hidden, seed) for seed in seeds]
        errors = [largest_error(net) for net in runs]
        near = sum(error < 0.05 for error in errors)
        print(f"trained, {hidden} hidden units: {near:2d} of {len(seeds)} first weights end within "
              f"0.05; best error {min(errors):.1e}, worst {max(errors):.2f}")  # fmt: skip
        if hidden == 2:
            nets[f"2 units, best of {len(seeds)}"] = runs[int(np.argmin(errors))]
        if hidden != 4:
            nets[f"{hidden} units, worst of {len(seeds)}"] = runs[int(np.argmax(errors))]
    print("Two units can represent it, but training from two does not always find it: both may")
    print("start facing the same way, or away from the points. Of eight, some face each way.")
    draw(nets, Path(folder) / "16_absolute_value.png")


if __name__ == "__main__":
    main(*sys.argv[1:2])
