"""The solvers ``adam`` and ``sgd``: epochs of batches, with scikit-learn's schedules."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import shuffle

from fastmlp.base.validation import Array
from fastmlp.sklearn._fit import Fit, warn
from fastmlp.sklearn._network import Rate


class EpochFit(Fit):
    """Trains epochs until early stopping, ``time_budget`` or ``max_iter`` ends the fit."""

    def _penalty(self) -> float:
        # The penalty of a batch is this divided by its number of rows or its sum of weights.
        return 0.5 * float(self.e.alpha)

    def _iterate(self) -> None:
        e, old = self.e, self.old
        self.seen = int(e.t_)
        self.rate = Rate(e, old.get("_rate") if old is not None and self.incremental else None)
        self.trained_at = self._continue(old) if self.incremental and old is not None else None
        batch, index = self._batch_size(), np.arange(self.rows.count)
        for _ in range(self.epochs):
            began = time.perf_counter()
            if e.shuffle:
                index = shuffle(index, random_state=self.random)
            order = np.ascontiguousarray(index, np.int64) if e.shuffle else None
            self._use_rate()
            value = self._epoch(order, batch)
            self.seen += self.rows.count
            self._end_epoch(value, self.rate.now, began)
            self.rate.heed(self.trainer.lr)
            self.rate.end_epoch(self.seen)
            over = self.progress.is_over and not self._goes_on()
            if over or self._is_over():
                break
        else:
            self._warn()

    def _continue(self, old: Any) -> float | None:
        """Restore the solver's state; return its last learning rate, or None for a new start."""
        state, own = old.get("_trainer_state"), self.trainer.state_dict()
        kinds = [[slot.dtype for slot in one["slots"]] for one in (state, own) if one is not None]
        if old.get("_solver") != self.e.solver or kinds[0] != kinds[-1]:
            return None
        self.trainer.load_state_dict(state)
        return float(state["lr"])

    def _use_rate(self) -> None:
        """Train at the schedule's rate; scikit-learn's velocities include the rate."""
        now, before = self.rate.now, self.trained_at
        if self.e.solver == "sgd" and before is not None and before != now and now > 0.0:
            state = self.trainer.state_dict()
            state["slots"] = [slot * (before / now) for slot in state["slots"]]
            self.trainer.load_state_dict(state)
        self.trainer.lr = self.trained_at = now

    def _batch_size(self) -> int:
        size, rows = self.e.batch_size, self.rows.count
        if size == "auto":
            return min(200, rows)
        if size > rows:
            warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                "clipped",
                UserWarning,
            )
        return int(min(size, rows))

    def _epoch(self, order: Array | None, batch: int) -> float:
        """Train one epoch; return the mean over the rows of the losses of their batches."""
        ones = np.ones(self.rows.count)
        sizes = self.rows.batch_sums(ones, order, batch)
        weights = self.rows.weights
        sums = sizes if weights is None else self.rows.batch_sums(weights, order, batch)
        with np.errstate(divide="ignore"):
            penalties = np.where(sums > 0.0, 1.0 / sums, 0.0)
        losses = self.rows.epoch(self.trainer, order, batch, self.rate.now, penalties)
        values = losses @ [self.share, 1.0]
        if self.offsets is not None:
            weighted = self.offsets if weights is None else self.offsets * weights
            values += self.rows.batch_sums(weighted, order, batch) * penalties
        return float(values @ sizes / self.rows.count)

    def _goes_on(self) -> bool:
        goes_on = self.rate.goes_on()
        if self.e.verbose:
            print(f"{self.progress.message()} {self.rate.message(goes_on)}")
        if goes_on:
            self.progress.waited = 0
        return goes_on

    def _warn(self) -> None:
        if not self.incremental:
            warn(
                f"Stochastic Optimizer: Maximum iterations ({self.epochs}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
            )

    def _leave(self) -> None:
        e, progress = self.e, self.progress
        over = progress.is_over
        if progress.by_score and (over or not self.incremental):
            self._take_best()
        self._check_weights()
        if not np.isfinite(progress.losses).any():
            raise ValueError(
                "Solver found no finite loss. The input data may contain large values and need to "
                "be preprocessed, or need dtype='float64'."
            )
        e.n_iter_, e.t_, e.loss_ = len(self.state.history), self.seen, progress.losses[-1]
        e.loss_curve_ = list(progress.losses)
        e.best_loss_ = None if progress.by_score else progress.best_loss
        self._leave_validation()
        e._progress, e._rate = progress, self.rate.now
        e._solver = e.solver
        e._trainer_state = {**self.trainer.state_dict(), "lr": self.trained_at}
        e.should_stop_ = over
