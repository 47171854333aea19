"""Activations need a slope: the layer before a step unit does not change.

The chain rule multiplies by g'. The step's is 0 wherever it exists, so dL/dW1 = 0 exactly for
any loss. The layer after the step learns, from features that never change. A step between -1 and
1, as some notes draw it, is 2 step(f) - 1, with the same slope. The sigmoid is a smooth step, and
the layer before it learns.
"""

import numpy as np
from lecture_support import check, draw, panel, run, table

import fastmlp as fm


class Sign:
    """A step between -1 and 1, as a custom node with the step's slope."""

    def forward(self, x):
        return np.where(x >= 0, 1.0, -1.0)

    def backward(self, upstream):
        return np.zeros_like(upstream)


ACTIVATIONS = {"step": fm.Step, "step of -1 and 1": Sign, "sigmoid": fm.Sigmoid, "tanh": fm.Tanh}


def data():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 2))
    return x, (x[:, :1] * x[:, 1:] > 0).astype(float)


def moved(activation, epochs=100):
    """The distance of each layer's weights from their first values, and the losses."""
    net = fm.Sequential(
        fm.Linear(2, 16), activation(), fm.Linear(16, 1), in_features=2, dtype="float64", seed=0
    )
    before = [net[0].W.copy(), net[2].W.copy()]
    history = fm.fit(net, *data(), loss=fm.BCEWithLogitsLoss(), optimizer=fm.Adam(lr=0.05),
                     epochs=epochs, batch_size=50, seed=0, progress=False)  # fmt: skip
    after = [net[0].W, net[2].W]
    return [float(np.abs(a - b).max()) for a, b in zip(after, before, strict=True)], history.loss


def main(folder="."):
    found = {name: moved(activation) for name, activation in ACTIVATIONS.items()}
    print("XOR of two signs, 2-16-1, 100 epochs: how far did weights move?")
    table(["activation", "first layer", "second layer", "loss"],
          [(name, *far, loss[-1]) for name, (far, loss) in found.items()])  # fmt: skip
    for name in ("step", "step of -1 and 1"):
        check(f"first layer in front of a {name}", found[name][0][0], 0.0)
    print("In float64, exactly 0.0: the gradient is not small, it is missing.")
    curves = {name: (np.arange(1, 101), loss) for name, (_, loss) in found.items()}
    draw(folder, "31_differentiable",
         panel("The same network, four activations", curves, xlabel="epoch", ylabel="loss",
               ylim=(0, None)))  # fmt: skip


if __name__ == "__main__":
    run(main)
