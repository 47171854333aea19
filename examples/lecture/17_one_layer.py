"""Three classics are networks of one layer: only the loss differs.

    perceptron           max(0, -y s), y = -1 or 1     on a mistake: w += y x, b += y
    logistic regression  log loss of sigmoid(s)        s is the log-odds: log(p / (1 - p)) = s
    linear regression    sum((s - y)**2)               least squares: (A^T A)^-1 A^T y
    ridge                ... + lam * sum(w**2)         (A^T A + lam I)^-1 A^T y

with the score s = x w + b. Each is trained by fastmlp and stands beside the rule, or the formula,
that it must agree with.
"""

import numpy as np
from lecture_support import BLACK, BLUE, ORANGE, check, draw, panel, run

import fastmlp as fm


class PerceptronLoss:
    """max(0, -y s), summed over the rows; a row on the boundary counts as a mistake."""

    def forward(self, scores, y):
        self.wrong, self.y = y * scores <= 0, y
        return float(np.maximum(0, -y * scores).sum())

    def backward(self):
        return np.where(self.wrong, -self.y, 0.0)


def two_groups(apart, seed=0):
    rng = np.random.default_rng(seed)
    y = np.where(np.arange(100) < 50, -1.0, 1.0).reshape(-1, 1)
    x = rng.standard_normal((100, 2)) + apart * y + [1.0, 0.0]
    order = rng.permutation(100)
    return x[order], y[order]


def perceptron(x, y, epochs=10):
    """One row at a time with learning rate 1, as a network and by the rule: two (w, b)."""
    net = fm.Sequential(fm.Linear(2, 1, init="zeros"), dtype="float64")
    fm.fit(net, x, y, loss=PerceptronLoss(), optimizer=fm.SGD(lr=1.0), epochs=epochs, batch_size=1,
           shuffle=False, progress=False)  # fmt: skip
    w, b = np.zeros(2), 0.0
    for row, target in [*zip(x, y[:, 0], strict=True)] * epochs:
        if target * (row @ w + b) <= 0:
            w, b = w + target * row, b + target
    return np.append(net[0].W, net[0].b), np.append(w, b)


def logistic(x, y):
    """Full-batch gradient descent, and Newton's method in NumPy: two (w, b)."""
    net = fm.Sequential(fm.Linear(2, 1, init="zeros"), dtype="float64")
    positive = (y + 1) / 2
    fm.fit(net, x, positive, loss=fm.BCEWithLogitsLoss(), optimizer=fm.SGD(lr=1.0), epochs=2000,
           batch_size=len(x), progress=False)  # fmt: skip
    ones = np.column_stack([x, np.ones(len(x))])
    w = np.zeros((3, 1))
    for _ in range(20):
        p = 1 / (1 + np.exp(-ones @ w))
        w -= np.linalg.solve(ones.T @ (p * (1 - p) * ones), ones.T @ (p - positive))
    return net, np.append(net[0].W, net[0].b), w[:, 0]


def least_squares(A, y, lam):
    """Gradient descent on sum((A w - y)**2) + lam * sum(w**2), and the formula: two w."""
    net = fm.Sequential(fm.Linear(A.shape[1], 1, bias=False, init="zeros"), dtype="float64")
    fm.fit(net, A, y, loss=fm.MSELoss(reduction="sum"), penalty=fm.L2(lam),
           optimizer=fm.SGD(lr=2e-3), epochs=2000, batch_size=len(A), progress=False)  # fmt: skip
    w = np.linalg.solve(A.T @ A + lam * np.eye(A.shape[1]), A.T @ y)
    return net[0].W[:, 0].copy(), w[:, 0]


def regression_data(seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((60, 4))
    return A, A @ [[1.0], [-2.0], [0.5], [0.0]] + 0.3 * rng.standard_normal((60, 1))


def view(title, x, y, w):
    """A panel of two groups and the line s = 0."""
    groups = {f"y = {sign}": (*x[y[:, 0] == sign].T, {"style": mark, "color": colour})
              for sign, mark, colour in ((-1, "o", BLUE), (1, "s", ORANGE))}  # fmt: skip
    ends = np.array([x[:, 0].min() - 1, x[:, 0].max() + 1])
    line = {"s = 0": (ends, -(w[0] * ends + w[2]) / w[1], {"color": BLACK})}
    return panel(title, groups | line, xlabel="$x_1$", ylabel="$x_2$", xlim=ends,
                 ylim=(x[:, 1].min() - 1, x[:, 1].max() + 1))  # fmt: skip


def main(folder="."):
    apart, mixed = two_groups(apart=1.8), two_groups(apart=0.8)
    line, rule = perceptron(*apart)
    check("perceptron, 10 epochs, and its rule (w1, w2, b)", line, rule, 1e-12)
    x, y = apart
    check("  rows wrong of 100", np.sum(y[:, 0] * (x @ line[:2] + line[2]) <= 0), 0)

    net, curve, newton = logistic(*mixed)
    check("logistic regression and Newton's method (w1, w2, b)", curve, newton, 1e-9)
    score = net.predict([[1.0, 1.0]])
    p = fm.Sigmoid().forward(score)
    check("  log-odds at (1, 1) and score", np.log(p / (1 - p)), score, 1e-12)

    A, y = regression_data()
    check("linear regression and least squares", *least_squares(A, y, lam=0.0), 1e-9)
    check("ridge, lam = 20: a shorter vector", *least_squares(A, y, lam=20.0), 1e-9)
    draw(folder, "17_one_layer", view("Perceptron", *apart, line),
         view("Logistic regression", *mixed, curve))  # fmt: skip


if __name__ == "__main__":
    run(main)
