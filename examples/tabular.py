"""Compare fastmlp's defaults for tables with scikit-learn, on the same rows and inputs.

    python examples/tabular.py TABLE --target COLUMN [--task TASK] [--seeds N] [--cpu-time]

Prints a Markdown table: the score on test rows (accuracy, or R2 of a regression) and the seconds of
the fit, as mean and standard deviation over the seeds. With --cpu-time the seconds are processor
time, which other work on the machine hardly changes. Each seed gives one split of the rows and one
start of every model.

fastmlp takes the columns as they are. The other models get numbers that are standardised and one
input for each level, as fastmlp's plain MLP does; numbers to predict are standardised for them.
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

from fastmlp.tabular import MLP, TabularClassifier, TabularRegressor, load_table
from fastmlp.tabular.columns import TableReader
from fastmlp.tabular.splits import split_off

TEST = 0.25

CLASSIFIERS = {
    "MLPClassifier": lambda seed: MLPClassifier(random_state=seed),
    "HistGradientBoosting": lambda seed: HistGradientBoostingClassifier(random_state=seed),
    "LogisticRegression": lambda seed: LogisticRegression(max_iter=1000),
}
REGRESSORS = {
    "MLPRegressor": lambda seed: MLPRegressor(random_state=seed),
    "HistGradientBoosting": lambda seed: HistGradientBoostingRegressor(random_state=seed),
    "Ridge": lambda seed: Ridge(),
}


def encoded(train, test):
    """Inputs of the other models, learnt from the training rows, in float32."""
    reader = TableReader().fit(train)
    read = reader.read(train)
    encoder = MLP().encoder().fit(read)
    return encoder.transform(read), encoder.transform(reader.read(test))


def measure(table, seed, clock=time.perf_counter):
    """(score, seconds) of each model on one split."""
    rows, test = split_off(table.y, len(table.classes), TEST, seed)
    train, held = table.frame.take(rows), table.frame.take(test)
    y, true = table.y[rows], table.y[test]
    score = accuracy_score if table.classes else r2_score
    ours = TabularClassifier if table.classes else TabularRegressor
    start = clock()
    model = ours(random_state=seed).fit(train, y)
    found = {"fastmlp (defaults)": (score(true, model.predict(held)), clock() - start)}
    x, x_held = encoded(train, held)
    # A score of numbers does not depend on their scale.
    mean, scale = (0, 1) if table.classes else (y.mean(), y.std())
    for name, make in (CLASSIFIERS if table.classes else REGRESSORS).items():
        start = clock()
        other = make(seed).fit(x, (y - mean) / scale if scale != 1 else y)
        found[name] = score(true, other.predict(x_held) * scale + mean), clock() - start
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
