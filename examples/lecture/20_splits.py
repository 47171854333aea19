"""Measuring on points that training has not seen: scikit-learn's splitters around fm.fit.

    train / validation / test   validation rows choose the settings; test rows are used once
    k-fold                      every point is tested once, in k fits
    leave-one-out               the same with as many folds as there are points
    random sampling             a new random test set each time; points may come up twice

A splitter gives indices of rows, so it needs no adapter: fit on x[train], score on x[test].
"""

import numpy as np
from lecture_support import draw, image, run, table
from sklearn.datasets import load_iris
from sklearn.model_selection import KFold, LeaveOneOut, ShuffleSplit, train_test_split

import fastmlp as fm

LAMBDAS = (0.0, 0.01, 0.1, 1.0)


def accuracy(x, y, train, test, lam=0.01):
    """Accuracy on the test rows of a network trained on the training rows."""
    mean, std = x[train].mean(axis=0), x[train].std(axis=0)  # of the training rows only
    z = (x - mean) / std
    net = fm.Sequential(fm.Linear(4, 16), fm.ReLU(), fm.Linear(16, 3), seed=0)
    fm.fit(net, z[train], y[train], loss=fm.CrossEntropyLoss(), optimizer=fm.Adam(lr=0.01),
           penalty=fm.L2(lam), epochs=60, batch_size=32, progress=False)  # fmt: skip
    return float(np.mean(net.predict(z[test]).argmax(axis=1) == y[test]))


def three_way(x, y):
    """The validation accuracy of each lambda, the best lambda, and its test accuracy."""
    rows = np.arange(len(x))
    rest, test = train_test_split(rows, test_size=0.2, stratify=y, random_state=0)
    train, validation = train_test_split(rest, test_size=0.25, stratify=y[rest], random_state=0)
    tried = {lam: accuracy(x, y, train, validation, lam) for lam in LAMBDAS}
    best = max(tried, key=tried.get)
    return tried, best, accuracy(x, y, rest, test, best)


def scores(x, y, splitter):
    """The accuracy of each of the splitter's splits."""
    return np.array([accuracy(x, y, train, test) for train, test in splitter.split(x)])


def splitters():
    return {
        "5-fold": KFold(5, shuffle=True, random_state=0),
        "leave-one-out": LeaveOneOut(),
        "random sampling": ShuffleSplit(20, test_size=0.2, random_state=0),
    }


def tested_rows(splitter, rows):
    """For each split a row of marks, with 1 at its test rows."""
    marks = np.zeros((splitter.get_n_splits(np.zeros(rows)), rows))
    for k, (_, test) in enumerate(splitter.split(np.zeros(rows))):
        marks[k, test] = 1
    return marks


def main(folder="."):
    x, y = load_iris(return_X_y=True)
    tried, best, tested = three_way(x, y)
    print("train / validation / test, 60 / 20 / 20 %")
    table(["lambda", "validation"], [(f"{lam:g}", f"{value:.1%}") for lam, value in tried.items()])
    print(f"chosen: lambda {best:g}; fitted again on 80 %, test {tested:.1%}\n")
    found = {name: scores(x, y, splitter) for name, splitter in splitters().items()}
    table(["splitter", "fits", "mean", "std of the fits"],
          [(name, len(one), f"{one.mean():.1%}", f"{one.std():.1%}")
           for name, one in found.items()])  # fmt: skip
    print("Leave-one-out scores are 0 or 1, so their spread says nothing about the network.")
    panels = [image(tested_rows(splitter, 20), name, cmap="Blues", vmin=0, vmax=1.3, aspect="auto")
              for name, splitter in splitters().items()]  # fmt: skip
    draw(folder, "20_splits", *panels, size=(3.3, 3.3),
         title="Test rows (dark) of each split (line) of 20 rows")  # fmt: skip


if __name__ == "__main__":
    run(main)
