"""The loop over the epochs: checks the arguments of a fit, runs it and calls the callbacks."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError
from fastmlp.base.side_by_side import renew_share
from fastmlp.base.validation import Array
from fastmlp.data.source import Source
from fastmlp.optim.lbfgs import LBFGS
from fastmlp.optim.schedules import Schedule
from fastmlp.training.data import Data
from fastmlp.training.epoch_run import EpochRun
from fastmlp.training.feed import ArrayFeed, Feed
from fastmlp.training.fingerprint import fingerprint
from fastmlp.training.history import FitState, History
from fastmlp.training.hooks import Hooks, checked_callbacks
from fastmlp.training.members import Members
from fastmlp.training.schedules import Schedules
from fastmlp.training.sharing import share
from fastmlp.training.stream import HeldOut, Options, StreamFeed
from fastmlp.training.stream_progress import StreamProgress
from fastmlp.training.validating import held_out

if TYPE_CHECKING:
    from fastmlp.training.protocol import TrainerLike


class Run:
    """One fit of a trainer; the constructor checks all arguments."""

    def __init__(
        self,
        trainer: TrainerLike,
        rows: Data | Source,
        *,
        epochs: int,
        batch_size: int | None,
        drop_last: bool,
        validation: Any,
        callbacks: Iterable[Any],
        shuffle: bool,
        seed: int | None,
        progress: bool | None,
        schedule: Schedule | None,
        schedules: Mapping[str, Schedule] | None,
        check_finite: bool,
        count: int,
        members: Members | None,
    ) -> None:
        """``count`` is the number of members; they have rows of their own in ``members``."""
        self.trainer = trainer
        self.epochs = check.integer(epochs, "epochs", 0)
        self.shuffle = check.flag(shuffle, "shuffle")
        self.seed = trainer.net.seed if seed is None else check.seed(seed)
        if members is not None and isinstance(rows, Data):
            members.check_rows(rows.rows)
        self.schedules = Schedules(trainer, schedule, schedules)
        shows = progress if trainer.world is None or trainer.world.is_first else False
        hooks = checked_callbacks(callbacks, shows)
        finite = check.flag(check_finite, "check_finite")
        rows, self.held_out = held_out(trainer, rows, validation, self.seed, finite, count, members)
        self.drop_last = check.flag(drop_last, "drop_last")
        self.feed: Feed
        if isinstance(rows, Data):
            order = self.seed if self.shuffle else None
            self.feed = ArrayFeed(trainer, rows, batch_size, self.drop_last, order, members)
        else:
            options = Options(batch_size, self.drop_last, self.shuffle, self.seed, finite, count)
            self.feed = StreamFeed(trainer, rows, options)
        self.feed.check_epochs(self.epochs)
        if isinstance(self.held_out, HeldOut):
            self.held_out.check_epochs(self.epochs)
        if self.held_out is not None:
            # Reserve memory now: a lack of it must fail before the first update.
            trainer.net.core_net().reserve(self.held_out.rows)
        history = History(trainer.score_name, trainer.members)
        self.state = FitState(trainer, history, self.epochs, self.held_out is not None)
        self.state.schedules = self.schedules
        self.hooks = Hooks(hooks, self.state)
        if self.hooks.of_steps and isinstance(trainer.optimizer, LBFGS):
            raise ArgumentError(
                f"callbacks: got {check.shown(self.hooks.of_steps[0][0])}, which has on_step_end; "
                "LBFGS has no steps"
            )
        self.state.steps = self.feed.steps()
        if self.feed.data is None:
            self.state.stream = StreamProgress(self.feed.rows, self.feed.bytes)
        self.state.fingerprint = self._fingerprint
        if trainer.world is not None:
            trainer.world.agree({"epochs": self.epochs, "fit": self._fingerprint()})
            share(trainer, trainer.world)

    def run(self) -> None:
        """Run the epochs; call ``on_fit_end`` in any case."""
        with self.hooks.lifecycle():
            self.schedules.start()
            self.hooks.dispatch("on_fit_ready")
            if isinstance(self.trainer.optimizer, LBFGS):
                self._run_lbfgs()
            else:
                self._run_epochs()

    def _run_epochs(self) -> None:
        for epoch in range(self.state.epoch + 1, self.epochs):
            if self.state.stopped:
                break
            renew_share()
            self._run_epoch(epoch)

    def _run_epoch(self, epoch: int) -> None:
        state, begun = self.state, self.state.begun
        start = time.perf_counter() - (0.0 if begun is None else begun.seconds)
        values = self.schedules.of_epoch(epoch, self.epochs, state.steps)
        run = EpochRun(self.trainer, state, self.hooks, self.feed.batch_size, values, begun)
        with self.feed.open(self.trainer.epochs_done, epoch, begun) as parts:
            loss = run.run(parts, state.stream)
        state.steps = self.feed.steps()
        if state.stream is not None:
            state.stream.rows_in_all = self.feed.rows
        self._end_epoch(loss, state.lr, start, run.begun.members)

    def _run_lbfgs(self) -> None:
        start = time.perf_counter()

        def on_iteration(loss: float) -> None:
            nonlocal start
            self._end_epoch(loss, 1.0, start)
            renew_share()
            start = time.perf_counter()
            if self.state.stopped:
                raise StopIteration

        assert self.feed.data is not None
        if self.epochs:
            self.trainer.minimize(self.feed.data, self.epochs, on_iteration)

    def _end_epoch(self, loss: float, lr: float, start: float, losses: Array | None = None) -> None:
        state = self.state
        self.trainer.epochs_done += 1
        warns = self.trainer.nan == "warn"
        if warns and not math.isfinite(loss) and all(map(math.isfinite, state.history.loss)):
            warnings.warn(
                f"the training loss is {loss} in epoch {state.epoch + 2}: try a smaller learning "
                "rate, clip_norm=, or scaled inputs",
                RuntimeWarning,
                stacklevel=7,
            )
        # Recorded after the validation: an interrupt cannot leave lists of different lengths.
        held = self._evaluation()
        seconds, both = time.perf_counter() - start, None if held is None else held[:2]
        state.record(loss, lr, both, seconds, losses, *(held[2:] if held is not None else ()))
        self.schedules.observe(loss if state.val_loss is None else state.val_loss)
        self.hooks.dispatch("on_epoch_end")
        self.hooks.dispatch("after_epoch_end")

    def _evaluation(self) -> Any:
        if isinstance(self.held_out, HeldOut):
            return self.held_out.evaluation(self.state.epoch + 1)
        return None if self.held_out is None else self.trainer.evaluation(self.held_out)

    def _fingerprint(self) -> dict[str, Any]:
        """Describe data and options, on which the result depends beside network and callbacks."""
        held: Any = self.held_out
        if isinstance(held, Data):
            held = fingerprint(held.arrays(), held.chosen)
        elif held is not None:
            held = held.describe()
        return {
            **self.feed.describe(),
            "validation": held,
            "batch_size": self.feed.batch_size,
            "seed": self.seed,
            "shuffle": self.shuffle,
            **({"drop_last": True} if self.drop_last else {}),
            **self.trainer.describe(),
        }
