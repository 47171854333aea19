"""The schedules of a fit: of the learning rate, and of other settings by name.

=====================  ================================================================
``"weight_decay"``     a value; starts from the optimizer's
``"label_smoothing"``  a value, for each ``CrossEntropyLoss``; starts from the first one's
``"dropout"``          a factor of each ``Dropout`` layer's ``p``; starts from 1
=====================  ================================================================

A schedule receives the start value as the argument ``lr`` of ``rates``, so every learning-rate
schedule also works for these settings. Validation uses the loss's own label smoothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.optim.lbfgs import LBFGS
from fastmlp.optim.schedules import Schedule

if TYPE_CHECKING:
    from fastmlp.training.protocol import TrainerLike

SETTINGS = ("weight_decay", "dropout", "label_smoothing")
# Numbers of steps, of which at least one gives other values if a schedule depends on the number.
_TRIED = (1, 2, 3, 50)


class Setting(NamedTuple):
    """The start value of a setting, and the largest value that a schedule may give it."""

    start: float
    most: float = math.inf
    per_unit: float = 1.0  # ``most`` holds for the value times this

    def holds(self, values: Array) -> bool:
        """Whether all values are allowed."""
        fine = np.isfinite(values) & (values >= 0.0) & (values * self.per_unit <= self.most)
        return bool(fine.all())

    def wanted(self) -> str:
        """Return the allowed range, for errors."""
        return ">= 0" if self.most == math.inf else f"from 0 to {self.most / self.per_unit:.6g}"


class Schedules:
    """The schedules of one fit, by setting; the learning rate's is ``"lr"``."""

    def __init__(self, trainer: TrainerLike, schedule: Any, others: Any) -> None:
        self._trainer = trainer
        self.parts: dict[str, Schedule] = {}
        if schedule is not None:
            self.parts["lr"] = _checked(schedule, "schedule", trainer)
        wanted = f"a dict of schedules for {', '.join(SETTINGS)}"
        given = {} if others is None else check.mapping(others, "schedules", wanted)
        for name, one in given.items():
            if name == "lr":
                raise ArgumentError("schedules: got 'lr'; want it as schedule=")
            if name not in SETTINGS:
                raise ArgumentError(f"schedules: got {check.shown(name)}; want {wanted}")
            self.parts[name] = _checked(one, f"schedules[{name!r}]", trainer)
            self._setting(name)

    @property
    def others(self) -> dict[str, Schedule]:
        """All schedules but the learning rate's."""
        return {name: one for name, one in self.parts.items() if name != "lr"}

    def start(self) -> None:
        """Tell each schedule that a fit begins."""
        for one in self.parts.values():
            one.start()

    def observe(self, loss: float) -> None:
        """Tell each schedule the loss of an epoch."""
        for one in self.parts.values():
            one.observe(loss)

    def values(self, name: str, epoch: int, epochs: int, steps: int) -> Array:
        """Return the values of a setting, one for each step of an epoch."""
        setting = self._setting(name)
        if name not in self.parts:
            return np.full(steps, setting.start)
        one, what = self.parts[name], _argument(name)
        found = one.rates(setting.start, epoch, epochs, steps)
        values = check.real_array(found, f"{what}.rates", check.FLOAT64)
        if values.shape != (steps,) or not setting.holds(values):
            raise ArgumentError(
                f"{what}: got {values!r} from {one!r}; want {steps} finite numbers "
                f"{setting.wanted()}"
            )
        return values

    def of_epoch(self, epoch: int, epochs: int, steps: int | None) -> EpochValues:
        """Return the values of all settings in an epoch; None: its number of steps is unknown."""
        found = {}
        for name in ("lr", *self.others):
            if steps is not None:
                found[name] = self.values(name, epoch, epochs, steps)
                continue
            tried = [self.values(name, epoch, epochs, count) for count in _TRIED]
            if any((values != tried[0][0]).any() for values in tried):
                raise ArgumentError(
                    f"{_argument(name)}: got {self.parts[name]!r}, which needs the number of steps "
                    "of an epoch, for a stream whose number of rows is not known; want "
                    "fm.data.iterable(x, rows=...), or another schedule"
                )
            found[name] = tried[0]
        return EpochValues(found, self.parts)

    def _setting(self, name: str) -> Setting:
        return Setting(self._trainer.lr) if name == "lr" else self._trainer.setting(name)


class EpochValues:
    """The values of the settings in the steps of one epoch."""

    def __init__(self, values: dict[str, Array], parts: dict[str, Schedule]) -> None:
        self._values, self._parts = values, parts

    def between(self, begin: int, end: int) -> tuple[Array, dict[str, Array]]:
        """Return learning rates of some steps, and what ``Trainer.epoch`` takes of the others."""
        found = {name: self._cut(name, begin, end) for name in self._values}
        rates = found.pop("lr")
        return rates, {f"{name}s": values for name, values in found.items()}

    def _cut(self, name: str, begin: int, end: int) -> Array:
        values = self._values[name]
        if end <= len(values):
            return values[begin:end]
        if (values != values[0]).any():
            raise ArgumentError(
                f"x: got more than the {len(values)} steps of an earlier epoch, on which "
                f"{_argument(name)}={self._parts[name]!r} depends; want as many rows in each epoch"
            )
        return np.full(end - begin, values[0])


def _argument(name: str) -> str:
    return "schedule" if name == "lr" else f"schedules[{name!r}]"


def _checked(schedule: Any, name: str, trainer: TrainerLike) -> Schedule:
    if not isinstance(schedule, Schedule):
        raise ArgumentTypeError(
            f"{name}: got {check.shown(schedule)}; want a schedule, such as CosineLR()"
        )
    if isinstance(trainer.optimizer, LBFGS):
        raise ArgumentError(f"{name}: LBFGS has no learning rate and no steps; leave it out")
    return schedule
