"""A two-layer network trained by hand, in NumPy and in fastmlp, step for step.

The lecture's program of about twenty lines: N = 64 random inputs of 1000 numbers, 100 sigmoid
units, 10 outputs, no biases, the sum of squares as loss, and 2000 steps of gradient descent with
learning rate 1e-4. From the same weights the two losses are the same at every step. Without the
comparison it is ten lines: 10_minimal.py.
"""

import os

# Set before NumPy is loaded: with matrices of this size its threads would mostly wait.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from lecture_support import draw, panel, run, same, table

import fastmlp as fm

N, D_IN, H, D_OUT = 64, 1000, 100, 10
STEPS, LEARNING_RATE = 2000, 1e-4


def random_start():
    """Inputs, targets and first weights."""
    shapes = (N, D_IN), (N, D_OUT), (D_IN, H), (H, D_OUT)
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for shape in shapes]


def train_numpy(x, y, w1, w2):
    """Run the lecture's program; return the losses."""
    w1, w2, losses = w1.copy(), w2.copy(), []
    for _ in range(STEPS):
        h = 1 / (1 + np.exp(-x.dot(w1)))
        y_pred = h.dot(w2)
        losses.append(np.square(y_pred - y).sum())

        grad_y_pred = 2.0 * (y_pred - y)
        grad_w2 = h.T.dot(grad_y_pred)
        grad_h = grad_y_pred.dot(w2.T)
        grad_w1 = x.T.dot(grad_h * h * (1 - h))

        w1 -= LEARNING_RATE * grad_w1
        w2 -= LEARNING_RATE * grad_w2
    return np.array(losses)


def train_fastmlp(x, y, w1, w2):
    """Run the same with layers; return the losses."""
    net = fm.Sequential(
        fm.Linear(D_IN, H, bias=False), fm.Sigmoid(), fm.Linear(H, D_OUT, bias=False),
        dtype="float64",
    )  # fmt: skip
    net[0].W, net[2].W = w1, w2
    loss, optimizer, losses = fm.MSELoss(reduction="sum"), fm.SGD(net, lr=LEARNING_RATE), []
    for _ in range(STEPS):
        y_pred = net.forward(x)
        losses.append(loss.forward(y_pred, y))
        net.backward(loss.backward())
        optimizer.step()
    return np.array(losses)


def largest_relative_difference(ours, theirs):
    return np.max(np.abs(ours - theirs) / theirs)


def main(folder="."):
    start = random_start()
    ours, theirs = train_fastmlp(*start), train_numpy(*start)
    table(["step", "loss, fastmlp", "loss, NumPy"],
          [(step, f"{ours[step]:.12f}", f"{theirs[step]:.12f}")
           for step in (0, 1, 2, 10, 100, 500, 1000, STEPS - 1)])  # fmt: skip
    same(f"relative, in {STEPS} steps", ours / theirs, 1.0, STEPS * np.finfo(float).eps)
    steps = np.arange(STEPS)
    draw(folder, "10_net_in_twenty_lines",
         panel("Loss per step", {"NumPy": (steps, theirs, {"linewidth": 5, "alpha": 0.4}),
                                 "fastmlp": (steps, ours)},
               xlabel="step", ylabel="sum of squares", yscale="log"))  # fmt: skip


if __name__ == "__main__":
    run(main)
