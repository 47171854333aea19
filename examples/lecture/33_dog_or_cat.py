"""Dog or cat: two columns of scores, of which one is enough.

The notes' table: for three pictures, p(dog) = (.21, .99, .86) and p(cat) = (.79, .01, .14). Read as
a matrix, its rank is 2: no column is a multiple of the other. Yet one is known from the other,
p(cat) = 1 - p(dog), because the columns add up to (1, 1, 1): beside a column of ones the rank stays
2, not 3. So one output is enough, and its score is the log-odds:

    p(dog) = sigmoid(s),   s = log(p(dog) / p(cat)),   and softmax of two scores is
    the sigmoid of their difference

Read as pictures of three numbers, the two columns are a dog and a cat, which logistic regression
tells apart. Two pictures that are not multiples of each other always can be; the loss has no
minimum, so the probabilities go to 1 and 0, as far as the number of epochs takes them.
"""

import numpy as np
from lecture_support import check, draw, panel, run, same

import fastmlp as fm

DOG, CAT = np.array([0.21, 0.99, 0.86]), np.array([0.79, 0.01, 0.14])
STATED = (0.998, 0.003)


def ranks():
    """The rank of the two columns, and of the two with a column of ones."""
    columns = np.column_stack([DOG, CAT])
    return [int(np.linalg.matrix_rank(A)) for A in (columns, np.column_stack([columns, [1, 1, 1]]))]


def two_ways(scores):
    """p of the first class: softmax of two scores, and sigmoid of their difference."""
    difference = scores[:, :1] - scores[:, 1:]
    return fm.Softmax().forward(scores)[:, :1], fm.Sigmoid().forward(difference)


def train(epochs=1000, lr=1.0):
    """Logistic regression on the two pictures: p(dog) of each, the scores, p during training."""
    x, y = np.stack([DOG, CAT]), np.array([[1.0], [0.0]])
    net = fm.Sequential(fm.Linear(3, 1, init="zeros"), dtype="float64")
    trainer = fm.Trainer(net, loss=fm.BCEWithLogitsLoss(), optimizer=fm.SGD(lr=lr))
    way = []
    for _ in range(epochs):
        trainer.step(x, y)
        way.append(fm.Sigmoid().forward(net.predict(x))[:, 0])
    return way[-1], net.predict(x)[:, 0], np.array(way)


def main(folder="."):
    check("rank of (p(dog), p(cat)), and beside ones", ranks(), (2, 2))
    same("p(cat) is 1 - p(dog)", CAT, 1 - DOG, 1e-15)
    softmax, sigmoid = two_ways(np.random.default_rng(0).standard_normal((5, 2)))
    same("softmax of two scores is the sigmoid of their difference", softmax, sigmoid, 1e-15)
    p, score, way = train()
    check("p(dog) of the dog and of the cat", p, STATED, 1e-3)
    same("log-odds and score", np.log(p / (1 - p)), score, 1e-12)
    for epochs in (100, 1000, 10_000):
        print(f"  after {epochs:5d} epochs: p(dog) = {train(epochs)[0].round(5)}")
    epoch = np.arange(1, len(way) + 1)
    draw(folder, "33_dog_or_cat",
         panel("Logistic regression of two pictures",
               {"the dog": (epoch, way[:, 0]), "the cat": (epoch, way[:, 1])},
               xscale="log", xlabel="epoch", ylabel="p(dog)"))  # fmt: skip


if __name__ == "__main__":
    run(main)
