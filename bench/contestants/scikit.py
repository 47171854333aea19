"""scikit-learn's estimators, with one ``partial_fit`` for each step."""

from __future__ import annotations

from functools import partial

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from bench.contestants.base import Contestant, Unsupported
from bench.problems import Array, Problem


class Scikit(Contestant):
    """``MLPClassifier`` or ``MLPRegressor`` without penalty and momentum."""

    def __init__(self, problem: Problem, threads: int) -> None:
        cell = problem.cell
        if cell.activation != "relu":
            raise Unsupported(f"no {cell.activation}")
        if problem.cell.dropout:
            raise Unsupported("no dropout")
        if cell.kind == "predict" and not problem.regression:
            raise Unsupported("predict_proba gives probabilities, not scores")
        self.problem = problem
        kind = MLPRegressor if problem.regression else MLPClassifier
        # Its squared error is halved, so its rate is doubled.
        lr = problem.lr * (2 if problem.regression and cell.optimizer == "sgd" else 1)
        self.estimator = kind(
            hidden_layer_sizes=cell.widths[1:-1], solver=cell.optimizer, learning_rate_init=lr,
            alpha=0.0, momentum=0.0, nesterovs_momentum=False, batch_size=cell.batch,
        )  # fmt: skip
        self.y = problem.y.ravel()
        known = {} if problem.regression else {"classes": np.arange(cell.widths[-1])}
        self.estimator.partial_fit(problem.x, self.y, **known)
        self.reset()
        if cell.kind == "predict":
            self.call = partial(self.estimator.predict, problem.x)
        else:
            self.call = partial(self.estimator.partial_fit, problem.x, self.y)

    def reset(self) -> None:
        self.estimator.coefs_ = [W.copy() for W, _ in self.problem.first]
        self.estimator.intercepts_ = [b.copy() for _, b in self.problem.first]
        # Without this attribute, the next partial_fit makes a new optimizer.
        vars(self.estimator).pop("_optimizer", None)
        self.estimator.loss_curve_ = []

    def params(self) -> list[Array]:
        pairs = zip(self.estimator.coefs_, self.estimator.intercepts_, strict=True)
        return [array.copy() for pair in pairs for array in pair]

    def output(self) -> Array:
        return np.array(self.call()).reshape(self.problem.cell.batch, -1)
