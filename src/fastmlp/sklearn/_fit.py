"""One run of a solver: epochs, stopping, callbacks, and what is left on the estimator."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import shuffle

from fastmlp.callbacks import Checkpoint, ProgressBar
from fastmlp.fitting import Data
from fastmlp.history import FitState, History
from fastmlp.penalties import L2
from fastmlp.sklearn import _rows
from fastmlp.sklearn._network import Rate, make_optimizer
from fastmlp.sklearn._stopping import Progress
from fastmlp.training import Trainer
from fastmlp.validation import Array

# What fits by epochs leave behind, and lbfgs does not.
_OF_EPOCHS = {
    "best_loss_", "validation_scores_", "validation_loss_curve_", "best_validation_score_",
    "should_stop_", "_progress", "_rate", "_solver", "_trainer_state",
}  # fmt: skip


class Fit:
    """One run of the solver on checked data."""

    def __init__(
        self, estimator: Any, net: Any, X: Any, y: Any, weights: Array | None, held: Any,
        dtype: Any, random: Any, first: bool, incremental: bool,
    ) -> None:  # fmt: skip
        self.e, self.net, self.random = estimator, net, random
        self.first, self.incremental = first, incremental
        self.x, self.rows = _rows.ready(X, dtype), X.shape[0]
        self.target, width = estimator._encoded(y, dtype)
        self.weights = None if weights is None else np.ascontiguousarray(weights, dtype)
        self.offset = estimator._loss_offset(y, self.weights)
        self.held = held
        self.loss, self.loss_weight = estimator._make_loss(width)
        # The core trusts targets: this holds them against the loss and the network's width.
        self.target = self.loss.target(self.target, self.rows, net.out_features, net.dtype)
        if estimator.solver == "lbfgs":
            _refuse_for_lbfgs(estimator, held)
        self.batch = self._batch_size()
        mean = 1.0 if self.weights is None else float(self.weights.mean())
        # scikit-learn's penalty is divided by the rows (weights) of a step.
        per_step = self.rows if estimator.solver == "lbfgs" else self.batch
        lam = 0.5 * estimator.alpha / (per_step * mean) if mean > 0.0 else 0.0
        self.trainer = Trainer(
            net, self.loss, make_optimizer(estimator), L2(lam) if lam > 0.0 else None,
            self.loss_weight,
        )  # fmt: skip

    def _batch_size(self) -> int:
        size = self.e.batch_size
        if size == "auto":
            return int(min(200, self.rows))
        if size > self.rows:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                "clipped",
                stacklevel=5,
            )
        return int(min(size, self.rows))

    def run(self) -> None:
        """Train, then leave what was found on the estimator."""
        if self.e.solver == "lbfgs":
            self._minimise()
        else:
            self._stochastic()

    def _minimise(self) -> None:
        values: list[float] = []
        for name in _OF_EPOCHS & vars(self.e).keys():
            delattr(self.e, name)
        data = Data([self._dense()], [self.target], self.weights)
        start = time.perf_counter()

        def heard(value: float) -> None:
            values.append(value + self.offset)
            budget = self.e.time_budget
            if budget is not None and time.perf_counter() - start > budget:
                raise StopIteration

        self.trainer.minimize(data, self.e.max_iter, heard)
        self.e.n_iter_ = len(values)
        self.e.loss_ = values[-1] if values else float("nan")
        self.e.loss_curve_ = values
        if len(values) >= self.e.max_iter:
            warnings.warn(
                f"lbfgs failed to converge after {self.e.max_iter} iterations: increase max_iter "
                "or scale the data",
                ConvergenceWarning,
                stacklevel=6,
            )

    def _dense(self) -> Array:
        return _rows.take(self.x, slice(None), self.net.dtype)

    def _stochastic(self) -> None:
        e = self.e
        old = None if self.first else vars(e)
        progress = self._progress(old)
        rate = Rate(e, None if old is None or not self.incremental else old.get("_rate"))
        if self.incremental and old is not None and old.get("_solver") == e.solver:
            self.trainer.load_state_dict(old["_trainer_state"])
        index = np.arange(self.rows)
        hooks, state = self._callbacks()
        start, n_iter, seen = time.perf_counter(), 0, e.t_
        error: BaseException | None = None
        try:
            for _ in range(1 if self.incremental else e.max_iter):
                began = time.perf_counter()
                if e.shuffle:
                    index = shuffle(index, random_state=self.random)
                order = np.ascontiguousarray(index, np.int64) if e.shuffle else None
                value = self._epoch(order, rate.now)
                n_iter, seen = n_iter + 1, seen + self.rows
                held = self._validate()
                progress.add(value, held, self.net)
                self._tell(n_iter, value, held)
                state.record(value, rate.now, held, time.perf_counter() - began)
                for hook in hooks:
                    hook.on_epoch_end(state)
                rate.end_epoch(seen)
                over = progress.is_over and not self._goes_on(progress, rate)
                spent = time.perf_counter() - start
                if over or state.stopped or (e.time_budget is not None and spent > e.time_budget):
                    break
            else:
                self._warn(n_iter)
        except BaseException as raised:
            error = state.error = raised
            raise
        finally:
            for hook in hooks:
                if error is None or hasattr(hook, "on_fit_end"):
                    getattr(hook, "on_fit_end", lambda _: None)(state)
        self._leave(progress, rate, n_iter, seen)

    def _epoch(self, order: Array | None, lr: float) -> float:
        value = _rows.epoch(self.trainer, self.x, self.target, self.weights, order, self.batch, lr)
        return float(value + self.offset)

    def _progress(self, old: Any) -> Progress:
        e = self.e
        by_score = bool(e.early_stopping) and self.held is not None
        progress = Progress(by_score, e.tol, e.n_iter_no_change)
        if old is not None and "_progress" in old:
            known = old["_progress"]
            progress.losses, progress.scores = list(known.losses), list(known.scores)
            progress.val_losses = list(known.val_losses)
            progress.best_loss, progress.best_score = known.best_loss, known.best_score
            progress.best_params, progress.waited = known.best_params, known.waited
        return progress

    def _goes_on(self, progress: Progress, rate: Rate) -> bool:
        goes_on = rate.goes_on()
        if self.e.verbose:
            then = f"Setting learning rate to {rate.now:f}" if goes_on else "Stopping."
            print(f"{progress.message()} {then}")
        if goes_on:
            progress.waited = 0
        return goes_on

    def _validate(self) -> tuple[float, float] | None:
        """Loss and score on the validation set."""
        if self.held is None:
            return None
        x, y, weights = self.held
        scores = _rows.scores(self.net, x)
        target, _ = self.e._encoded(y, self.net.dtype)
        value = self.loss_weight * self.loss.forward(scores, target, weights)
        return value + self.e._loss_offset(y, weights), self.e._score_of(scores, y, weights)

    def _tell(self, n_iter: int, value: float, held: Any) -> None:
        if self.e.verbose:
            print(f"Iteration {n_iter:d}, loss = {value:.8f}")
            if held is not None:
                print(f"Validation score: {held[1]:f}")

    def _warn(self, n_iter: int) -> None:
        if not self.incremental:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({n_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=7,
            )

    def _callbacks(self) -> tuple[list[Any], FitState]:
        hooks: list[Any] = list(self.e.callbacks or ())
        hooks += [ProgressBar()] if self.e.progress else []
        _refuse(hook for hook in hooks if not callable(getattr(hook, "on_epoch_end", None)))
        if any(isinstance(hook, Checkpoint) for hook in hooks):
            raise ValueError("callbacks: Checkpoint is for fastmlp.fit; pickle estimators instead")
        epochs = 1 if self.incremental else self.e.max_iter
        state = FitState(self.trainer, History("score"), epochs, self.held is not None)
        for hook in hooks:
            getattr(hook, "on_fit_start", lambda _: None)(state)
        return hooks, state

    def _leave(self, progress: Progress, rate: Rate, n_iter: int, seen: int) -> None:
        e = self.e
        if progress.by_score and progress.best_params is not None and not self.incremental:
            self.net.params = progress.best_params
        e.n_iter_, e.t_, e.loss_ = n_iter, seen, progress.losses[-1]
        e.loss_curve_ = list(progress.losses)
        e.best_loss_ = None if progress.by_score else progress.best_loss
        validated = self.held is not None
        e.validation_scores_ = list(progress.scores) if validated else None
        e.validation_loss_curve_ = list(progress.val_losses) if validated else None
        e.best_validation_score_ = progress.best_score if progress.by_score else None
        e._progress, e._rate = progress, rate.now
        e._solver, e._trainer_state = e.solver, self.trainer.state_dict()
        e.should_stop_ = progress.is_over


def _refuse_for_lbfgs(estimator: Any, held: Any) -> None:
    given = {
        "callbacks": estimator.callbacks,
        "clip_norm": estimator.clip_norm,
        "X_val": None if held is None else held[0],
        "progress": estimator.progress or None,
    }
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name}: the solver 'lbfgs' has no use for it; want None")


def _refuse(wrong: Iterable[Any]) -> None:
    for hook in wrong:
        raise TypeError(f"callbacks: got {hook!r}; want objects with on_epoch_end(state)")
