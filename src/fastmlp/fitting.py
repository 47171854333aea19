"""The loop around the epochs: plans a fit, runs it, and tells the callbacks."""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastmlp import _core
from fastmlp import validation as check
from fastmlp.callbacks import ProgressBar
from fastmlp.errors import ArgumentError, ArgumentTypeError, OutOfMemoryError
from fastmlp.history import FitState, History
from fastmlp.identity import fingerprint
from fastmlp.lbfgs import LBFGS
from fastmlp.schedules import Schedule
from fastmlp.validation import Array

if TYPE_CHECKING:
    from fastmlp.training import Trainer

_BATCH_SIZE = 128
# The core's random stream of splits.
_SPLIT_STREAM = 0xFFFFFFFE


class Data(NamedTuple):
    """Checked rows of each input, targets of each output, and the rows' weights."""

    x: list[Array]
    target: list[Array]
    weights: Array | None

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.x[0])

    def arrays(self) -> list[Array]:
        """Return all there are."""
        return [*self.x, *self.target, *([] if self.weights is None else [self.weights])]

    def take(self, index: Array) -> Data:
        """Return some of the rows."""
        weights = None if self.weights is None else self.weights[index]
        return Data([x[index] for x in self.x], [y[index] for y in self.target], weights)

    def parts(self) -> Iterator[tuple[float, Data]]:
        """All rows, and the share of the loss that they have."""
        yield 1.0, self


class Hooks:
    """The callbacks of one fit, and how they hear of it."""

    def __init__(self, callbacks: list[Any], state: FitState) -> None:
        self._callbacks, self._state = callbacks, state
        state.callbacks = callbacks

    def tell(self, hook: str) -> None:
        """Call every callback's hook; at the end of the fit all of them, whatever one raises."""
        errors = []
        for callback in self._callbacks:
            method = getattr(callback, hook, None)
            if method is None:
                continue
            try:
                method(self._state)
            except BaseException as error:
                if hook != "on_fit_end":
                    raise
                errors.append(error)
        if errors:
            raise errors[0]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """From ``on_fit_start`` to ``on_fit_end``, which follows however the fit ends."""
        try:
            self.tell("on_fit_start")
            yield
        except BaseException as error:
            self._state.error = error
            error.history = self._state.history  # type: ignore[attr-defined]
            raise
        finally:
            self.tell("on_fit_end")


class Run:
    """One fit of a trainer, all its arguments checked at construction."""

    def __init__(
        self,
        trainer: Trainer,
        data: Data,
        *,
        epochs: int,
        batch_size: int | None,
        validation: Any,
        callbacks: Iterable[Any],
        shuffle: bool,
        seed: int | None,
        progress: bool | None,
        schedule: Schedule | None,
        check_finite: bool,
    ) -> None:
        self.trainer = trainer
        self.epochs = check.integer(epochs, "epochs", 0)
        self.shuffle = check.flag(shuffle, "shuffle")
        self.seed = trainer.net.seed if seed is None else check.seed(seed)
        self.schedule = _checked_schedule(schedule, trainer)
        hooks = checked_callbacks(callbacks, progress)
        self.data, self.held_out = self._split(data, validation, check_finite)
        self.batch_size = self._rows_of_a_step(batch_size)
        if self.held_out is not None:
            # A lack of memory shows before the first update, not after the first epoch.
            trainer.net.core_net().reserve(self.held_out.rows)
        history = History(trainer.score_name)
        self.state = FitState(trainer, history, self.epochs, self.held_out is not None)
        self.state.schedule = self.schedule
        self.hooks = Hooks(hooks, self.state)
        self.state.steps = -(-self.data.rows // self.batch_size)
        self.state.identity = self._identity

    def run(self) -> None:
        """Run the epochs, then ``on_fit_end`` however they ended."""
        with self.hooks.listening():
            if self.schedule is not None:
                self.schedule.start()
            self.hooks.tell("on_fit_ready")
            if isinstance(self.trainer.optimizer, LBFGS):
                self._run_lbfgs()
            else:
                self._run_epochs()

    def _run_epochs(self) -> None:
        rows, steps = self.data.rows, self.state.steps
        for epoch in range(self.state.epoch + 1, self.epochs):
            if self.state.stopped:
                break
            start = time.perf_counter()
            rates = self._rates(epoch, steps)
            order = None
            if self.shuffle:
                order = _core.permutation(rows, self.seed, self.trainer.epochs_done)
            loss = self.trainer.epoch(self.data, order, self.batch_size, rates)
            self._end_epoch(loss, float(rates[-1]), start)

    def _run_lbfgs(self) -> None:
        start = time.perf_counter()

        def heard(loss: float) -> None:
            nonlocal start
            self._end_epoch(loss, 1.0, start)
            start = time.perf_counter()
            if self.state.stopped:
                raise StopIteration

        if self.epochs:
            self.trainer.minimize(self.data, self.epochs, heard)

    def _end_epoch(self, loss: float, lr: float, start: float) -> None:
        state = self.state
        self.trainer.epochs_done += 1
        if not math.isfinite(loss) and all(map(math.isfinite, state.history.loss)):
            warnings.warn(
                f"the training loss is {loss} in epoch {state.epoch + 2}: try a smaller learning "
                "rate, clip_norm=, or scaled inputs",
                RuntimeWarning,
                stacklevel=6,
            )
        # Entered only when complete: an interrupt during validation leaves columns of one length.
        held_out = None if self.held_out is None else self.trainer.evaluate(self.held_out)
        state.record(loss, lr, held_out, time.perf_counter() - start)
        if self.schedule is not None:
            self.schedule.observe(loss if state.val_loss is None else state.val_loss)
        self.hooks.tell("on_epoch_end")
        self.hooks.tell("on_epoch_done")

    def _rates(self, epoch: int, steps: int) -> Array:
        lr = self.trainer.lr
        if self.schedule is None:
            return np.full(steps, lr)
        found = self.schedule.rates(lr, epoch, self.epochs, steps)
        rates = check.real_array(found, "schedule.rates", check.FLOAT64)
        if rates.shape != (steps,) or not (rates >= 0.0).all() or not np.isfinite(rates).all():
            raise ArgumentError(
                f"schedule: {self.schedule!r} gave {rates!r}; want {steps} finite rates >= 0"
            )
        return rates

    def _identity(self) -> dict[str, Any]:
        """Describe what the result depends on besides the network, schedule and callbacks."""
        weights = [] if self.data.weights is None else [self.data.weights]
        return {
            "x": fingerprint(self.data.x),
            "y": fingerprint(self.data.target),
            "sample_weight": fingerprint(weights),
            "validation": fingerprint([] if self.held_out is None else self.held_out.arrays()),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "shuffle": self.shuffle,
            **self.trainer.describe(),
        }

    def _rows_of_a_step(self, batch_size: int | None) -> int:
        rows = self.data.rows
        full = isinstance(self.trainer.optimizer, LBFGS)
        if batch_size is None:
            return rows if full else min(_BATCH_SIZE, rows)
        size = min(check.size(batch_size, "batch_size"), rows)
        if full and size < rows:
            raise ArgumentError(
                f"batch_size: got {size}; LBFGS takes all {rows} rows, leave batch_size out"
            )
        return size

    def _split(self, data: Data, validation: Any, finite: bool) -> tuple[Data, Data | None]:
        if validation is None:
            return data, None
        if isinstance(validation, (tuple, list)) and len(validation) in (2, 3):
            x, y, *weights = validation
            weight = weights[0] if weights else None
            try:
                return data, self.trainer.checked_data(x, y, weight, finite)
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
        return data.take(np.sort(order[held:])), data.take(np.sort(order[:held]))


def _checked_schedule(schedule: Any, trainer: Trainer) -> Schedule | None:
    if schedule is None:
        return None
    if not isinstance(schedule, Schedule):
        raise ArgumentTypeError(
            f"schedule: got {check.shown(schedule)}; want a schedule, such as CosineLR()"
        )
    if isinstance(trainer.optimizer, LBFGS):
        raise ArgumentError("schedule: LBFGS has no learning rate; leave schedule out")
    return schedule


def checked_steps(
    rows: int, order: Any, batch_size: Any, rates: Any, penalties: Any, losses: Any
) -> tuple[Array | None, int, Array, Array | None, Array | None]:
    """What says how an epoch's steps are made, safe to give to the core."""
    size = check.size(batch_size, "batch_size")
    steps = (-(-rows // size),)
    return (
        None if order is None else check.labels(order, "order", rows, rows),
        size,
        check.shaped(rates, "rates", steps, check.FLOAT64),
        None if penalties is None else check.shaped(penalties, "penalties", steps, check.FLOAT64),
        None if losses is None else check.output(losses, "losses", (*steps, 2), check.FLOAT64, ()),
    )


def checked_callbacks(callbacks: Any, progress: bool | None) -> list[Any]:
    """Return the callbacks as a list, with a progress bar where one is wanted."""
    found = [] if callbacks is None else callbacks
    hooks = check.items(found, "callbacks", "a list of callbacks")
    for callback in hooks:
        if not callable(getattr(callback, "on_epoch_end", None)):
            raise ArgumentTypeError(
                f"callbacks: got {check.shown(callback)}; want objects with on_epoch_end(state)"
            )
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if terminal if progress is None else check.flag(progress, "progress"):
        hooks.append(ProgressBar())
    return hooks
