"""The loop over the epochs: checks the arguments of a fit, runs it and calls the callbacks."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp import _core
from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, OutOfMemoryError
from fastmlp.base.validation import Array
from fastmlp.optim.lbfgs import LBFGS
from fastmlp.optim.schedules import Schedule
from fastmlp.training.data import Data
from fastmlp.training.fingerprint import fingerprint
from fastmlp.training.history import FitState, History
from fastmlp.training.hooks import Hooks, checked_callbacks
from fastmlp.training.members import MemberRows, Members
from fastmlp.training.parted_epoch import PartedEpoch
from fastmlp.training.schedules import Schedules

if TYPE_CHECKING:
    from fastmlp.training.protocol import TrainerLike

_BATCH_SIZE = 128
# The random stream of validation splits.
_SPLIT_STREAM = 0xFFFFFFFE


class Run:
    """One fit of a trainer; the constructor checks all arguments."""

    def __init__(
        self,
        trainer: TrainerLike,
        data: Data,
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
        members: Members | None,
    ) -> None:
        self.trainer = trainer
        self.epochs = check.integer(epochs, "epochs", 0)
        self.shuffle = check.flag(shuffle, "shuffle")
        self.seed = trainer.net.seed if seed is None else check.seed(seed)
        if members is not None:
            members.check_rows(data.rows)
        self.schedules = Schedules(trainer, schedule, schedules)
        hooks = checked_callbacks(callbacks, progress)
        self.data, self.held_out = self._split(data, validation, check_finite, members)
        self.members = members
        have_rows = members is not None or data.members > 1
        self.member_rows = self._rows_of_members() if have_rows else None
        rows = self.data.rows if self.member_rows is None else self.member_rows.rows
        self.batch_size = self._rows_of_a_step(batch_size, rows)
        self.drop_last = check.flag(drop_last, "drop_last")
        # Rows of an epoch. With a shuffle, the rows that are left out are others in each epoch.
        self.rows = rows // self.batch_size * self.batch_size if self.drop_last else rows
        if self.drop_last and not self.shuffle and self.member_rows is None:
            self.data = self.data.first(self.rows)
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
        self.state.steps = -(-self.rows // self.batch_size)
        self.state.fingerprint = self._fingerprint

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
        steps = self.state.steps
        for epoch in range(self.state.epoch + 1, self.epochs):
            if self.state.stopped:
                break
            start = time.perf_counter()
            rates = self.schedules.values("lr", epoch, self.epochs, steps)
            settings = self._settings(epoch, steps)
            several = self.trainer.members > 1
            losses = np.empty(self.trainer.members) if several else None
            data, order = self._ordered()
            if self.hooks.of_steps:
                parts = PartedEpoch(self.trainer, self.state, self.hooks, self.batch_size)
                loss = parts.run(data, order, rates, losses, settings)
            else:
                loss = self.trainer.epoch(
                    data, order, self.batch_size, rates, member_losses=losses, **settings
                )
            self._end_epoch(loss, float(rates[-1]), start, losses)

    def _ordered(self) -> tuple[Data, Array | None]:
        """Return the data of the next epoch, and the order of its rows."""
        done = self.trainer.epochs_done
        if self.member_rows is not None:
            return self.data._replace(chosen=self.member_rows.order(done, self.rows)), None
        if not self.shuffle:
            return self.data, None
        return self.data, _core.permutation(self.data.rows, self.seed, done)[: self.rows]

    def _rows_of_members(self) -> MemberRows:
        """Each member takes the rows of its list, or all rows."""
        if isinstance(self.trainer.optimizer, LBFGS):
            raise ArgumentError("members: LBFGS takes all rows at once; leave it out")
        lists = [] if self.members is None else self.members.train
        if not lists:
            data = self.data
            rows = np.arange(data.rows) if data.chosen is None else data.chosen
            lists = [rows] * data.members
        return MemberRows(lists, self.seed if self.shuffle else None)

    def _run_lbfgs(self) -> None:
        start = time.perf_counter()

        def on_iteration(loss: float) -> None:
            nonlocal start
            self._end_epoch(loss, 1.0, start)
            start = time.perf_counter()
            if self.state.stopped:
                raise StopIteration

        if self.epochs:
            self.trainer.minimize(self.data, self.epochs, on_iteration)

    def _end_epoch(self, loss: float, lr: float, start: float, losses: Array | None = None) -> None:
        state = self.state
        self.trainer.epochs_done += 1
        warns = self.trainer.nan == "warn"
        if warns and not math.isfinite(loss) and all(map(math.isfinite, state.history.loss)):
            warnings.warn(
                f"the training loss is {loss} in epoch {state.epoch + 2}: try a smaller learning "
                "rate, clip_norm=, or scaled inputs",
                RuntimeWarning,
                stacklevel=6,
            )
        # Recorded after the validation: an interrupt cannot leave lists of different lengths.
        held = None if self.held_out is None else self.trainer.evaluation(self.held_out)
        seconds, both = time.perf_counter() - start, None if held is None else held[:2]
        state.record(loss, lr, both, seconds, losses, *(held[2:] if held is not None else ()))
        self.schedules.observe(loss if state.val_loss is None else state.val_loss)
        self.hooks.dispatch("on_epoch_end")
        self.hooks.dispatch("after_epoch_end")

    def _settings(self, epoch: int, steps: int) -> dict[str, Array]:
        """Return what ``Trainer.epoch`` takes of the settings that have a schedule."""
        return {
            f"{name}s": self.schedules.values(name, epoch, self.epochs, steps)
            for name in self.schedules.others
        }

    def _fingerprint(self) -> dict[str, Any]:
        """Describe data and options, on which the result depends beside network and callbacks."""
        data, held = self.data, self.held_out
        weights = [] if data.weights is None else [data.weights]
        return {
            "x": fingerprint(data.x, data.chosen),
            "y": fingerprint(data.target, data.chosen),
            "sample_weight": fingerprint(weights, data.chosen),
            "validation": None if held is None else fingerprint(held.arrays(), held.chosen),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "shuffle": self.shuffle,
            **({"drop_last": True} if self.drop_last else {}),
            **self._described_members(),
            **self.trainer.describe(),
        }

    def _described_members(self) -> dict[str, Any]:
        if self.member_rows is None:
            return {}
        rows = None if self.members is None else self.members.describe()
        return {"members": self.data.members, "member_rows": rows}

    def _rows_of_a_step(self, batch_size: int | None, rows: int) -> int:
        full = isinstance(self.trainer.optimizer, LBFGS)
        if batch_size is None:
            return rows if full else min(_BATCH_SIZE, rows)
        size = min(check.size(batch_size, "batch_size"), rows)
        if full and size < rows:
            raise ArgumentError(
                f"batch_size: got {size}; LBFGS takes all {rows} rows, leave batch_size out"
            )
        return size

    def _split(
        self, data: Data, validation: Any, finite: bool, members: Members | None
    ) -> tuple[Data, Data | None]:
        if validation is None:
            return data, None if members is None else members.held_out(data)
        if members is not None and (members.validation or isinstance(validation, float)):
            raise ArgumentError(
                f"validation: got {check.shown(validation)}; want None or (x, y), as members= "
                "gives the rows"
            )
        if isinstance(validation, (tuple, list)) and len(validation) in (2, 3):
            x, y, *weights = validation
            weight = weights[0] if weights else None
            try:
                return data, self.trainer.checked_data(x, y, weight, finite, data.members)
            except (ArgumentError, ArgumentTypeError, OutOfMemoryError) as error:
                raise type(error)(f"validation {error}") from None
        several = isinstance(validation, np.ndarray) and validation.ndim > 0
        if several or isinstance(validation, (tuple, list)):
            raise ArgumentError(
                f"validation: got a {type(validation).__name__} of {len(validation)}; "
                "want (x, y), (x, y, sample_weight) or a fraction"
            )
        fraction = check.real(validation, "validation", 0.0, 1.0, True, True)
        return self._split_off(data, fraction)

    def _split_off(self, data: Data, fraction: float) -> tuple[Data, Data]:
        rows = data.rows
        held = math.ceil(fraction * rows)
        if held >= rows:
            raise ArgumentError(
                f"validation: got fraction {fraction} of {rows} rows, which leaves none to train; "
                "want less"
            )
        order = np.argsort(_core.random_uniform(rows, self.seed, _SPLIT_STREAM), kind="stable")
        train, validation = data.at(np.sort(order[held:])), data.at(np.sort(order[:held]))
        # L-BFGS reads all rows at once, so they are copied once.
        return train.taken() if isinstance(self.trainer.optimizer, LBFGS) else train, validation
