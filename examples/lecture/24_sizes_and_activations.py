"""Why 8 x 8 units, and why ReLU? The notes leave both open; a table of trainings answers.

Row 23's parabola is fitted with other sizes and other activations, each from 10 first weights: how
many end with a loss below 1.0, the variance of the noise? Row 16's |x - 1| is fitted by 8 units,
each from 20: how many end within 0.05 everywhere?

Most failures are dead units: at a learning rate of 0.1 the first steps can push a ReLU to where it
is 0 for every point. Its gradient is then 0 too, and it stays there. Leaky ReLU and GELU have a
slope on both sides; a step has none on either, so that nothing in front of it learns.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from lecture_support import bars, draw, run, table

import fastmlp as fm

SIZES = {
    "4-4": ((4, 4), fm.ReLU), "8-8": ((8, 8), fm.ReLU), "16-16": ((16, 16), fm.ReLU),
    "8, one layer": ((8,), fm.ReLU), "8-8, leaky ReLU": ((8, 8), fm.LeakyReLU),
    "8-8, GELU": ((8, 8), fm.GELU), "8-8, SiLU": ((8, 8), fm.SiLU),
    "8-8, sigmoid": ((8, 8), fm.Sigmoid), "8-8, tanh": ((8, 8), fm.Tanh),
}  # fmt: skip
UNITS = {"step": fm.Step, "sigmoid": fm.Sigmoid, "tanh": fm.Tanh, "leaky ReLU": fm.LeakyReLU,
         "ReLU": fm.ReLU}  # fmt: skip
STATED_PARABOLA = (0, 7, 10, 8, 9, 8, 6, 2, 0)
STATED_ABSOLUTE = (0, 0, 0, 16, 17)


def network(hidden, activation, seed, dtype="float32"):
    layers = [fm.Linear(1, hidden[0]), activation()]
    for width in hidden[1:]:
        layers += [fm.Linear(hidden[0], width), activation()]
    return fm.Sequential(*layers, fm.Linear(hidden[-1], 1), dtype=dtype, seed=seed)


def parabola(hidden, activation, seed):
    """The final loss of row 23's training, and how many hidden units are active for any point."""
    rng = np.random.default_rng(0)
    x = 5 * rng.standard_normal((100, 1))
    y = x**2 + rng.standard_normal((100, 1))
    net = network(hidden, activation, seed)
    history = fm.fit(net, x, y, loss=fm.MSELoss(), optimizer=fm.Adam(lr=0.1), epochs=10_000,
                     batch_size=100, progress=False)  # fmt: skip
    net.forward(x, keep=True)
    alive = sum(int((net[k].output != 0).any(axis=0).sum()) for k in range(1, len(net), 2))
    return history.loss[-1], alive


def absolute(activation, seed):
    """The largest error of row 16's training with 8 units."""
    x = np.linspace(-2, 4, 61).reshape(-1, 1)
    net = network((8,), activation, seed, "float64")
    fm.fit(net, x, np.abs(x - 1), loss=fm.MSELoss(), optimizer=fm.Adam(lr=0.05), epochs=2000,
           schedule=fm.CosineLR(), progress=False)  # fmt: skip
    return float(np.abs(net.predict(x) - np.abs(x - 1)).max())


def over_seeds(train, seeds, *arguments):
    """Trainings from several first weights; two at once, because each is one call of C."""
    with fm.threads(1), ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda seed: train(*arguments, seed), range(seeds)))


def parabola_rows(names=tuple(SIZES), seeds=10):
    """For each name: how many losses end below 1.0, the median loss, the active units."""
    rows = []
    for name in names:
        losses, alive = zip(*over_seeds(parabola, seeds, *SIZES[name]), strict=True)
        below = sum(loss < 1.0 for loss in losses)
        rows.append((name, below, float(np.median(losses)), min(alive), max(alive)))
    return rows


def absolute_rows(names=tuple(UNITS), seeds=20):
    """For each name: how many end within 0.05, and the median of the largest errors."""
    rows = []
    for name in names:
        errors = over_seeds(absolute, seeds, UNITS[name])
        rows.append((name, sum(error < 0.05 for error in errors), float(np.median(errors))))
    return rows


def main(folder="."):
    parabolas, absolutes = parabola_rows(), absolute_rows()
    print("x^2 + noise, Adam 0.1, 10,000 epochs: of 10 first weights")
    table(["hidden", "below 1.0", "stated", "median loss", "fewest alive", "most alive"],
          [(row[0], row[1], stated, *row[2:])
           for row, stated in zip(parabolas, STATED_PARABOLA, strict=True)])  # fmt: skip
    print("\n|x - 1| with 8 hidden units: of 20 first weights")
    table(["activation", "within 0.05", "stated", "median of the largest errors"],
          [(*row[:2], stated, row[2])
           for row, stated in zip(absolutes, STATED_ABSOLUTE, strict=True)])  # fmt: skip
    print(
        "\n8-8 is a size at which most trainings succeed; at 16-16 all do. ReLU is the best where"
    )
    print("the target is made of straight pieces; for the smooth parabola leaky ReLU does better.")
    print("Sigmoid and tanh level out, and 10,000 epochs are too few to reach y = 135 with them.")
    draw(folder, "24_sizes_and_activations",
         bars({row[0]: row[1] for row in parabolas}, "$x^2$: loss below 1.0, of 10",
              xlabel="successes", xticks=range(0, 11, 2)),
         bars({row[0]: row[1] for row in absolutes}, "$|x-1|$: within 0.05, of 20",
              xlabel="successes", xticks=range(0, 21, 5)))  # fmt: skip


if __name__ == "__main__":
    run(main)
