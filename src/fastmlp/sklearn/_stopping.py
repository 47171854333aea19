"""scikit-learn's rules for the end of training."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from fastmlp.base.validation import Array


@dataclass
class Progress:
    """The losses and scores so far, and the number of epochs without an improvement.

    Without a validation set to stop by, the training loss has to fall by more than ``tol``; with
    one, the validation score has to rise by at least ``tol``.
    """

    by_score: bool
    tol: float
    patience: float
    losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    val_losses: list[float] = field(default_factory=list)
    best_loss: float = math.inf
    best_score: float = -math.inf
    best_params: Array | None = None
    waited: int = 0

    @classmethod
    def going_on(
        cls, known: Progress | None, by_score: bool, tol: float, patience: float
    ) -> Progress:
        """Make a progress with the losses and scores of earlier epochs."""
        if known is None:
            return cls(by_score, tol, patience)
        return replace(
            known, by_score=by_score, tol=tol, patience=patience, losses=list(known.losses),
            scores=list(known.scores), val_losses=list(known.val_losses),
        )  # fmt: skip

    def add(self, loss: float, held_out: tuple[float, float] | None, net: Any) -> None:
        """Record an epoch: its loss, and loss and score on the validation set."""
        self.losses.append(loss)
        if held_out is not None:
            self.val_losses.append(held_out[0])
            self.scores.append(held_out[1])
        if self.by_score:
            self._compare_scores(net)
        else:
            self.waited = self.waited + 1 if loss > self.best_loss - self.tol else 0
            self.best_loss = min(self.best_loss, loss)

    def _compare_scores(self, net: Any) -> None:
        score = self.scores[-1]
        self.waited = self.waited + 1 if score < self.best_score + self.tol else 0
        if score > self.best_score:
            self.best_score, self.best_params = score, net.params.copy()

    @property
    def is_over(self) -> bool:
        """Whether there was no improvement for ``n_iter_no_change`` epochs."""
        return self.waited > self.patience

    def message(self) -> str:
        """Return the reason why training stops, as text."""
        what = "Validation score" if self.by_score else "Training loss"
        return (
            f"{what} did not improve more than tol={self.tol:f} for {self.patience} consecutive "
            "epochs."
        )
