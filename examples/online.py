"""Learn from a stream, one row at a step, while what is to be learnt drifts and then jumps.

    python examples/online.py [--rows N] [--picture FILE] [--quick]

Each row is first predicted, then learnt (prequential evaluation: Gama, Sebastiao & Rodrigues, "On
evaluating stream learning algorithms", Machine Learning, 2013). A network that learns only from the
first tenth of the stream is the comparison. Inputs are standardised with running moments.
"""

import argparse
import time

import numpy as np

import fastmlp as fm

N_IN = 8


class Stream:
    """Rows whose target is a function that turns slowly, and is another one from the middle on."""

    def __init__(self, rows, seed=0):
        self.rows, self.rng = rows, np.random.default_rng(seed)
        self.planes = np.linalg.qr(self.rng.standard_normal((N_IN, N_IN)))[0]

    def __iter__(self):
        for k in range(self.rows):
            x = 3.0 + 2.0 * self.rng.standard_normal(N_IN)
            angle = 2.0 * np.pi * k / self.rows
            axes = self.planes[:2] if k < self.rows // 2 else self.planes[2:4]
            a, b = axes @ (x - 3.0)
            y = np.sin(np.cos(angle) * a + np.sin(angle) * b) + 0.5 * b
            yield x, y + 0.1 * self.rng.standard_normal()


class Standardiser:
    """Running mean and variance, forgetting exponentially."""

    def __init__(self, memory=2000.0):
        self.memory, self.count = memory, 0
        self.mean, self.square = np.zeros(N_IN), np.ones(N_IN)

    def __call__(self, x):
        self.count += 1
        part = max(1.0 / self.count, 1.0 / self.memory)
        self.mean += part * (x - self.mean)
        self.square += part * ((x - self.mean) ** 2 - self.square)
        return ((x - self.mean) / np.sqrt(self.square + 1e-6)).astype(np.float32)[None]


def network(seed=0):
    return fm.Sequential(fm.Linear(N_IN, 64), fm.ReLU(), fm.Linear(64, 64), fm.ReLU(),
                         fm.Linear(64, 1), seed=seed)  # fmt: skip


def run(rows):
    """Return the squared errors of the learning and of the fixed network, and us of a step."""
    net = network()
    trainer = fm.Trainer(net, fm.HuberLoss(), fm.Adam(lr=1e-3, clip_norm=1.0))
    fixed, standardise = None, Standardiser()
    errors, seconds = np.empty((rows, 2)), np.empty(rows)
    y = np.empty((1, 1), np.float32)
    for k, (raw, target) in enumerate(Stream(rows)):
        x = standardise(raw)
        y[0, 0] = target
        if k == rows // 10:
            fixed = net.copy()
        guess = net.predict(x)[0, 0]
        start = time.perf_counter()
        trainer.step(x, y)
        seconds[k] = time.perf_counter() - start
        other = guess if fixed is None else fixed.predict(x)[0, 0]
        errors[k] = (guess - target) ** 2, (other - target) ** 2
    return errors, 1e6 * float(np.median(seconds))


def draw(errors, path):
    """Write a picture of the errors, averaged over parts of the stream."""
    from fastmlp.plot import BLUE, ORANGE, figure

    parts = 100
    size = len(errors) // parts
    means = errors[: parts * size].reshape(parts, size, 2).mean(axis=1)
    ax = figure(6.4, 3.6).subplots()
    rows = size * (np.arange(parts) + 0.5)
    ax.plot(rows, means[:, 0], color=BLUE, label="learns at every row")
    ax.plot(rows, means[:, 1], color=ORANGE, label="learnt the first tenth")
    ax.set(xlabel="row", ylabel="squared error before learning", yscale="log")
    ax.set_title("A drifting stream; another function from the middle on")
    ax.legend()
    ax.figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--picture", help="file of a picture of the errors")
    parser.add_argument("--quick", action="store_true", help="only 2,000 rows")
    options = parser.parse_args()
    rows = 2_000 if options.quick else options.rows
    errors, step = run(rows)
    print(f"{'rows':>22}  learning  fixed")
    for tenth in range(10):
        part = slice(tenth * rows // 10, (tenth + 1) * rows // 10)
        learning, fixed = errors[part].mean(axis=0)
        print(f"{part.start:>10,} to {part.stop:<9,}  {learning:8.3f}  {fixed:5.3f}")
    print(f"{step:.1f} us a step (median)")
    if options.picture:
        draw(errors, options.picture)


if __name__ == "__main__":
    main()
