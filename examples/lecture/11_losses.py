"""Losses: SVM, softmax, squared error; and the penalty lambda * sum(W^2).

The lecture, for scores s and the right class y:

    SVM      sum over j != y of max(0, s_j - s_y + 1)
    softmax  -log(exp(s_y) / sum_j exp(s_j))
    squared  sum_j (s_j - t_j)^2, with t_j = 1 for the right class and 0 for the others
    total    mean over the rows + lambda * sum(W^2)

Their gradients are compared with central differences, and the same network is trained with each
of them and the penalty: only the line that makes the loss changes (see 11_minimal.py). The lecture
asks which loss a fresh network with tiny weights should have: that of scores that are all equal.
"""

import numpy as np
from lecture_support import draw, panel, run, same, table

import fastmlp as fm

# The lecture's scores of a cat, a car and a frog (rows) for the classes cat, car, frog.
SCORES = np.array([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])
LABELS = np.array([0, 1, 2])
LAMBDA = 0.01


class Squared:
    """A custom loss is any object with forward(scores, y) and backward()."""

    def forward(self, scores, y):
        self.difference = scores - np.eye(scores.shape[1])[y]
        return np.sum(self.difference**2) / len(y)

    def backward(self):
        return 2 * self.difference / len(self.difference)


LOSSES = {"SVM": fm.MultiMarginLoss, "softmax": fm.CrossEntropyLoss, "squared": Squared}


def losses_of_the_animals(name):
    """One loss for each of the three pictures."""
    return [LOSSES[name]().forward(SCORES[[i]], LABELS[[i]]) for i in range(3)]


def loss_of_equal_scores(name, classes):
    """The expected loss of the first step, before any training."""
    return LOSSES[name]().forward(np.zeros((1, classes)), [0])


def points(n=300):
    """Points of three classes around the corners of a triangle."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=n)
    corners = np.array([[0.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    return corners[y] + 0.5 * rng.standard_normal((n, 2)), y


def network():
    return fm.Sequential(fm.Linear(2, 16), fm.Tanh(), fm.Linear(16, 3), dtype="float64", seed=0)


def gradient_error(loss):
    """The largest relative error of the loss's gradients, compared with central differences."""
    return fm.gradcheck(network(), loss, *points(20))


def penalty_gradients():
    """For the first weights: what lambda * sum(W^2) adds to dW, and the formula 2 lambda W."""
    net = network()
    fm.L2(LAMBDA).backward(net)
    return net[0].dW, 2 * LAMBDA * net[0].W


def train(loss):
    """The history of the total loss, and the fraction of points that end in their class."""
    net, (x, y) = network(), points()
    trainer = fm.Trainer(net, loss=loss, optimizer=fm.Adam(lr=0.01), penalty=fm.L2(LAMBDA))
    history = trainer.fit(x, y, epochs=60, batch_size=32, seed=0, progress=False)
    return history.loss, np.mean(net.predict(x).argmax(axis=1) == y)


def main(folder="."):
    trained = {name: train(loss()) for name, loss in LOSSES.items()}
    table(["loss", "cat", "car", "frog", "10 equal scores", "gradient error", "total", "right"],
          [(name, *(f"{v:.2f}" for v in losses_of_the_animals(name)),
            f"{loss_of_equal_scores(name, 10):.3f}", f"{gradient_error(loss()):.0e}",
            f"{trained[name][0][-1]:.3f}", f"{trained[name][1]:.1%}")
           for name, loss in LOSSES.items()])  # fmt: skip
    print("With C classes a fresh net should start at C - 1 (SVM) or log C (softmax).")
    same("the penalty's gradient and 2 lambda W", *penalty_gradients())
    epochs = np.arange(1, 61)
    draw(folder, "11_losses",
         panel("The same network, three losses",
               {name: (epochs, totals) for name, (totals, _) in trained.items()},
               xlabel="epoch", ylabel="mean loss + penalty", ylim=(0, None)))  # fmt: skip


if __name__ == "__main__":
    run(main)
