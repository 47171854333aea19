"""Trials: networks that are trained on some folds, and given up if others were better by then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.tabular import scores
from fastmlp.tabular.fitting import Data, Job, trained_member
from fastmlp.tabular.members import Share, seed_of
from fastmlp.tabular.models import Encoded, Member, Model
from fastmlp.tabular.reading import TableError

# Of a first fold's epochs: where the rate of RealMLP's schedule is about 0, so that the score tells
# what the network is worth.
RUNG = 0.467
STEPS = 1000  # steps of Optuna's that a kind of model has; kinds are compared among themselves


class Pruned(Exception):
    """A trial is given up; `out_of_time`: not because it is bad."""

    def __init__(self, out_of_time: bool = False) -> None:
        super().__init__()
        self.out_of_time = out_of_time


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes
    ----------
    value : float
        Mean of the metric over the folds, the less the better; NaN if it is not complete.
    state : {"complete", "pruned", "failed"}
    seconds : float
        Of the networks that were trained, each.
    members : list of (Member, ndarray)
        The networks with what they predict for their held-out rows, fold by fold.
    reason : str
        Why it failed.
    """

    value: float
    state: str
    seconds: float
    members: Sequence[tuple[Member, Array]]
    reason: str = ""


class Folds:
    """The rows of a table in folds, encoded once for all trials that encode alike."""

    def __init__(self, data: Data, dealt: Sequence[Share], seed: int) -> None:
        self.data, self.dealt, self.seed = data, dealt, seed
        self._encoded: dict[tuple[Any, ...], Encoded] = {}
        self._locks: dict[tuple[Any, ...], threading.Lock] = {}
        self._lock = threading.Lock()
        output = scores.baseline(data.y, data.target.classes)
        self._bases = [self._base(share, output) for share in dealt]

    def __len__(self) -> int:
        return len(self.dealt)

    def job(self, model: Model, kind: int, fold: int) -> Job:
        """Return the training of a model on all rows but those of a fold."""
        return Job(model, kind, fold, self.dealt[fold], seed_of(self.seed, fold))

    def train(
        self, job: Job, seconds: float | None, callbacks: Sequence[Any], keep: bool
    ) -> tuple[Member, Array]:
        """Train a network; `keep`: others will be trained on these rows too."""
        encoded = self._encode(job) if keep else None
        return trained_member(self.data, job, seconds, callbacks, encoded)

    def loss(self, fold: int, outputs: Array) -> float:
        """Return the metric of a fold's held-out rows, the less the better."""
        rows = self.dealt[fold].held_out
        return self.data.loss_of(rows)(self.data.held_y[rows], outputs)

    def levelled(self, losses: Sequence[float]) -> float:
        """Return the mean of the losses of the first folds, as if all folds were equally hard."""
        bases = self._bases[: len(losses)]
        return float(np.mean(losses) - np.mean(bases) + np.mean(self._bases))

    def _base(self, share: Share, output: Array) -> float:
        rows = share.held_out
        loss = self.data.loss_of(rows)
        return loss(self.data.held_y[rows], scores.repeated(output, len(rows)))

    def _encode(self, job: Job) -> Encoded:
        key = (job.group, job.model.encoding)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._encoded:
                train, held_out = job.share.train, job.share.held_out
                read, held_read = self.data.read.rows(train), self.data.held_read.rows(held_out)
                self._encoded[key] = job.model.encode(read, held_read)
            return self._encoded[key]


def run_trial(
    trial: Any, model: Model, folds: Folds, count: int, offset: int, deadline: float | None,
    callbacks: Sequence[Any],
) -> Outcome:  # fmt: skip
    """Train a model on the first folds, one after the other.

    Parameters
    ----------
    trial : optuna.trial.Trial
        It is told the scores, and tells whether to give up.
    model : Model
    folds : Folds
    count : int
        Number of folds.
    offset : int
        Added to the steps that the trial is told.
    deadline : float or None
        Time of `time.monotonic` at which it is given up.
    callbacks : sequence
        Of all networks.
    """
    members: list[tuple[Member, Array]] = []
    losses: list[float] = []
    start = time.monotonic()

    def judge(step: int, loss: float) -> None:
        if not np.isfinite(loss):
            raise Pruned
        trial.report(folds.levelled([*losses, loss]), offset + step)
        if trial.should_prune():
            raise Pruned

    state, value, reason = "complete", np.nan, ""
    try:
        for fold in range(count):
            rung = [_Rung(lambda loss: judge(0, loss))] if fold == 0 else []
            found = folds.train(folds.job(model, 0, fold), None,
                                [*callbacks, _Deadline(deadline), *rung], keep=True)  # fmt: skip
            members.append(found)
            loss = folds.loss(fold, found[1])
            if fold + 1 < count:
                judge(1 + fold, loss)
            losses.append(loss)
        value = float(np.mean(losses))
        if not np.isfinite(value):
            state, value = "pruned", np.nan
        else:
            trial.report(folds.levelled(losses), offset + count)
    except Pruned as pruned:
        state, reason = "pruned", "out of time" if pruned.out_of_time else ""
    except TableError as error:
        state, reason = "failed", str(error)
    seconds = (time.monotonic() - start) / max(len(members), 1)
    return Outcome(value, state, seconds, members if state == "complete" else (), reason)


class _Rung:
    """A callback that judges a network once, on the way, by its best epoch until then."""

    def __init__(self, judge: Callable[[float], None]) -> None:
        self._judge, self._done = judge, False

    def on_epoch_end(self, state: Any) -> None:
        """Judge the network if it is time."""
        if not self._done and state.epochs > state.epoch + 1 >= RUNG * state.epochs:
            self._done = True
            self._judge(min(state.history.val_loss))


class _Deadline:
    """A callback that gives a network up when its time is over."""

    def __init__(self, deadline: float | None) -> None:
        self._deadline = deadline

    def on_epoch_end(self, state: Any) -> None:
        """Give the network up if it is time."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise Pruned(out_of_time=True)
