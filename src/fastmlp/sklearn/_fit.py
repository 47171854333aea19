"""The common part of all solvers."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.losses.penalties import L2
from fastmlp.sklearn import _rows
from fastmlp.sklearn._network import make_optimizer
from fastmlp.sklearn._stopping import Progress
from fastmlp.training.callbacks import Checkpoint
from fastmlp.training.history import FitState, History
from fastmlp.training.hooks import Hooks, checked_callbacks
from fastmlp.training.trainer import Trainer


class Fit:
    """One run of a solver on checked data; it sets the fitted attributes of the estimator."""

    def __init__(
        self, estimator: Any, net: Any, X: Any, y: Any, weights: Array | None,
        chosen: Array | None, held: Any, random: Any, old: Any = None, incremental: bool = False,
    ) -> None:  # fmt: skip
        """``old`` has the attributes of the fit to continue, or is None.

        Targets and weights are those of the ``chosen`` rows of X, by default of all.
        """
        self.e, self.net, self.random = estimator, net, random
        self.old, self.incremental, self.held = old, incremental, held
        target, width = estimator._encoded(y, net.dtype)
        self.loss, self.loss_weight = estimator._make_loss(width)
        # The core trusts the targets, so check them against the loss and the network's width.
        target = self.loss.target(target, len(y), net.out_features, net.dtype)
        weights = None if weights is None else weights.astype(net.dtype, copy=False)
        self.rows = _rows.Rows(_rows.convert(X, net.dtype), target, weights, chosen)
        self.offsets = estimator._loss_offsets(y)
        self.share = estimator._loss_share(width)
        lam = self._penalty()
        self.trainer = Trainer(
            net, self.loss, make_optimizer(estimator), L2(lam) if lam > 0.0 else None,
            self.loss_weight,
        )  # fmt: skip
        self.epochs = 1 if incremental else estimator.max_iter
        self.state = FitState(self.trainer, History("score"), self.epochs, held is not None)
        self.progress = Progress.going_on(
            None if old is None else old.get("_progress"),
            bool(estimator.early_stopping) and held is not None,
            estimator.tol,
            estimator.n_iter_no_change,
        )
        hooks = checked_callbacks(estimator.callbacks, estimator.progress)
        if any(isinstance(hook, Checkpoint) for hook in hooks):
            raise ValueError("callbacks: Checkpoint is for fastmlp.fit; pickle estimators instead")
        self.hooks = Hooks(hooks, self.state)
        self.started = time.perf_counter()

    def run(self) -> None:
        """Train, then set the fitted attributes."""
        with self.hooks.lifecycle():
            self.hooks.dispatch("on_fit_ready")
            self._iterate()
        self._leave()

    # ---- defined by the solvers ----

    def _penalty(self) -> float:
        """Return the factor of the squared weights."""
        raise NotImplementedError

    def _iterate(self) -> None:
        raise NotImplementedError

    def _leave(self) -> None:
        raise NotImplementedError

    # ---- used by the solvers ----

    def _end_epoch(self, value: float, lr: float, began: float) -> None:
        """Validate after an epoch, record it and call the callbacks."""
        held = self._validate()
        self.progress.add(value, held, self.net)
        self.state.record(value, lr, held, time.perf_counter() - began)
        if self.e.verbose:
            print(f"Iteration {self.state.epoch + 1:d}, loss = {value:.8f}")
            if held is not None:
                print(f"Validation score: {held[1]:f}")
        self.hooks.dispatch("on_epoch_end")
        self.hooks.dispatch("after_epoch_end")

    def _validate(self) -> tuple[float, float] | None:
        """Return loss and score on the validation set."""
        if self.held is None:
            return None
        x, y, weights = self.held
        if self.rows.chosen is None:
            scores = _rows.scores(self.net, x)
        else:
            scores = _rows.scores(self.net, self.rows.x, x)
        target, _ = self.e._encoded(y, self.net.dtype)
        weights = None if weights is None else weights.astype(self.net.dtype, copy=False)
        value = self.share * self.loss_weight * self.loss.forward(scores, target, weights)
        offsets = self.e._loss_offsets(y)
        if offsets is not None:
            value += _rows.Rows(offsets, offsets, weights).mean(offsets)
        return value, self.e._score_of(scores, y, weights)

    def _is_over(self) -> bool:
        """Whether a callback or ``time_budget`` ends the fit."""
        budget = self.e.time_budget
        spent = time.perf_counter() - self.started
        return self.state.stopped or (budget is not None and spent > budget)

    def _take_best(self) -> None:
        if self.progress.best_params is not None:
            self.net.params = self.progress.best_params

    def _check_weights(self) -> None:
        if not np.isfinite(self.net.params).all():
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )

    def _leave_validation(self) -> None:
        e, progress = self.e, self.progress
        validated = self.held is not None
        e.validation_scores_ = list(progress.scores) if validated else None
        e.validation_loss_curve_ = list(progress.val_losses) if validated else None
        e.best_validation_score_ = progress.best_score if progress.by_score else None


def warn(message: str, kind: type[Warning]) -> None:
    """Warn at the line that calls ``fit``."""
    warnings.warn(message, kind, stacklevel=9)
