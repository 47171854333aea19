"""Compare fastmlp's defaults for tables with scikit-learn, on the same rows and inputs.

    python examples/tabular.py TABLE --target COLUMN [--task TASK] [--seeds N] [--cpu-time]

Prints a Markdown table: the score on test rows (accuracy, or R2 of a regression) and the seconds of
the fit, as mean and standard deviation over the seeds. With --cpu-time the seconds are processor
time, which other work on the machine hardly changes. Each seed gives one split of the rows and one
start of every model.

fastmlp's encoder, fitted on the training part, makes the standardised inputs of all models;
regression targets are standardised for all models too. fastmlp takes its validation part for early
stopping out of the training rows, so all models see the same rows.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor

from fastmlp.tabular import MLP, load_table
from fastmlp.tabular.preparation import Part, Preparation
from fastmlp.tabular.splits import TEST_SHARE, split_off

TEST = 0.25


def fit_fastmlp(table, rows, part, seed):
    """The command line's defaults; returns a function that predicts."""
    chosen = split_off(table.y[rows], len(table.classes), TEST_SHARE, seed)
    parts = [Part(part.x[rows], part.y[rows]) for rows in chosen]
    plan = MLP().plan(len(parts[0].y), len(table.classes))
    net, _ = plan.fit(*parts, seed)
    return lambda x: decided(net.predict(x), table)


def decided(scores, table):
    """Classes or numbers from a network's output."""
    return scores.argmax(axis=1) if table.classes else scores[:, 0]


def scikit(make):
    """A fit of one of scikit-learn's estimators."""

    def fit(table, rows, part, seed):
        return make(seed).fit(part.x, part.y.ravel()).predict

    return fit


CLASSIFIERS = {
    "fastmlp (defaults)": fit_fastmlp,
    "MLPClassifier": scikit(lambda seed: MLPClassifier(random_state=seed)),
    "HistGradientBoosting": scikit(lambda seed: HistGradientBoostingClassifier(random_state=seed)),
    "LogisticRegression": scikit(lambda seed: LogisticRegression(max_iter=1000)),
}
REGRESSORS = {
    "fastmlp (defaults)": fit_fastmlp,
    "MLPRegressor": scikit(lambda seed: MLPRegressor(random_state=seed)),
    "HistGradientBoosting": scikit(lambda seed: HistGradientBoostingRegressor(random_state=seed)),
    "Ridge": scikit(lambda seed: Ridge()),
}


def measure(table, seed, clock=time.perf_counter):
    """(score, seconds) of each model on one split."""
    rows, test = split_off(table.y, len(table.classes), TEST, seed)
    preparation = Preparation.fit(table, rows)
    # float32 for all models: scikit-learn's networks keep it, and are faster with it.
    part, held = (preparation.part(r, "float32") for r in (rows, test))
    score = accuracy_score if table.classes else r2_score
    found = {}
    for name, fit in (CLASSIFIERS if table.classes else REGRESSORS).items():
        start = clock()
        predict = fit(table, rows, part, seed)
        seconds = clock() - start
        found[name] = score(held.y.ravel(), predict(held.x)), seconds
    return found


def markdown(table, results):
    """Lines of a table: mean and standard deviation of score and seconds by model."""
    what = "accuracy" if table.classes else "R2"
    yield f"| {table.name} | test {what} | fit, seconds |"
    yield "| --- | ---: | ---: |"
    for name in results[0]:
        scores, seconds = np.array([result[name] for result in results]).T
        yield f"| {name} | {spread(scores, 4)} | {spread(seconds, 2)} |"


def spread(values, digits):
    """Mean and standard deviation."""
    deviation = values.std(ddof=1) if len(values) > 1 else 0.0
    return f"{values.mean():.{digits}f} ± {deviation:.{digits}f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--target")
    parser.add_argument("--task", choices=["classification", "regression"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cpu-time", action="store_true")
    options = parser.parse_args()
    clock = time.process_time if options.cpu_time else time.perf_counter
    table = load_table(options.table, options.target, options.task)
    with warnings.catch_warnings():
        # The comparison is with scikit-learn's default of 200 epochs.
        warnings.simplefilter("ignore", ConvergenceWarning)
        results = [measure(table, seed, clock) for seed in range(options.seeds)]
    print(*markdown(table, results), sep="\n")


if __name__ == "__main__":
    main()
