"""The solver ``lbfgs``: iterations on all rows at once."""

from __future__ import annotations

import time

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastmlp.sklearn._fit import Fit, warn

# Attributes of fits by epochs, which this solver does not have.
_OF_EPOCHS = {
    "best_loss_", "should_stop_", "_progress", "_rate", "_solver", "_trainer_state",
}  # fmt: skip


class LbfgsFit(Fit):
    """Runs iterations until SciPy reports convergence or a limit."""

    def _penalty(self) -> float:
        if self.e.clip_norm is not None:
            raise ValueError(
                f"clip_norm: got {self.e.clip_norm!r}; the solver 'lbfgs' has no use for it, want "
                "None"
            )
        return 0.5 * float(self.e.alpha) / self.rows.total if self.rows.total > 0.0 else 0.0

    def _iterate(self) -> None:
        began = time.perf_counter()

        def on_iteration(value: float) -> None:
            nonlocal began
            self._end_epoch(self._reported(value), 1.0, began)
            began = time.perf_counter()
            if self._is_over() or (self.progress.by_score and self.progress.is_over):
                self.state.stop()
                raise StopIteration

        ended = self.trainer.minimize(self.rows.data, self.e.max_iter, on_iteration)
        if not ended.converged and not self.state.stopped:
            warn(
                f"lbfgs failed to converge after {len(self.state.history)} iteration(s): "
                f"{ended.message}. Increase max_iter or max_fun, or scale the data",
                ConvergenceWarning,
            )

    def _reported(self, value: float) -> float:
        """Return the mean of the outputs' losses, as scikit-learn reports it."""
        squares = sum(float(np.vdot(layer.W, layer.W)) for layer in self.e._linears(self.net))
        penalty = self._penalty() * squares
        offset = 0.0 if self.offsets is None else self.rows.mean(self.offsets)
        return float((value - penalty) * self.share + penalty + offset)

    def _leave(self) -> None:
        e, progress = self.e, self.progress
        for name in _OF_EPOCHS & vars(e).keys():
            delattr(e, name)
        if progress.by_score:
            self._take_best()
        self._check_weights()
        e.n_iter_ = len(progress.losses)
        e.loss_ = progress.losses[-1] if progress.losses else float("nan")
        e.loss_curve_ = list(progress.losses)
        self._leave_validation()
